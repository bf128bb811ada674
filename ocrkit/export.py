"""Documents to files. Each file is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ocrkit.document import Document
from ocrkit.errors import OutputError


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


def write(path: Path, data: bytes) -> Path:
    """Write a file under another name and rename it; raises OutputError if that cannot be done."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def output_stems(sources: Sequence[Path], roots: Sequence[Path], folder: Path) -> list[Path]:
    """Where each source's results go, but for the suffix: no two to the same place.

    `roots` are the files and folders that were asked for. The folders below what they have in
    common are kept: of a/x.png and b/x.png the results are a/x and b/x, of the folder scans those
    are its own tree. Files that differ in their suffix alone keep it: x.png and x.tif.
    """
    bases = [os.path.abspath(root if root.is_dir() else root.parent) for root in roots]
    base = os.path.commonpath(bases)
    full = [Path(os.path.relpath(os.path.abspath(source), base)) for source in sources]
    count = Counter(path.with_suffix("") for path in full)
    stems = [p if count[p.with_suffix("")] > 1 else p.with_suffix("") for p in full]
    if len(set(stems)) < len(set(full)):  # with x.png.tif beside x.png and x.tif
        stems = full
    return [folder / stem for stem in stems]
