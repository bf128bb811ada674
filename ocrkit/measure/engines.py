"""OCR engines as readers of whole pages: ocrkit, and others where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.image import load_pages
from ocrkit.pipeline import read_document
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.packages import needs

Reader = Callable[[Path], str]  # the text of all pages of an image file


def ocrkit_reader(recognizer: str | Path | None = None) -> Reader:
    loaded = Recognizer.load(recognizer)
    return lambda path: read_document(path, recognizer=loaded).text


def tesseract_reader() -> Reader:
    """Tesseract's command, for English and French, or the one of them that is installed.

    Each page starts it anew, as its users do; that is in its time. Raises MissingPartError where
    Tesseract or both languages are absent.
    """
    install = "sudo apt-get install tesseract-ocr tesseract-ocr-fra"
    command = shutil.which("tesseract")
    if not command:
        raise MissingPartError(f"Tesseract is not installed: {install}")
    listed = subprocess.run([command, "--list-langs"], capture_output=True, text=True).stdout
    languages = [name for name in ("eng", "fra") if name in listed.split()]
    if not languages:
        raise MissingPartError(f"Tesseract has neither English nor French: {install}")

    def read(path: Path) -> str:
        call = [command, str(path), "-", "-l", "+".join(languages)]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            raise OcrkitError(f"{path}: Tesseract: {done.stderr.strip()}")
        return done.stdout

    return read


def rapidocr_reader() -> Reader:
    """RapidOCR, whose package brings its weights along; MissingPartError where it is not there."""
    with needs("RapidOCR", "rapidocr_onnxruntime"):
        engine = import_module("rapidocr_onnxruntime").RapidOCR()

    def read(path: Path) -> str:
        pages = (engine(np.stack([page] * 3, axis=2))[0] or [] for page in load_pages(path))
        return "\n".join(text for page in pages for _, text, _ in page)

    return read


def easyocr_reader() -> Reader:
    """EasyOCR in English and French; MissingPartError without its package or its weights."""
    with needs("EasyOCR", "easyocr"):
        import easyocr
    try:
        engine = easyocr.Reader(["en", "fr"], gpu=False, download_enabled=False, verbose=False)
    except FileNotFoundError as error:
        raise MissingPartError(
            "EasyOCR's weights are not on this disk; easyocr.Reader(['en', 'fr']) fetches them"
        ) from error
    return lambda path: "\n".join(
        text for page in load_pages(path) for text in engine.readtext(page, detail=0)
    )


READERS: dict[str, Callable[[], Reader]] = {
    "Tesseract": tesseract_reader,
    "RapidOCR": rapidocr_reader,
    "EasyOCR": easyocr_reader,
}
