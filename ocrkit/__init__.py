"""Read historical documents on an ordinary CPU: train, compress and run a CRNN text recogniser.

The public names below are loaded when first used, so that ``import ocrkit`` itself takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Alphabet": "recognition.alphabet",
    "Box": "document",
    "CRNN": "recognition.network",
    "Document": "document",
    "Line": "document",
    "OcrkitError": "errors",
    "Page": "document",
    "Recognizer": "recognition.recognizer",
    "TrainConfig": "training.config",
    "Word": "document",
    "doctor": "notebook.doctor",
    "evaluate": "training.evaluation",
    "export_onnx": "compress.onnx",
    "fit": "training.fit",
    "load_detector": "detection",
    "load_pages": "image",
    "read_document": "pipeline",
    "read_documents": "archive.run",
    "read_manifest": "training.manifest",
    "read_page": "pipeline",
    "save": "archive.formats",
    "to_neural_compressor": "compress.neural_compressor",
    "to_openvino": "compress.openvino",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ocrkit' has no attribute {name!r}")
    value = getattr(import_module(f"ocrkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
