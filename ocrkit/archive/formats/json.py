"""JSON: everything that is known about a document."""

from __future__ import annotations

import json

from ocrkit.document import Document


def to_json(document: Document) -> bytes:
    """The document as UTF-8 JSON, with all fields; `Document.from_json` reads it back."""
    # Other detectors or recognisers may return numbers of NumPy, which `json` does not accept.
    text = json.dumps(document.to_dict(), ensure_ascii=False, indent=1, default=float) + "\n"
    # A file name may contain bytes that are not UTF-8; as escapes they are read back unchanged.
    return text.encode("utf-8", "backslashreplace")
