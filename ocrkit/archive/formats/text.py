"""Plain text."""

from __future__ import annotations

from ocrkit.document import Document


def to_text(document: Document) -> bytes:
    """UTF-8 text, a line a line, pages parted by form feeds."""
    return f"{document.text}\n".encode()
