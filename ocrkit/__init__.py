"""Read historical documents on an ordinary CPU: train, compress and run a CRNN text recogniser.

The public names below are loaded when first used, so that ``import ocrkit`` itself takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

# Each public name, and the module that has it.
_HOME = {
    # reading
    "read_document": "pipeline",
    "read_documents": "archive.run",
    "read_page": "pipeline",
    "ReadOptions": "pipeline",
    "save": "archive.formats",
    "load_document": "archive.formats",
    "search": "archive.search",
    "Document": "document",
    "Page": "document",
    "Block": "document",
    "Line": "document",
    "Word": "document",
    "Box": "document",
    "LeftOut": "document",
    "load_pages": "image",
    "load_detector": "detection",
    "Recognizer": "recognition.recognizer",
    "OcrkitError": "errors",
    # training
    "CRNN": "recognition.network",
    "ModelConfig": "recognition.network",
    "Alphabet": "recognition.alphabet",
    "read_manifest": "training.manifest",
    "TrainConfig": "training.config",
    "fit": "training.fit",
    "lines_of": "archive.own_lines",
    "Lesson": "teaching",
    "most_useful": "training.choice",
    # compressing
    "export_onnx": "compress.onnx",
    "to_openvino": "compress.openvino",
    "to_neural_compressor": "compress.neural_compressor",
    # measuring
    "evaluate": "training.evaluation",
    "compare": "measure.comparison",
    "artefacts": "measure.artefacts",
    "doctor": "notebook.doctor",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ocrkit' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"ocrkit.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        from ocrkit.errors import MissingPartError, missing_package

        raise MissingPartError(f"ocrkit.{name}: {missing_package(error)}") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
