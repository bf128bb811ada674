"""Plain text."""

from __future__ import annotations

from ocrkit.document import Document


def to_text(document: Document) -> bytes:
    """UTF-8: each line of a page is a line of text, and a form feed separates two pages."""
    return f"{document.text}\n".encode()
