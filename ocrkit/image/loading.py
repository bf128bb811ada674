"""Image files to grey pages (H, W) uint8: finding them, and reading them safely."""

from __future__ import annotations

import os
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

from ocrkit.errors import ImageError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_PIXELS = 180_000_000
_SIGNATURES: dict[type[ImageFile.ImageFile], tuple[bytes, ...]] = {
    PngImageFile: (b"\x89PNG\r\n\x1a\n",),
    JpegImageFile: (b"\xff\xd8\xff",),
    TiffImageFile: (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
}
_TIFF_SUBFILE_TYPE, _TIFF_REDUCED = 254, 1
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0


def load_pages(path: str | Path) -> Iterator[np.ndarray]:
    """Yield the pages of a PNG, JPEG or TIFF file as uint8 grey arrays (H, W), 255 = white.

    A TIFF yields each of its pages (thumbnails and reduced copies left out), the others one. EXIF
    rotation is applied, transparency is laid over white, deeper pixels are brought to 8 bits.

    Raises ImageError, its text a line that starts with the path: no such file, empty, no image,
    cut short or damaged, less than 2 pixels wide or high, or over MAX_PIXELS. The size is read
    from the header, before anything is decoded. Pages before a damaged one are yielded.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; only opening may fail with OSError
    except OSError as error:
        raise ImageError(f"{path}: {_reason(error)}") from error
    with file:
        try:
            yield from _pages(file)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        except MemoryError as error:
            raise ImageError(f"{path}: there is not enough memory to read it") from error
        except Exception as error:  # Pillow meets damage with many kinds of error
            raise ImageError(f"{path}: damaged or cut short: {_reason(error)}") from error


def _pages(file: IO[bytes]) -> Iterator[np.ndarray]:
    image = _open(file)
    yield _decode(image)
    if isinstance(image, TiffImageFile):
        for _ in islice(ImageSequence.Iterator(image), 1, None):
            if not image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & _TIFF_REDUCED:
                yield _decode(image)


def _open(file: IO[bytes]) -> ImageFile.ImageFile:
    # Image.open has a limit of its own in a global of the whole process; the formats' own classes
    # read the header alone, and leave the question of size to _decode.
    head = file.read(8)
    file.seek(0)
    if not head:
        raise ImageError("the file is empty")
    for reader, signatures in _SIGNATURES.items():
        if head.startswith(signatures):
            try:
                return reader(file)
            except SyntaxError as error:  # Pillow's for a header that it can make no image of
                reason = f"the header is damaged, or the image has no pixels: {_reason(error)}"
                raise ImageError(reason) from error
    raise ImageError("not a PNG, JPEG or TIFF image, whatever its name says")


def _decode(image: ImageFile.ImageFile) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width} x {height} pixels are more than the {MAX_PIXELS // 1_000_000} megapixels "
            "that are read; scale it down or cut it up"
        )
    if min(width, height) < 2:
        raise ImageError(f"{width} x {height} pixels are too few to hold text")
    if isinstance(image, TiffImageFile):
        # Where there is no memory for the pixels yet, Pillow asks its own global limit again.
        image.im = Image.core.new(image.mode, image._tile_size)
    image.load()
    # A rotation that makes no sense is passed over: the pixels are whole, most scans are upright.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return _grey(image)


def _grey(image: ImageFile.ImageFile) -> np.ndarray:
    if image.mode.startswith("I;16"):
        grey = ((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8)
        # Pillow minds this tag in 8 bits but not in 16.
        tags = getattr(image, "tag_v2", {})
        return 255 - grey if tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO else grey
    if image.mode in ("I", "F"):  # 32 bits: what is white is not agreed on, so take the extremes
        deep = np.nan_to_num(np.asarray(image, np.float32))
        deep = (deep - deep.min()) / max(float(np.ptp(deep)), 1e-12)
        return np.rint(deep * 255).astype(np.uint8)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ink, alpha = 255 - np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
        return 255 - cv2.multiply(ink, alpha, scale=1 / 255)
    return np.array(image.getchannel("L") if image.mode == "LAB" else image.convert("L"))


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The files named, and the images in the folders named: each once, a folder's in sorted order.

    A folder is searched to its depth for IMAGE_SUFFIXES, but not what is hidden, nor links to
    folders, as they may lead in a circle. A folder further down that cannot be searched is itself
    in the list, so that reading it reports it and the rest is still read.

    Raises ImageError for a path that does not exist or a named folder that cannot be read.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not os.path.exists(path):  # unlike Path's, these answer where looking is not allowed
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
