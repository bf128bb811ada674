"""Finding images: in folders by their suffix or their content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrkit.errors import ImageError
from ocrkit.image.kinds import HEAD, IMAGE_SUFFIXES, is_pdf, picture_reader
from ocrkit.image.scan import reason


@dataclass(frozen=True)
class Found:
    """Files that were found: images, and others that are in the folders beside them."""

    images: list[Path]
    others: list[Path]


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The given files, and all images in the given folders, each once; see `search_folders`."""
    return search_folders(paths).images


def search_folders(paths: Iterable[str | Path]) -> Found:
    """The given files, and what is in the given folders (sorted within a folder), each once.

    Folders are searched with their subfolders. Images are the files with IMAGE_SUFFIXES, and files
    of another or no suffix that begin as an image does. Hidden files and folders are skipped, and
    so are links to folders, which could form a cycle. A subfolder that cannot be searched counts as
    an image: reading it then reports the error, and the other files are still read.

    Raises ImageError if a given path does not exist, or a given folder cannot be read.
    """
    images: dict[Path, None] = {}
    others: dict[Path, None] = {}
    for path in map(Path, paths):
        if not _is_folder(path):
            images[path] = None
            continue
        for file in sorted(_files_below(path)):
            (images if _is_image(file) else others)[file] = None
    return Found(list(images), [file for file in others if file not in images])


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(f"{path}: no such file or folder") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: {reason(error)}") from error


def _is_image(path: Path) -> bool:
    if path.name.lower().endswith(IMAGE_SUFFIXES):
        return True
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            return stat.S_ISDIR(mode)
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return is_pdf(head) or picture_reader(head) is not None


def _files_below(folder: Path) -> Iterator[Path]:
    unreadable: list[OSError] = []
    for base, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield Path(base, name)
    for error in unreadable:
        if Path(error.filename) == folder:
            raise ImageError(f"{folder}: the folder cannot be read: {reason(error)}") from error
        yield Path(error.filename)
