"""Files damaged at random, to see that nothing but the kit's own errors comes out.

By hand, many more than the tests do:
``python tests/archive/mutations.py 10000``
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pikepdf
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from ocrkit.archive.formats import FORMATS, load_document
from ocrkit.document import Box, Document, Line, Page, Word
from ocrkit.errors import OcrkitError
from ocrkit.image import count_pages, load_scans

NUMBERS = (b"-1", b"0", b"1e308", b"nan", b"inf", b"99999999999", b"-0.0", b"1e-320", b"", b"x")
BYTES = (b"<", b">", b'"', b"&", b"\x00", b"\xff", b"]]>", b"<!--", b"&lt;", b"&x;", b"{", b"}")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The data with one to six random changes: bytes, numbers, and parts moved or cut out.

    Every second time only what is between quotation marks, and numbers, so that XML remains XML.
    """
    changes = rng.choice((CHANGES, GENTLE))
    for _ in range(rng.randint(1, 6)):
        data = rng.choice(changes)(data, rng)
    return data


def _byte(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _inserted(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(BYTES) + data[at:]


def _number(data: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return data
    start, end = rng.choice(found).span()
    return data[:start] + rng.choice(NUMBERS) + data[end:]


def _cut_out(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data) + 1), rng.choice((1, 4, 30, 300))
    return data[:at] + data[at + size :]


def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data


def _copied(data: bytes, rng: random.Random) -> bytes:
    start, at = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    part = data[start : start + rng.choice((5, 50, 500))]
    return data[:at] + part + data[at:]


def _name(data: bytes, rng: random.Random) -> bytes:
    """A name of an element, an attribute or an object put in the place of another."""
    names = list(re.finditer(rb"[A-Za-z_]{3,}", data))
    if not names:
        return data
    start, end = rng.choice(names).span()
    return data[:start] + rng.choice(names)[0] + data[end:]


def _value(data: bytes, rng: random.Random) -> bytes:
    """Something in quotation marks put in the place of another, or cut short, or made longer."""
    values = list(re.finditer(rb'"([^"<>&]*)"', data))
    if not values:
        return data
    start, end = rng.choice(values).span(1)
    other = rng.choice(values)[1]
    part = other[: rng.randrange(len(other) + 1)]
    return data[:start] + rng.choice((other, part, part + b" " + other, b"")) + data[end:]


GENTLE = (_number, _value)
CHANGES = (_byte, _inserted, _number, _number, _cut_out, _cut_off, _copied, _name)


def document(source: str) -> Document:
    """Two short lines, one of them curved."""
    curved = ((10.0, 60.0), (60.0, 55.0), (110.0, 60.0), (110.0, 80.0), (60.0, 75.0), (10.0, 80.0))
    straight = ((10.0, 10.0), (110.0, 12.0), (110.0, 32.0), (10.0, 30.0))
    words = (Word("Anno", 0.9, Box(10, 10, 50, 31)), Word("1726", 0.5, Box(60, 11, 110, 32)))
    lines = (Line(straight, "Anno 1726", 0.8, words), Line(curved, "ſo far", 0.7))
    return Document(source, (Page(200, 100, lines, 1, {}, 150.0),), "ocrkit 0.2.0")


def picture() -> Image.Image:
    image = Image.new("L", (200, 100), 255)
    ImageDraw.Draw(image).text((10, 10), "Anno 1726", 0, ImageFont.load_default(24))
    return image


def pdf() -> bytes:
    """A scan with a text layer, and a page of text."""
    with tempfile.TemporaryDirectory() as folder:
        picture().save(path := Path(folder, "a.jpg"), dpi=(150, 150))
        scan = FORMATS["pdf"].writer(document(str(path)))
    made = FPDF(format=(60, 30))
    made.add_page()
    made.set_font("Helvetica", size=12)
    made.cell(text="Born digital")
    whole, other = pikepdf.open(BytesIO(scan)), pikepdf.open(BytesIO(bytes(made.output())))
    whole.pages.extend(other.pages)
    # Without compressed streams, so that changes reach what is in them.
    whole.save(data := BytesIO(), compress_streams=False, deterministic_id=True)
    return data.getvalue()


def read_back(path: Path) -> None:
    """Load a document, and write it in every format that needs no image."""
    read = load_document(path)
    for kind in FORMATS.values():
        if not kind.needs_the_image:
            assert all(data for _, data in kind.files(read, path.with_name("again")))


def read_image(path: Path) -> None:
    """Load the pages, with their own text and without, and write them as PDF."""
    count_pages(path)
    pages = []
    for scan in load_scans(path, "keep"):
        height, width = scan.pixels.shape
        pages.append(Page(width, height, scan.lines or (), scan.number))
    if pages and pages[0].width * pages[0].height < 10**7:
        line = replace(document("").pages[0].lines[0], text="another text")
        pages[0] = replace(pages[0], lines=(line,))
    FORMATS["pdf"].writer(Document(str(path), tuple(pages)))


def seeds() -> dict[str, tuple[bytes, Callable[[Path], None]]]:
    """For each kind of file, one that is good, and what is done with it."""
    found: dict[str, tuple[bytes, Callable[[Path], None]]] = {"pdf": (pdf(), read_image)}
    for kind in ("json", "hocr", "alto", "page"):
        found[kind] = FORMATS[kind].writer(document("a.jpg")), read_back
    for suffix in ("png", "jpg", "tif", "jp2", "webp", "avif", "bmp", "gif", "pgm"):
        picture().save(data := BytesIO(), Image.registered_extensions()[f".{suffix}"])
        found[suffix] = data.getvalue(), read_image
    return found


def outcomes(kind: str, count: int, folder: Path, first: int = 0) -> Counter[str]:
    """How many of `count` damaged files were read, and how many refused; others are raised."""
    data, use = seeds()[kind]
    path = folder / f"damaged.{kind}"
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        path.write_bytes(damaged(data, random.Random(seed)))
        try:
            use(path)
        except OcrkitError as error:
            assert "\n" not in str(error)
            assert str(error).startswith(str(path))
            found["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}: {error!r}") from error
        else:
            found["read"] += 1
    return found


if __name__ == "__main__":
    number = int(sys.argv[1])
    for kind in sys.argv[2:] or seeds():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            result = outcomes(kind, number, Path(folder))
        print(kind, dict(result), f"{time.perf_counter() - start:.0f} s", flush=True)
