"""Documents to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ocrkit.document import Document
from ocrkit.errors import OutputError
from ocrkit.files import write


def to_text(document: Document) -> bytes:
    """UTF-8 text, a line a line, pages parted by form feeds."""
    return f"{document.text}\n".encode()


def to_json(document: Document) -> bytes:
    """All that is known, as `Document.to_dict` has it; `Document.from_dict` reads it back."""
    # A reader of one's own may give numpy's numbers, which JSON does not know.
    text = json.dumps(document.to_dict(), ensure_ascii=False, indent=1, default=float) + "\n"
    # A file's name may have bytes that are not UTF-8; what they become, JSON reads back as it was.
    return text.encode("utf-8", "backslashreplace")


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
