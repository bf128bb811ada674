"""Where results go, and how they get there: a file is written whole or not at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ocrkit.errors import OutputError


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


def prepared_path(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path} must end in {suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
