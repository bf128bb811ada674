"""Read historical documents on an ordinary CPU: train, compress and run a CRNN text recogniser.

The public names below are loaded when first used, so that ``import ocrkit`` itself takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Not lazy: the function has the name of its module, which an import would put in its place.
from ocrkit.doctor import doctor as doctor

__version__ = "0.1.0"

_HOME = {
    "Alphabet": "alphabet",
    "Box": "document",
    "CRNN": "model",
    "Document": "document",
    "Line": "document",
    "OcrkitError": "errors",
    "Page": "document",
    "Recognizer": "recognize",
    "Word": "document",
    "load_detector": "detect",
    "load_pages": "image",
    "read_document": "pipeline",
    "read_documents": "pipeline",
    "read_page": "pipeline",
}
__all__ = ["__version__", "doctor", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ocrkit' has no attribute {name!r}")
    value = getattr(import_module(f"ocrkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
