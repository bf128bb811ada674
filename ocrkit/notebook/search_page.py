"""The search widget as a web page, for people who have a browser and no Python.

`python -m ocrkit.notebook.search_page output/scans` serves the page with Voila. Each visitor gets a
Python process of their own, which ends some minutes after the page was closed; their number has no
limit. The browser can only use the widget: Voila takes no code from it, and the widget only reads.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from ocrkit.archive.catalogue import Catalogue
from ocrkit.errors import OcrkitError
from ocrkit.plain import one_line
from ocrkit.runtime.packages import needs

IDLE_SECONDS = 300  # after which the process of a page that is no longer open ends
# Voila's page asks another server for a font of icons. Nothing may come from elsewhere, so that the
# page is the same without a network, and nobody learns who searches.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"


def notebook(folder: Path) -> str:
    """The notebook, as JSON, that makes the page: a heading and the widget for this folder."""
    import nbformat

    folder = folder.resolve()
    title = f"Search in {one_line(folder.name)}"
    code = f"from ocrkit.notebook.search import Search\nSearch({str(folder)!r})"
    cells = [
        # HTML, because a name may have signs that mean something in Markdown.
        nbformat.v4.new_markdown_cell(f"<h1>{escape(title)}</h1>"),
        nbformat.v4.new_code_cell(code),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "title": title}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))


def serve(
    folder: Path, ip: str = "localhost", port: int = 8866, open_browser: bool = False
) -> None:
    """Serve the search page of an output folder of `ocrkit read`, until Ctrl-C.

    ip: the address of this computer at which the page can be reached; localhost is for this
    computer only, 0.0.0.0 for everyone in its network. There is no password. port: the next free
    one is taken if it is in use.

    Raises CatalogueError if there is nothing to search, MissingPartError if Voila is missing.
    """
    with Catalogue.open_to_read(folder):
        pass
    with needs("Voila", "'ocrkit[search-page]'", "use `ocrkit search` or the widget"):
        from voila.app import Voila
    with TemporaryDirectory() as place:
        page = Path(place, "search.ipynb")
        page.write_text(notebook(folder), encoding="utf-8")
        Voila.launch_instance(
            [
                str(page),
                f"--Voila.ip={ip}",
                f"--port={port}",
                f"--Voila.open_browser={open_browser}",
                f"--MappingKernelManager.cull_idle_timeout={IDLE_SECONDS}",
                "--MappingKernelManager.cull_interval=60",
                "--VoilaConfiguration.allow_template_override=NO",
            ],
            tornado_settings={"headers": {"Content-Security-Policy": POLICY}},
        )


def main() -> None:
    """The command; what is wrong with the folder or the installation is one line."""
    parser = argparse.ArgumentParser(description="The search of an output folder as a web page.")
    parser.add_argument("folder", type=Path, help="the output folder of `ocrkit read`")
    parser.add_argument("--ip", default="localhost", help="0.0.0.0: for everyone in the network")
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--open", action="store_true", help="open the page in a browser here")
    given = parser.parse_args()
    try:
        serve(given.folder, given.ip, given.port, given.open)
    except OcrkitError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
