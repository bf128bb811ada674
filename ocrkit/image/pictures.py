"""Picture files, all but PDF, by Pillow: their pages, size-checked and upright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import BinaryIO

from PIL import Image, ImageFile, ImageOps, ImageSequence
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ocrkit.errors import ImageError
from ocrkit.image.kinds import KINDS, picture_reader
from ocrkit.image.scan import check_size, known_dpi, reason

_TIFF_SUBFILE_TYPE, _TIFF_REDUCED = 254, 1
_ORIENTATION, _X_RESOLUTION = 0x0112, 0x011A


def pictures(file: BinaryIO, head: bytes, first: int = 1) -> Iterator[ImageFile.ImageFile]:
    """The pages of an open picture file, which begins with `head`, each loaded and upright.

    first: the number of the first page; those before it are not decoded.

    A TIFF file has one or more pages; its thumbnails are skipped. Of an animation the first picture
    is taken. Sizes are checked in the header, before pixels are decoded. A picture is changed when
    the next is taken. Raises ImageError, and many other errors if the file is damaged.
    """
    for image in islice(frames(file, head), first - 1, None):
        upright = resolution(image)  # before Pillow turns a TIFF, which it does when it is loaded
        load(image)
        # An invalid EXIF rotation is ignored: the pixels are intact, and most scans are upright.
        with suppress(Exception):
            ImageOps.exif_transpose(image, in_place=True)
        image.info["dpi"] = upright
        yield image


def frames(file: BinaryIO, head: bytes) -> Iterator[ImageFile.ImageFile]:
    """The pages of an open picture file as they are stored, before their pixels are decoded."""
    image = _open(file, head)
    yield image
    if isinstance(image, TiffImageFile):
        for _ in islice(ImageSequence.Iterator(image), 1, None):
            if not image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & _TIFF_REDUCED:
                yield image


def load(image: ImageFile.ImageFile) -> None:
    """Check the size of an image, and decode its pixels."""
    check_size(*image.size)
    if isinstance(image, TiffImageFile):
        # Memory is allocated here because Pillow would check its own global limit before doing so.
        image.im = Image.core.new(image.mode, image._tile_size)
    image.load()


def orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where it is missing or makes no sense."""
    with suppress(Exception):
        value = image.getexif().get(_ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    return 1


def resolution(image: ImageFile.ImageFile) -> tuple[float, float] | None:
    """Pixels per inch across and down the upright page, if the file says it."""
    stated = image.info.get("dpi")
    if not isinstance(stated, tuple) or len(stated) != 2:
        return None
    if isinstance(image, JpegImageFile) and not _says_its_resolution(image):
        return None
    across, down = (known_dpi(value) for value in stated)
    if orientation(image) >= 5:  # turned by 90 degrees
        across, down = down, across
    across, down = across or down, down or across
    return (across, down) if across and down else None


def _says_its_resolution(image: JpegImageFile) -> bool:
    """Whether a JPEG has a resolution; where it has none, Pillow may state 72 dpi."""
    return image.info.get("jfif_unit") in (1, 2) or _X_RESOLUTION in image.getexif()


def _open(file: BinaryIO, head: bytes) -> ImageFile.ImageFile:
    # Image.open has its own limit on the size, which is global to the process. The classes of the
    # formats read only the header, so that `load` can check the size.
    reader = picture_reader(head)
    if reader is None:
        raise ImageError(f"the content is not a {KINDS} file; convert it to one of these")
    try:
        return reader(file)
    except SyntaxError as error:  # raised by Pillow for an invalid header
        raise ImageError(
            f"the header is damaged, or the image has no pixels: {reason(error)}"
        ) from error
    except Image.DecompressionBombError as error:  # Pillow's limit, checked for some formats only
        raise ImageError(f"the image has too many pixels: {reason(error)}") from error
