"""A widget that reads documents: choose a file, read it, look at its lines, download the text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from html import escape
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
from PIL import Image

from ocrkit.archive.formats import FORMATS
from ocrkit.archive.overlay import overlay
from ocrkit.detection import DETECTORS
from ocrkit.document import Document, Line, Page
from ocrkit.errors import ImageError, OcrkitError
from ocrkit.image import IMAGE_SUFFIXES, crop_polygon, find_images, load_pages
from ocrkit.pipeline import read_document
from ocrkit.recognition.backends import backends_of
from ocrkit.runtime.packages import needs
from ocrkit.runtime.weights import default_weights, models_below, weights_path

with needs("ipywidgets", "ipywidgets", "call `ocrkit.read_document`, which gives the same result"):
    import ipywidgets


# Jupyter ends the connection to the kernel at a message of 10 MiB.
MAX_UPLOAD = 10_000_000  # bytes
MAX_DOWNLOAD = 20_000_000  # bytes of a result, which is held in the notebook
_PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
NO_PAGE = np.full((2, 2), 255, np.uint8)  # shown where there is no image


class PageView(ipywidgets.HBox):
    """A page with a box for each line, and a list of the lines.

    The user selects a line on the page (a click, or Tab and Enter) or in the list (arrow keys). Its
    crop and its text are then shown. The colour of a box shows the confidence.
    """

    def __init__(self) -> None:
        self.picture = ipywidgets.HTML()
        self.page = ipywidgets.Box([self.picture], layout={"flex": "3 1 0", "min_width": "0"})
        self.page.add_class("ocrkit-page")
        self.lines = ipywidgets.Select(description="Lines", rows=22, layout={"width": "auto"})
        self.lines.add_class("ocrkit-field")
        self.lines.observe(self._select, "value")
        self.line = ipywidgets.HTML()
        self.line.add_class("ocrkit-line")
        side = ipywidgets.VBox(
            [self.lines, self.line], layout={"flex": "2 1 0", "min_width": "0", "margin": "0 12px"}
        )
        super().__init__([self.page, side])

    def show(self, array: np.ndarray, page: Page | None = None, name: str = "page") -> None:
        """Show a grey page (H, W) uint8, with its lines if it has been read."""
        height, width = array.shape
        self._array, self._page = array, page or Page(width, height, ())
        picture = overlay(array, self._page, longest=1100)
        left_half = picture.crop((0, 0, picture.width // 2, picture.height))  # without the text
        text = f"{name}, {len(self._page.lines)} lines marked"
        self.picture.value = image_tag(left_half, text, "JPEG")
        old = self.page.children[1:]
        self.page.children = (self.picture, *map(self._box, self._page.lines))
        for box in old:
            for part in (box.layout, box.style, box):
                part.close()
        self.lines.options = [
            (f"{line.confidence:\N{FIGURE SPACE}>4.0%}  {line.text}", i)
            for i, line in enumerate(self._page.lines)
        ]
        self.lines.disabled = not self._page.lines
        self._select()

    def _box(self, line: Line) -> ipywidgets.Button:
        box, page = line.box, self._page
        button = ipywidgets.Button(
            tooltip=f"{line.text} ({line.confidence:.0%})",
            layout={
                "left": f"{box.x0 / page.width:.2%}",
                "top": f"{box.y0 / page.height:.2%}",
                "width": f"{box.width / page.width:.2%}",
                "height": f"{box.height / page.height:.2%}",
            },
        )
        button.on_click(self._box_clicked)
        return button

    def _box_clicked(self, button: ipywidgets.Button) -> None:
        self.lines.value = self.page.children.index(button) - 1

    def _select(self, change: Any = None) -> None:
        selected = self.lines.value
        for i, box in enumerate(self.page.children[1:]):
            (box.add_class if i == selected else box.remove_class)("ocrkit-selected")
        if selected is None:
            self.line.value = ""
            return
        line = self._page.lines[selected]
        crop = Image.fromarray(crop_polygon(self._array, np.array(line.polygon)))
        self.line.value = (
            f"<b>Line {selected + 1} of {len(self._page.lines)}</b>, confidence "
            f"{line.confidence:.1%}{image_tag(crop, line.text, 'PNG')}"
            f"<div>{escape(line.text)}</div>"
        )


class Reader(ipywidgets.VBox):
    """Choose a document in `folder` or upload one, read it, look at it, and download the result.

    The user can choose the kit's own recognisers and all others below `output`. Uploaded files are
    kept in a temporary folder until the kernel ends; one that cannot be read is refused. Jupyter
    uploads files of up to 10 MB; put larger ones into `folder`. Another detector or recogniser
    clears what the old one read. Raises ImageError if `folder` does not exist.
    """

    def __init__(self, folder: str | Path = "data/samples", output: str | Path = "output") -> None:
        self.folder = Path(folder)
        self._uploads = TemporaryDirectory(prefix="ocrkit-")
        self.document: Document | None = None
        named = ((default_weights(name), name) for name in ("ocrkit-fast", "ocrkit-hand"))
        own = dict.fromkeys(chain.from_iterable(named))
        others = [(str(path.relative_to(output)), path) for path in models_below(output)]
        self.source = _dropdown("Document", [(path.name, path) for path in find_images([folder])])
        self.upload = ipywidgets.FileUpload(
            description="Upload an image",
            accept=",".join(IMAGE_SUFFIXES),
            tooltip="An image file of up to 10 MB",
            layout={"width": "auto"},
        )
        self.upload.add_class("ocrkit-upload")
        self._refused = ipywidgets.Text(layout={"display": "none"})
        self._refused.add_class("ocrkit-refused")
        self.detector = _dropdown("Detector", DETECTORS)
        self.recognizer = _dropdown("Recogniser", [*zip(own, own, strict=True), *others])
        self.backend = _dropdown("Run by", [])
        self.number = _dropdown("Page", [1])
        self.button = ipywidgets.Button(description="Read", icon="eye", button_style="primary")
        self.status, self.links, self.view = ipywidgets.HTML(), ipywidgets.HTML(), PageView()
        self.source.observe(self._document_chosen, "value")
        self.upload.observe(self._uploaded, "value")
        self._refused.observe(self._upload_refused, "value")
        self.detector.observe(self._document_chosen, "value")
        self.recognizer.observe(self._list_backends, "value")
        self.recognizer.observe(self._document_chosen, "value")
        self.number.observe(self._show_page, "value")
        self.button.on_click(self._read)
        controls = ipywidgets.HBox(
            [
                *(self.source, self.upload, self.detector, self.recognizer, self.backend),
                *(self.button, self.number),
            ],
            layout={"flex_flow": "row wrap", "align_items": "flex-end"},
        )
        hidden = [styles(), script("widgets.js"), self._refused]
        limit = f'<span data-limit="{MAX_UPLOAD}"></span>'
        hidden.append(ipywidgets.HTML(limit, layout={"display": "none"}))
        super().__init__([*hidden, controls, self.status, self.links, self.view])
        self.add_class("ocrkit")
        self._list_backends()
        self._document_chosen()

    def _document_chosen(self, change: Any = None) -> None:
        self.document, self.links.value = None, ""
        self.number.options = [1]
        self.number.layout.display = "none"
        self.button.disabled = self.source.value is None
        if self.button.disabled:
            self._set_status("This folder has no images. Please upload one.")
            self.view.show(NO_PAGE)
        else:
            self._set_status("Press Read to find and read the lines.")
            self._show_page()

    def _list_backends(self, change: Any = None) -> None:
        """Offer the backends that can run the chosen weights; the usual one is chosen."""
        self.backend.options = backends_of(weights_path(self.recognizer.value))
        self.backend.value = self.backend.options[0]

    def _uploaded(self, change: Any) -> None:
        """Put an uploaded file at the top of the list of documents, and choose it.

        If it cannot be read, the list and the document stay as they are.
        """
        for file in change["new"]:
            self.upload.value = ()  # or the same file could not be uploaded again
            try:
                path = self._keep(file["name"], file["content"])
                next(load_pages(path))
            except (OcrkitError, OSError, ValueError) as error:
                self._show_error(error)
            else:
                self.source.options = [(f"{path.name} (uploaded)", path), *self.source.options]
                self.source.index = 0  # needed if the list was empty

    def _keep(self, name: str, content: Any) -> Path:
        """Write an uploaded file; ValueError or OSError if its name cannot be one of a file."""
        last = name.replace("\\", "/").split("/")[-1]
        if not last.strip(". ") or "\0" in last:
            raise ImageError(f"an upload cannot be called {name!r}; give the file another name")
        path = Path(mkdtemp(dir=self._uploads.name), last)
        path.write_bytes(content)
        return path

    def _upload_refused(self, change: Any) -> None:
        """The browser has not sent a file, because it is too large."""
        file = json.loads(change["new"])
        self._set_status(
            f"{file['name']} has {file['size'] / 1e6:.1f} MB; Jupyter uploads up to "
            f"{MAX_UPLOAD / 1e6:.0f} MB. Put it into the folder {self.folder} and run the cell "
            "again, or call ocrkit read",
            "alert",
        )

    def _show_page(self, change: Any = None) -> None:
        path, number = self.source.value, self.number.value
        page = self.document.pages[number - 1] if self.document else None
        try:
            self.view.show(next(islice(load_pages(path), number - 1, None)), page, path.name)
        except OcrkitError as error:
            self.view.show(NO_PAGE)
            self._show_error(error)

    def _read(self, button: Any = None) -> None:
        path = self.source.value
        self.button.disabled, self.button.description = True, "Reading ..."
        self._set_status(f"Reading {path.name} ...")
        try:
            read = read_document(
                path,
                detector=self.detector.value,
                recognizer=self.recognizer.value,
                backend=self.backend.value,
            )
        except Exception as error:  # a notebook does not show the traceback of a callback
            self._show_error(error)
        else:
            self.document = replace(read, source=path.name)
            self._report(self.document, path)
            self._show_page()
        finally:
            self.button.disabled, self.button.description = False, "Read"

    def _report(self, document: Document, path: Path) -> None:
        """Show the number of lines, the time, and the download links."""
        pages = document.pages
        seconds = {key: sum(page.seconds[key] for page in pages) for key in pages[0].seconds}
        self.number.options = [page.number for page in pages]
        self.number.layout.display = None if len(pages) > 1 else "none"
        lines = sum(len(page.lines) for page in pages)
        self._set_status(
            f"{document.source}: {lines} lines in {sum(seconds.values()):.2f} s (detection "
            f"{seconds['detect']:.2f} s, recognition {seconds['recognize']:.2f} s)"
        )
        self.links.value = "Download " + " ".join(
            _link(file.name, file.name.removeprefix(f"{path.stem}."), data)
            for kind in FORMATS.values()
            for file, data in kind.files(
                replace(document, source=str(path)) if kind.needs_the_image else document,
                path.stem,
            )
        )

    def _set_status(self, text: str, role: str = "status") -> None:
        self.status.value = f'<div role="{role}" class="ocrkit-{role}">{escape(text)}</div>'

    def _show_error(self, error: Exception) -> None:
        text = str(error) if isinstance(error, OcrkitError) else f"{type(error).__name__}: {error}"
        # The temporary folder of an upload means nothing to the user.
        place = re.escape(f"{self._uploads.name}/") + "[^/]+/"
        self._set_status(re.sub(place, "", text), "alert")


def _dropdown(label: str, options: Any) -> ipywidgets.Dropdown:
    dropdown = ipywidgets.Dropdown(description=label, options=options, layout={"width": "auto"})
    dropdown.add_class("ocrkit-field")
    return dropdown


def _link(name: str, label: str, data: bytes) -> str:
    """A link that downloads the data under a name."""
    if len(data) > MAX_DOWNLOAD:
        return f"({escape(name)} is too large; call `ocrkit.save`)"
    uri = _data_uri("application/octet-stream", data)
    return f'<a download="{escape(name)}" href="{uri}">{escape(label)}</a>'


def styles() -> ipywidgets.HTML:
    """An invisible widget that brings the styles of the others."""
    css = Path(__file__).with_name("widgets.css").read_text(encoding="utf-8")
    return ipywidgets.HTML(f"<style>{css}</style>", layout={"display": "none"})


def script(name: str) -> ipywidgets.HTML:
    """An invisible widget that runs a script of this folder; HTML widgets run no <script>."""
    code = Path(__file__).with_name(name).read_text(encoding="utf-8")
    picture = f'<img alt="" src="{_PIXEL}" onload="{escape(code)}">'
    return ipywidgets.HTML(picture, layout={"display": "none"})


def image_tag(picture: Image.Image, text: str, kind: str) -> str:
    """An HTML picture with its data, "JPEG" or "PNG"; `text` says what it shows."""
    picture.save(data := BytesIO(), kind, quality=70)
    uri = _data_uri(f"image/{kind.lower()}", data.getvalue())
    return f'<img alt="{escape(text)}" src="{uri}">'


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
