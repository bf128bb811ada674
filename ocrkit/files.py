"""Output files: where results go, and writing a file so that it is never half written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import get_ident

from ocrkit.errors import OutputError


def write(path: Path, data: bytes) -> Path:
    """Write a file atomically: under a temporary name first, then renamed.

    Missing folders are created. Raises OutputError if the file cannot be written.
    """
    # A name of its own for each process and thread: two may write the same file at once.
    part = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.part")
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
    """For each source the output path without its suffix; no two are the same.

    `roots` are the files and folders the user named. Folders below their common parent are kept:
    results of a/x.png and b/x.png are a/x and b/x; results of one folder `scans` have its tree.
    Sources that differ only in their suffix keep it: x.png and x.tif.
    """
    full = _below_common_folder(sources, roots)
    count = Counter(path.with_suffix("") for path in full)
    stems = [p if count[p.with_suffix("")] > 1 else p.with_suffix("") for p in full]
    if len(set(stems)) < len(set(full)):  # for example x.png.tif beside x.png and x.tif
        stems = full
    return [folder / stem for stem in stems]


def _below_common_folder(sources: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    absolute = [Path(os.path.abspath(source)) for source in sources]
    folders = [os.path.abspath(root if root.is_dir() else root.parent) for root in roots]
    try:
        common = os.path.commonpath(folders)
    except ValueError:  # on Windows: several drives have no common folder
        return [
            Path(path.drive.strip(":\\/").replace("\\", "-"), *path.parts[1:]) for path in absolute
        ]
    return [Path(os.path.relpath(path, common)) for path in absolute]


def prepared_path(path: str | Path, suffix: str) -> Path:
    """The path, with its folder created; raises ValueError if it has another suffix."""
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path} must end in {suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
