"""A plugin that lets OCRmyPDF read with ocrkit.

``ocrmypdf --plugin ocrkit.archive.ocrmypdf scan.pdf searchable.pdf``

OCRmyPDF looks for the program tesseract even so. Options of tesseract have no effect, and any
language is accepted, because one recogniser reads them all. https://ocrmypdf.readthedocs.io
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ocrmypdf import hookimpl
from ocrmypdf.hocrtransform import Baseline, BoundingBox, OcrElement
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence

from ocrkit import __version__
from ocrkit.archive.formats import FORMATS
from ocrkit.archive.formats.placing import baseline, words_of
from ocrkit.document import Box, Document, Line
from ocrkit.pipeline import read_document
from ocrkit.runtime.threads import limit_threads


class Engine(OcrEngine):
    """The interface that OCRmyPDF calls, once for each page, in several processes."""

    @staticmethod
    def version() -> str:
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        return f"ocrkit {__version__}"

    def __str__(self) -> str:
        return f"ocrkit {__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        return set(options.languages)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        return OrientationConfidence(angle=0, confidence=0.0)  # pages of any orientation are read

    @staticmethod
    def supports_generate_ocr() -> bool:
        return True

    @staticmethod
    def generate_ocr(input_file: Path, options: Any, page_number: int = 0) -> tuple[Any, str]:
        """A page image as a tree of elements, and as text."""
        document = _read(input_file)
        (page,) = document.pages
        root = OcrElement("ocr_page", page_number=page_number, dpi=page.dpi)
        root.bbox = _box(Box(0, 0, page.width, page.height))
        root.children = [_line(line) for line in page.lines]
        return root, document.text

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        document = _read(input_file)
        output_hocr.write_bytes(FORMATS["hocr"].writer(document))
        output_text.write_bytes(FORMATS["txt"].writer(document))

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        raise NotImplementedError("ocrkit gives OCRmyPDF text, not PDF: use --pdf-renderer fpdf2")


def _read(path: Path) -> Document:
    limit_threads(1)  # OCRmyPDF runs as many processes as there are cores
    return read_document(path)


def _line(line: Line) -> Any:
    (x0, y0), *_, (x1, y1) = baseline(line)
    element = OcrElement("ocr_line", _box(line.box), confidence=line.confidence)
    if x1 - x0 > abs(y1 - y0):
        slope = (y1 - y0) / (x1 - x0)
        element.baseline = Baseline(slope, y0 + slope * (line.box.x0 - x0) - line.box.y1)
    element.children = [
        OcrElement("ocrx_word", _box(word.box), text=word.text, confidence=word.confidence)
        for word in words_of(line)
    ]
    return element


def _box(box: Box) -> Any:
    return BoundingBox(box.x0, box.y0, box.x1, box.y1)


@hookimpl
def get_ocr_engine(options: Any) -> Engine | None:
    """The engine, unless another is asked for by --ocr-engine."""
    return Engine() if getattr(options, "ocr_engine", "auto") in ("auto", None) else None
