"""Image files: finding them, and reading them safely as grey pages (H, W) uint8."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, ImageSequence
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ocrkit.errors import ImageError
from ocrkit.image.colour import grey_of

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
MAX_PIXELS = 180_000_000
_SIGNATURES: dict[type[ImageFile.ImageFile], re.Pattern[bytes]] = {
    PngImageFile: re.compile(rb"\x89PNG\r\n\x1a\n"),
    JpegImageFile: re.compile(rb"\xff\xd8\xff"),
    TiffImageFile: re.compile(rb"II[*+]\x00|MM\x00[*+]"),
    WebPImageFile: re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_TIFF_SUBFILE_TYPE, _TIFF_REDUCED = 254, 1
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0


def load_pages(path: str | Path) -> Iterator[np.ndarray]:
    """Yield the pages of a PNG, JPEG, TIFF or WebP file as grey arrays (H, W) uint8; 255 is white.

    A TIFF file has one or more pages; its thumbnails are skipped. Of an animated WebP the first
    picture is read. EXIF rotation is applied, transparent parts become white, and pixels of 16 or
    32 bits are converted to 8.

    Raises ImageError, a message of one line that begins with the path, if the file is missing,
    empty, not an image, or damaged, or if a page is less than 2 pixels wide or high or has more
    than MAX_PIXELS. The size is checked in the header, before pixels are decoded. The pages before
    a damaged page are still yielded.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; other errors are caught there
    except OSError as error:
        raise ImageError(f"{path}: {_reason(error)}") from error
    with file:
        try:
            yield from _pages(file)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        except MemoryError as error:
            raise ImageError(f"{path}: there is not enough memory to read it") from error
        except Exception as error:  # Pillow raises many kinds of error for damaged files
            raise ImageError(f"{path}: damaged or cut short: {_reason(error)}") from error


def _pages(file: IO[bytes]) -> Iterator[np.ndarray]:
    image = _open(file)
    yield _decode(image)
    if isinstance(image, TiffImageFile):
        for _ in islice(ImageSequence.Iterator(image), 1, None):
            if not image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & _TIFF_REDUCED:
                yield _decode(image)


def _open(file: IO[bytes]) -> ImageFile.ImageFile:
    # Image.open has its own limit on the size, which is global to the process. The classes of the
    # formats read only the header, so that _decode can check the size.
    head = file.read(12)
    file.seek(0)
    if not head:
        raise ImageError("the file is empty")
    for reader, signature in _SIGNATURES.items():
        if signature.match(head):
            try:
                return reader(file)
            except SyntaxError as error:  # raised by Pillow for an invalid header
                reason = f"the header is damaged, or the image has no pixels: {_reason(error)}"
                raise ImageError(reason) from error
            except Image.DecompressionBombError as error:  # Pillow's limit, checked for WebP only
                raise ImageError(f"the image has too many pixels: {_reason(error)}") from error
    raise ImageError(
        "the content is not a PNG, JPEG, TIFF or WebP image; convert it to one of these"
    )


def _decode(image: ImageFile.ImageFile) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width} x {height} pixels are more than the limit of {MAX_PIXELS // 1_000_000} "
            "megapixels; make the image smaller, or cut it into parts"
        )
    if min(width, height) < 2:
        raise ImageError(f"{width} x {height} pixels are too few to contain text")
    if isinstance(image, TiffImageFile):
        # Memory is allocated here because Pillow would check its own global limit before doing so.
        image.im = Image.core.new(image.mode, image._tile_size)
    image.load()
    # An invalid EXIF rotation is ignored: the pixels are intact, and most scans are upright.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return _grey(image)


def _grey(image: ImageFile.ImageFile) -> np.ndarray:
    if image.mode.startswith("I;16"):
        grey = ((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8)
        # Pillow inverts such an image if it has 8 bits, but not if it has 16.
        tags = getattr(image, "tag_v2", {})
        return 255 - grey if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO else grey
    if image.mode in ("I", "F"):  # 32 bits have no agreed white, so the extremes are stretched
        deep = np.nan_to_num(np.asarray(image, np.float32))
        deep = (deep - deep.min()) / max(float(np.ptp(deep)), 1e-12)
        return np.rint(deep * 255).astype(np.uint8)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ink, alpha = 255 - np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
        return 255 - cv2.multiply(ink, alpha, scale=1 / 255)
    return np.array(image.getchannel("L")) if image.mode == "LAB" else grey_of(image)


def _reason(error: Exception) -> str:
    """The message of an error of the system or of Pillow, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The given files, and all images in the given folders (sorted within a folder), each once.

    Folders are searched with their subfolders for files with IMAGE_SUFFIXES. Hidden files and
    folders are skipped, and so are links to folders, which could form a cycle. A subfolder that
    cannot be searched is itself in the list: reading it then reports the error, and the other
    files are still read.

    Raises ImageError if a given path does not exist, or a given folder cannot be read.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not os.path.exists(path):  # Path.exists raises PermissionError
            raise ImageError(f"{path}: no such file or folder")
        found |= dict.fromkeys(sorted(_images_below(path)) if os.path.isdir(path) else [path])
    return list(found)


def _images_below(folder: Path) -> Iterator[Path]:
    unreadable: list[OSError] = []
    for base, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                yield Path(base, name)
    for error in unreadable:
        if Path(error.filename) == folder:
            raise ImageError(f"{folder}: the folder cannot be read: {_reason(error)}") from error
        yield Path(error.filename)
