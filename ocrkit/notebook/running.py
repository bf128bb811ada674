"""Runs notebooks from top to bottom and stores their outputs in them.

`python -m ocrkit.notebook.running notebooks/*.ipynb`; `papermill` itself writes a second notebook.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ocrkit.errors import OutputError
from ocrkit.files import write
from ocrkit.runtime.packages import needs

TIMING = ("papermill", "execution")  # metadata that would differ in each run


def run_notebook(path: str | Path) -> None:
    """Run a notebook in its folder with papermill, and store the outputs in it, without any times.

    If a cell fails the notebook stays as it was; raises OutputError, which names the cell.
    """
    path = Path(path)
    with needs("papermill", "'ocrkit[notebooks]'"):
        import nbformat
        import papermill
        from papermill.exceptions import PapermillExecutionError
    if not path.is_file():
        raise OutputError(f"{path}: there is no such notebook")
    try:
        notebook = papermill.execute_notebook(path, None, cwd=path.parent)
    except PapermillExecutionError as error:
        raise OutputError(
            f"{path}: cell {error.cell_index + 1} failed ({error.ename}: {error.evalue}); "
            "the notebook is as it was before"
        ) from error
    for part in (notebook, *notebook.cells):
        for key in TIMING:
            part.metadata.pop(key, None)
        if not part.metadata.get("tags"):  # papermill gives an empty list to every cell
            part.metadata.pop("tags", None)
    write(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())


def main(paths: Sequence[str]) -> None:
    """Run notebooks one after the other; the first that fails is the last."""
    for path in paths:
        try:
            run_notebook(path)
        except OutputError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
