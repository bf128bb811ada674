"""The only place where pixels become arrays: pages from files, crops, and the models' input.

All that trains or runs a model goes through `fit`, so that it is shown what it was trained on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
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

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_PIXELS = 180_000_000

_SIGNATURES: dict[type[ImageFile.ImageFile], tuple[bytes, ...]] = {
    PngImageFile: (b"\x89PNG\r\n\x1a\n",),
    JpegImageFile: (b"\xff\xd8\xff",),
    TiffImageFile: (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    WebPImageFile: (b"RIFF",),
}
_TIFF_SUBFILE_TYPE, _TIFF_REDUCED = 254, 1
_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0

_INK, _PAPER = 0.01, 0.75  # shares of the pixels, and of the lighter pixels, that lie below
_MIN_CONTRAST = 32  # grey levels; paper without text varies by less, and is not to become text
_CONTRAST_RANGE = (-0.25, 1.25)
_FAINT = 0.35  # less ink than this on a pixel is not counted as a letter's
_BODY = 0.3  # rows of letters' bodies have this share of the ink of the densest rows
_TALLEST = 192  # rows of a crop; six times what a strip has leaves all that can be seen in it
_ROWS, _BLOCKS = 48, 24  # a line's ink is looked at in this detail to find its slope and rows
_STEEPEST = 0.5  # largest rise of a line over its width, as a share of the crop's height
_CENTRED = 0.18  # how far from the middle the text of a crop may lie, as a share of its height
_ASCENT, _DESCENT = 0.75, 0.55  # room above and below the bodies, in their height
_CV2_MAX_SIDE = 32_766  # the largest side that cv2.warpPerspective accepts


# --- files -> pages ---------------------------------------------------------------------------


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


# --- pages -> crops -----------------------------------------------------------------------------


def crop_polygon(page: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Cut a line out of a grey page (H, W), straightened to uint8 (h, w).

    The polygon (2k, 2) is x, y in pixels: k points along the top edge in reading direction, then k
    back along the bottom, so that k = 2 is four corners, and more follow a bent line. Pixel (0, 0)
    covers the square from (0, 0) to (1, 1): upright whole-numbered corners give the pixels
    unchanged. The longer edge and the higher end win. What lies outside the page gets the colour of
    its nearest edge.
    """
    points = np.asarray(polygon, np.float64)
    half = len(points) // 2
    edges = np.stack([points[:half], points[half:][::-1]])  # top and bottom, left to right
    length = np.linalg.norm(np.diff(edges, axis=1), axis=2).sum(axis=1).max()
    tallest = np.linalg.norm(edges[1] - edges[0], axis=1).max()
    width, height = (min(max(round(side), 1), _CV2_MAX_SIDE) for side in (length, tallest))

    # The part around the polygon is enough, and keeps a wide page within cv2's limit.
    limit = np.array(page.shape[::-1])
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, limit - 1)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 2, low + 1, limit)
    part = page[low[1] : high[1], low[0] : high[0]]

    # cv2 counts from the centres of pixels, polygons from their corners.
    if half == 2:
        source = (points - low - 0.5).astype(np.float32)
        target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - 0.5
        matrix = cv2.getPerspectiveTransform(source, target)
        return cv2.warpPerspective(part, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    edges = (edges - low - 0.5).astype(np.float32)
    shares = (np.arange(width) + 0.5) / width
    top, bottom = (along(edge, shares).T[:, None] for edge in edges)  # (2, 1, width) each
    down = ((np.arange(height) + 0.5) / height)[:, None]
    x, y = (top * (1 - down) + bottom * down).astype(np.float32)
    return cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    """A grey picture (H, W) made so many times as wide and high."""
    if scale == 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[::-1]]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def along(edge: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points (n, 2) at shares (n,) from 0 to 1 of the length of an edge through points (k, 2)."""
    steps = np.linalg.norm(np.diff(edge, axis=0), axis=1)
    stops = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-6)
    return np.stack([np.interp(shares, stops, edge[:, axis]) for axis in (0, 1)], axis=1)


# --- crops -> the model's input -----------------------------------------------------------------


@dataclass(frozen=True)
class Preprocessing:
    """How a crop becomes the model's input; it travels with the model's weights.

    height: of the strip, in pixels, as are the others.
    bucket: strips are padded to a multiple of this, so that few widths are to be batched.
    normalize: "contrast" maps the crop's paper to 0 and its ink to 1, whichever of them is darker;
        "reference" maps black to -1 and white to 1.
    trim: `tighten` first, so that a loose crop, its neighbours in view, is shown as a tight one.
    min_width, max_width: of the text in the strip; beyond the latter it is squeezed.
    """

    height: int = 32
    bucket: int = 32
    normalize: str = "contrast"
    trim: bool = True
    min_width: int = 8
    max_width: int = 2048

    def __post_init__(self) -> None:
        if self.normalize not in ("contrast", "reference"):
            raise ValueError(f"normalize must be 'contrast' or 'reference', not '{self.normalize}'")
        if min(self.height, self.bucket, self.min_width) < 1 or self.max_width < self.min_width:
            raise ValueError("height, bucket, min_width must be 1 or more, max_width >= min_width")

    @property
    def paper(self) -> float:
        """The value of blank paper in a strip, and of its padding."""
        return 0.0 if self.normalize == "contrast" else 1.0


def tighten(crop: np.ndarray) -> np.ndarray:
    """A grey crop (H, W) of a line, made level and cut to the rows of its text.

    The line is sheared upright by the slope at which its rows part best into inked and blank ones
    (the projection profile of Postl, 1986). Of these rows the densest run near the middle is taken
    for the letters' bodies, and kept with room for ascenders and descenders.

    One of more than 192 rows is made smaller first. One of less than 12, or less than 4 times as
    wide as high, has too few letters to tell, and is returned with all its rows.
    """
    if crop.shape[0] > _TALLEST and crop.size:
        crop = scaled(crop, _TALLEST / crop.shape[0])
    height, width = crop.shape
    if height < 12 or width < 4 * height:
        return crop
    ink = cv2.LUT(crop, (_contrast(crop) * 255).clip(0, 255).astype(np.uint8))
    ink[ink < _FAINT * 255] = 0
    blocks = cv2.resize(ink, (_BLOCKS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    rises, profiles = _profiles(blocks)
    best = int((profiles**2).sum(axis=1).argmax())
    top, bottom = _text_rows(profiles[best])
    rise = rises[best] * height / _ROWS
    if rise:
        matrix = np.array([[1, 0, 0], [rise / width, 1, -rise / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        crop = cv2.warpAffine(crop, matrix, (width, height), flags=flags, borderMode=border)
    return crop[int(top * height / _ROWS) : -int(-bottom * height // _ROWS)]


def _profiles(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ink of each row (S, rows), for a line that falls by each of S rises, in rows.

    The ink (rows, blocks) is averaged along sloping rows; rises near 0 come first.
    """
    rows, columns = blocks.shape
    limit = int(_STEEPEST * rows)
    rises = np.array(sorted(range(-limit, limit + 1), key=abs))
    shift = np.rint(rises[:, None] * (np.arange(columns) + 0.5 - columns / 2) / columns).astype(int)
    source = np.arange(rows)[None, :, None] + shift[:, None, :]
    inside = (source >= 0) & (source < rows)
    ink = blocks[source.clip(0, rows - 1), np.arange(columns)] * inside
    return rises, ink.mean(axis=2)


def _text_rows(density: np.ndarray) -> tuple[int, int]:
    """The first row of the text and the first after it, given the ink of each row (R,)."""
    rows = len(density)
    density = cv2.blur(density[:, None], (1, 3))[:, 0]
    dense = float(np.sort(density)[-rows // 8 :].mean())
    edges = np.diff(density > _BODY * dense, prepend=False, append=False).nonzero()[0]
    if not dense or not len(edges):
        return 0, rows

    def weight(run: tuple[int, int]) -> float:
        off_centre = (sum(run) / 2 / rows - 0.5) / _CENTRED
        return float(density[slice(*run)].sum() * np.exp(-(off_centre**2) / 2))

    start, end = max(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True), key=weight)
    room = end - start
    return max(0, round(start - _ASCENT * room)), min(rows, round(end + _DESCENT * room))


def fitted_width(crop: np.ndarray, prep: Preprocessing) -> tuple[int, int]:
    """Widths of the text and of the whole strip that `fit` makes of a grey crop (H, W)."""
    height, width = (tighten(crop) if prep.trim else crop).shape
    content = round(width * prep.height / height) if height else 0
    content = min(max(content, prep.min_width), prep.max_width)
    return content, -(-content // prep.bucket) * prep.bucket


def fit(crop: np.ndarray, prep: Preprocessing) -> np.ndarray:
    """The model's input of a grey uint8 crop (H, W): float32 (1, prep.height, padded width).

    Rows, height and aspect are fitted, light and dark normalised, blank paper added on the right.
    Any size is answered; a crop without pixels is a blank strip.
    """
    if prep.trim:
        crop, prep = tighten(crop), replace(prep, trim=False)
    content, padded = fitted_width(crop, prep)
    strip = np.full((1, prep.height, padded), prep.paper, np.float32)
    if crop.size:
        method = cv2.INTER_AREA if crop.shape[0] >= prep.height else cv2.INTER_CUBIC
        resized = cv2.resize(crop, (content, prep.height), interpolation=method)
        reference = np.linspace(-1, 1, 256, dtype=np.float32)
        levels = _contrast(resized) if prep.normalize == "contrast" else reference
        strip[0, :, :content] = cv2.LUT(resized, levels)
    return strip


def closer(crop: np.ndarray, cut: float, stretch: float) -> np.ndarray:
    """A grey crop (H, W), drawn `stretch` times as wide, for `fit` to make larger letters of.

    cut: the share of its rows that is left out above, and below.
    """
    height, width = crop.shape
    rows = round(cut * height)
    size = max(1, round(stretch * width)), height - 2 * rows
    return cv2.resize(crop[rows : height - rows], size)


def page_ink(page: np.ndarray) -> np.ndarray:
    """A detector's input of a grey page (H, W): float32, 0 for its paper and 1 for its ink.

    The paper is the page's median. A page of light text on dark is below 0 where it has text.
    """
    counts = np.bincount(page.ravel()[:: max(1, page.size // 1_000_000)], minlength=256)
    paper, ink = _level(counts, 0.5), _level(counts, 2 * _INK)
    levels = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    return cv2.LUT(page, np.clip(levels, -2, 2).astype(np.float32))


def _contrast(strip: np.ndarray) -> np.ndarray:
    """The value of each grey level between the strip's own paper, 0, and ink, 1: float32 (256,)."""
    counts = np.bincount(strip.ravel(), minlength=256)
    dark, middle, light = (_level(counts, share) for share in (_INK, 0.5, 1 - _INK))
    # Most pixels of a line are paper, so the side that the median is on is the paper's.
    light_on_dark = light - middle > middle - dark
    if light_on_dark:
        counts = counts[::-1]
    ink, light = _level(counts, _INK), _level(counts, 1 - _INK)
    divide = (ink + light) // 2
    paper = divide + _level(counts[divide:], _PAPER)
    values = (paper - np.arange(256)) / max(paper - ink, _MIN_CONTRAST)
    values = np.clip(values, *_CONTRAST_RANGE).astype(np.float32)
    return values[::-1] if light_on_dark else values


def _level(counts: np.ndarray, share: float) -> int:
    """The lowest level that at least this share of the pixels does not exceed."""
    below = np.cumsum(counts)
    return int(np.searchsorted(below, share * below[-1]))
