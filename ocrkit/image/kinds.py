"""The kinds of image files, told apart by their first bytes; the suffix does not matter."""

from __future__ import annotations

import re

from PIL import ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

Reader = type[ImageFile.ImageFile]

KINDS = "PDF, PNG, JPEG, TIFF, JPEG 2000, WebP, AVIF, BMP, GIF or PNM"
IMAGE_SUFFIXES = (
    *(".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif"),
    *(".jp2", ".j2k", ".jpx", ".jpf", ".pbm", ".pgm", ".ppm", ".pnm"),
)
HEAD = 1024  # bytes at the start of a file that show its kind; a PDF may begin anywhere in them
_PDF = b"%PDF-"
_SIGNATURES: dict[Reader, re.Pattern[bytes]] = {
    PngImageFile: re.compile(rb"\x89PNG\r\n\x1a\n"),
    JpegImageFile: re.compile(rb"\xff\xd8\xff"),
    TiffImageFile: re.compile(rb"II[*+]\x00|MM\x00[*+]"),
    WebPImageFile: re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    AvifImageFile: re.compile(rb".{4}ftyp(avif|avis|mif1|msf1)", re.DOTALL),
    Jpeg2KImageFile: re.compile(rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n"),
    GifImageFile: re.compile(rb"GIF8[79]a"),
    # "BM" and "P1" may begin a text, so more of the header is looked at: the size of the second
    # header, and the width and height.
    BmpImageFile: re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL),
    PpmImageFile: re.compile(rb"P[1-6fF]\s(\s|#[^\n]*\n)*\d+\s(\s|#[^\n]*\n)*\d+\s"),
}


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins with these HEAD bytes is a PDF."""
    return _PDF in head[:HEAD]


def picture_reader(head: bytes) -> Reader | None:
    """Pillow's class for the kind of picture that begins with these bytes; None if unknown."""
    for reader, signature in _SIGNATURES.items():
        if signature.match(head):
            return reader
    return None
