"""A widget that searches what `ocrkit read` has read: hits beside the page, the words boxed."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ocrkit.archive.search import Hit, search
from ocrkit.errors import OcrkitError
from ocrkit.image import load_scans
from ocrkit.notebook.widgets import image_tag, styles
from ocrkit.plain import one_line
from ocrkit.runtime.packages import needs

with needs("ipywidgets", "ipywidgets", "call `ocrkit.search`, which gives the same hits"):
    import ipywidgets

LONGEST = 1400  # px, the longer side of the picture


class Search(ipywidgets.VBox):
    """Type words, look at the pages that have them. `folder` is the output of `ocrkit read -o`.

    The words and signs of a query are those of `ocrkit.search`. limit: pages in the list.
    """

    def __init__(self, folder: str | Path = "output/read", limit: int = 50) -> None:
        self.folder, self.limit = Path(folder), limit
        self.hits: list[Hit] = []
        self.query = ipywidgets.Text(
            description="Search", placeholder='mill, mill*, "old mill"', continuous_update=False
        )
        self.query.add_class("ocrkit-field")
        self.query.observe(self._search, "value")
        self.button = ipywidgets.Button(description="Search", icon="search", button_style="primary")
        self.button.on_click(self._search)
        self.status, self.picture = ipywidgets.HTML(), ipywidgets.HTML()
        self.pages = ipywidgets.Select(
            description="Pages", rows=22, options=(), layout={"width": "auto"}, disabled=True
        )
        self.pages.add_class("ocrkit-field")
        self.pages.observe(self._show, "value")
        page = ipywidgets.Box([self.picture], layout={"flex": "3 1 0", "min_width": "0"})
        page.add_class("ocrkit-page")
        side = ipywidgets.VBox(
            [self.pages], layout={"flex": "2 1 0", "min_width": "0", "margin": "0 12px 0 0"}
        )
        row = ipywidgets.HBox([self.query, self.button], layout={"align_items": "flex-end"})
        super().__init__([styles(), row, self.status, ipywidgets.HBox([side, page])])
        self.add_class("ocrkit")

    def _search(self, change: Any = None) -> None:
        try:
            self.hits = search(self.query.value, self.folder, self.limit)
        except OcrkitError as error:
            self.hits = []
            self._say(str(error), "alert")
        else:
            count = len(self.hits)
            more = "the best " if count == self.limit else ""
            pages = f"{more}{count} page{'s' * (count != 1)}"
            self._say(pages if self.hits else "Nothing was found.")
        self.pages.options = [
            (f"{one_line(hit.file)}, p. {hit.page}: {one_line(hit.snippet)}", i)
            for i, hit in enumerate(self.hits)
        ]
        self.pages.disabled = not self.hits
        self.pages.index = 0 if self.hits else None
        self._show()

    def _show(self, change: Any = None) -> None:
        """Show the page that is selected, with a box around each word that was found."""
        if self.pages.value is None:
            self.picture.value = ""
            return
        hit = self.hits[self.pages.value]
        try:
            scan = next(load_scans(hit.path, "redo", hit.page))
        except (OcrkitError, StopIteration) as error:
            self.picture.value = ""
            self._say(str(error) or f"{hit.file}: there is no page {hit.page} any more", "alert")
            return
        picture = Image.fromarray(scan.pixels)
        picture.thumbnail((LONGEST, LONGEST))
        text = f"{hit.file}, page {hit.page}"
        self.picture.value = image_tag(picture, text, "JPEG") + "".join(_boxes(hit))

    def _say(self, text: str, role: str = "status") -> None:
        self.status.value = (
            f'<div role="{role}" class="ocrkit-{role}">{escape(one_line(text))}</div>'
        )


def _boxes(hit: Hit) -> list[str]:
    width, height = hit.size
    return [
        f'<span class="ocrkit-found" title="{escape(word.text)}" style="'
        f"left:{word.box.x0 / width:.2%};top:{word.box.y0 / height:.2%};"
        f'width:{word.box.width / width:.2%};height:{word.box.height / height:.2%}"></span>'
        for word in hit.words
    ]
