"""Documents to files, a module for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ocrkit.archive.formats.json import to_json
from ocrkit.archive.formats.text import to_text
from ocrkit.document import Document
from ocrkit.errors import OutputError
from ocrkit.files import write

FORMATS: Mapping[str, Callable[[Document], bytes]] = {"txt": to_text, "json": to_json}


def save(document: Document, path: str | Path) -> Path:
    """Write a document in the format that the suffix of the path names; returns the path.

    Folders are made as needed. Raises OutputError if the suffix names no format of FORMATS, or if
    the file cannot be written; what was there before is then still there.
    """
    path = Path(path)
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise OutputError(f"{path}: no format is called {name!r}; the suffix is one of {known}")
    return write(path, FORMATS[name](document))
