"""Output files: where results go, and writing a file so that it is never half written."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
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


def output_stems(
    sources: Sequence[Path],
    roots: Sequence[Path],
    folder: Path,
    is_free: Callable[[Path], bool] = lambda stem: True,
) -> list[Path]:
    """For each source the output path without its suffix; no two are the same.

    `roots` are the files and folders the user named. Folders below their common parent are kept:
    results of a/x.png and b/x.png are a/x and b/x; results of one folder `scans` have its tree.
    Sources that differ only in their suffix keep it: x.png and x.tif. is_free: says whether a path
    may be taken, or belongs to another file. Capital and small letters count as equal, because some
    file systems do not tell them apart.
    """
    full = _below_common_folder(sources, roots)
    short = [_without_suffix(path) for path in full]
    count = Counter(str(path).casefold() for path in short)
    taken: set[str] = set()
    stems = []
    for path, shorter in zip(full, short, strict=True):
        numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
        unique = [shorter] if count[str(shorter).casefold()] == 1 else []
        for stem in itertools.chain(unique, [path], numbered):
            if str(stem).casefold() not in taken and is_free(folder / stem):
                break
        taken.add(str(stem).casefold())
        stems.append(folder / stem)
    return stems


def _without_suffix(path: Path) -> Path:
    """The path without its suffix, unless only dots are left of its name, as of "..png"."""
    stem = path.name.removesuffix(path.suffix)
    return path.with_name(stem) if stem.strip(".") else path


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
