"""JSON: everything that is known about a document."""

from __future__ import annotations

import json

from ocrkit.document import Document


def to_json(document: Document) -> bytes:
    """All that is known, as `Document.to_dict` has it; `Document.from_dict` reads it back."""
    # A reader of one's own may give numpy's numbers, which JSON does not know.
    text = json.dumps(document.to_dict(), ensure_ascii=False, indent=1, default=float) + "\n"
    # A file's name may have bytes that are not UTF-8; what they become, JSON reads back as it was.
    return text.encode("utf-8", "backslashreplace")
