"""Searchable PDF: valid, complete, and its text where the words are, in the order of reading."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

from ocrkit import read_document, save
from ocrkit.document import Box, Document, Line, Page, Word
from ocrkit.errors import ImageError
from ocrkit.image import load_scans
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS

from .mutations import outcomes

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def program(*command: str | Path) -> str:
    """What a program prints; skipped where it is not installed, but never in CI."""
    if shutil.which(str(command[0])) is None and not os.environ.get("CI"):
        pytest.skip(f"{command[0]} is not installed (Debian: poppler-utils, qpdf)")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def text_of(pdf: Path, *options: str) -> str:
    return program("pdftotext", *options, pdf, "-")


def words_of(pdf: Path) -> dict[str, tuple[float, ...]]:
    """Each word of a PDF, with its box in points from the top left of the page."""
    number = r'="([-\d.]+)"'
    pattern = f"xMin{number} yMin{number} xMax{number} yMax{number}>([^<]*)</word>"
    found = re.findall(pattern, text_of(pdf, "-bbox"))
    return {text: tuple(map(float, box)) for *box, text in found}


def assert_valid(path: Path) -> None:
    with pikepdf.open(path) as pdf:
        assert pdf.check_pdf_syntax() == []
    program("qpdf", "--check", path)


def upright(text: str, x: float, y: float, width: float, height: float = 30) -> Line:
    """A line of one word."""
    box = Box(x, y, x + width, y + height)
    corners = ((x, y), (box.x1, y), (box.x1, box.y1), (x, box.y1))
    return Line(corners, text, 0.9, (Word(text, 0.9, box),))


def scan(path: Path, size: tuple[int, int] = (600, 400), **options: object) -> Path:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((60, 60), "Anno", 0, ImageFont.load_default(40))
    path.parent.mkdir(exist_ok=True)
    image.save(path, **options)
    return path


def document(path: Path, *lines: Line, size: tuple[int, int] = (600, 400)) -> Document:
    return Document(str(path), (Page(*size, lines),), "ocrkit 0.2.0")


# --- every sample


def words_without_dots(text: str) -> list[str]:
    return sorted(word for word in text.split() if word.strip("."))


@pytest.mark.parametrize("name", sorted(p.name for p in SAMPLES.iterdir() if p.suffix != ".txt"))
def test_every_sample_becomes_a_valid_pdf_with_its_text_in_order(name: str, tmp_path: Path) -> None:
    read = read_document(SAMPLES / name)
    pdf = save(read, tmp_path / "a.pdf")
    assert_valid(pdf)
    assert text_of(pdf, "-raw").split() == read.text.split()
    # Without -raw, columns come in the order that pdftotext finds for itself, and the dots of a
    # wide leader are words of their own.
    assert words_without_dots(text_of(pdf)) == words_without_dots(read.text)


# --- words in their places


def test_a_word_is_where_it_was_read(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.png", dpi=(144, 144))
    pdf = save(document(path, upright("Anno", 60, 50, 100)), tmp_path / "a.pdf")
    # 144 pixels and 72 points to the inch: half of each.
    assert words_of(pdf)["Anno"] == pytest.approx((30, 25, 80, 40), abs=1.5)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("start", [(0, 0), (50, 20)])
def test_words_are_in_their_places_on_turned_and_cropped_pages(turn, start, tmp_path) -> None:
    left, bottom = start
    source = pikepdf.new()
    source.add_blank_page(page_size=(400, 300))
    source.pages[0].Rotate = turn
    source.pages[0].CropBox = pikepdf.Array([left, bottom, left + 300, bottom + 200])
    source.save(path := tmp_path / "a.pdf")
    size = (600, 400) if turn % 180 == 0 else (400, 600)  # 144 dpi
    lines = upright("First", 60, 50, 100), upright("second", 60, 250, 120)
    pdf = save(document(path, *lines, size=size), tmp_path / "b.pdf")
    assert_valid(pdf)
    (kept,) = load_scans(pdf, "keep")
    assert kept.lines is not None
    scale = kept.pixels.shape[1] / size[0]
    for line, wanted in zip(kept.lines, lines, strict=True):
        assert line.text == wanted.text
        got, box = line.box, wanted.box
        sides = (got.x0, got.y0, got.x1, got.y1)
        assert sides == pytest.approx(
            [scale * v for v in (box.x0, box.y0, box.x1, box.y1)], abs=3 * scale
        )
        # It begins at the top left of the text.
        assert line.polygon[0] == pytest.approx((scale * box.x0, scale * box.y0), abs=3 * scale)


@pytest.mark.parametrize("degrees", [-3, -1, 1, 3])
def test_the_words_of_a_tilted_line_are_whole_and_on_it(degrees: int, tmp_path: Path) -> None:
    slope = np.tan(np.radians(degrees))
    lines = []
    for row in range(6):
        y = 100 + 40 * row
        corners = ((20, y), (580, y + 560 * slope), (580, y + 30 + 560 * slope), (20, y + 30))
        words = tuple(
            Word(
                f"word{row}{i}",
                0.9,
                Box(x, y + (x - 20) * slope, x + 90, y + 30 + (x + 70) * slope)
                if slope > 0
                else Box(x, y + (x + 70) * slope, x + 90, y + 30 + (x - 20) * slope),
            )
            for i, x in enumerate(range(20, 480, 110))
        )
        lines.append(Line(corners, " ".join(word.text for word in words), 0.9, words))
    path = scan(tmp_path / "a.png", dpi=(72, 72))
    pdf = save(document(path, *lines), tmp_path / "a.pdf")
    assert text_of(pdf).split() == [word.text for line in lines for word in line.words]
    places = words_of(pdf)
    for line in lines:
        for word in line.words:
            box = places[word.text]
            centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            middle = (word.box.x0 + word.box.x1) / 2, (word.box.y0 + word.box.y1) / 2
            assert centre == pytest.approx(middle, abs=17)  # half the height of the line


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_text_that_runs_down_up_or_upside_down_is_whole(turns: int, tmp_path: Path) -> None:
    path = scan(tmp_path / "a.png", (400, 400))
    corners = [(190.0, 40.0), (220.0, 40.0), (220.0, 340.0), (190.0, 340.0)]
    if turns == 2:
        corners = [(40.0, 190.0), (340.0, 190.0), (340.0, 220.0), (40.0, 220.0)]
    start = {1: 1, 2: 2, 3: 3}[turns]  # the corner where the text begins
    line = Line(tuple(corners[start:] + corners[:start]), "three small words", 0.9)
    pdf = save(document(path, line, size=(400, 400)), tmp_path / "a.pdf")
    assert text_of(pdf).split() == ["three", "small", "words"]


def test_words_that_touch_stay_apart(tmp_path: Path) -> None:
    words = tuple(Word(t, 1, Box(x, 50, x + 60, 80)) for t, x in (("St.", 60), ("Oswald", 120)))
    line = Line(((60, 50), (180, 50), (180, 80), (60, 80)), "St. Oswald", 1, words)
    pdf = save(document(scan(tmp_path / "a.png"), line), tmp_path / "a.pdf")
    assert text_of(pdf).split() == ["St.", "Oswald"]


def test_every_character_of_the_alphabet_and_beyond_comes_out(tmp_path: Path) -> None:
    characters = [c for c in DEFAULT_CHARACTERS if not c.isspace()] + [*"ꝛͤЖдש中😀𝔄"]
    rows = [characters[i : i + 24] for i in range(0, len(characters), 24)]
    lines = [upright("".join(row), 20, 20 + 28 * i, 560, 24) for i, row in enumerate(rows)]
    size = 600, 40 + 28 * len(rows)
    path = scan(tmp_path / "a.png", size)
    pdf = save(document(path, *lines, size=size), tmp_path / "a.pdf")
    assert_valid(pdf)
    out = "".join(text_of(pdf, "-raw").split())
    assert [c for c in characters if c not in out] == []
    (kept,) = load_scans(pdf, "keep")
    assert kept.lines is not None
    assert "".join(line.text for line in kept.lines) == "".join(characters)


# --- the scan


def test_a_jpeg_is_in_the_pdf_as_it_was(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.jpg", dpi=(200, 200))
    with pikepdf.open(save(document(path, upright("A", 9, 9, 9)), tmp_path / "a.pdf")) as pdf:
        (image,) = pdf.pages[0].get_images().values()
        assert image.read_raw_bytes() == path.read_bytes()
        assert list(map(float, pdf.pages[0].mediabox)) == [0, 0, 216, 144]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", ["tif", "png", "webp", "bmp"])
def test_other_images_lose_nothing_that_is_read(mode: str, suffix: str, tmp_path: Path) -> None:
    grey = np.add.outer(np.arange(40) * 2, np.arange(60) * 2).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    try:
        image.save(
            path := tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {})
        )
    except (OSError, ValueError):
        pytest.skip(f"Pillow writes no {suffix} of mode {mode}")
    (before,) = load_scans(path)
    pdf = save(document(path, size=(60, 40)), tmp_path / "a.pdf")
    assert_valid(pdf)
    (after,) = load_scans(pdf)
    assert after.pixels.shape == (40, 60)
    assert np.abs(after.pixels.astype(int) - before.pixels).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_upright_in_the_pdf(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = scan(tmp_path / "a.jpg", exif=exif, quality=95)  # without a resolution
    (before,) = load_scans(path)
    height, width = before.pixels.shape
    made = document(path, upright("Anno", 60, 50, 100), size=(width, height))
    pdf = save(made, tmp_path / "a.pdf")
    (after,) = load_scans(pdf, "redo")
    assert after.pixels.shape == before.pixels.shape
    assert np.abs(after.pixels.astype(int) - before.pixels).mean() < 3
    assert words_of(pdf)["Anno"] == pytest.approx((14.4, 12, 38.4, 19.2), abs=1)  # at 300 dpi


def test_a_resolution_that_is_not_known_is_assumed_and_this_is_said(tmp_path: Path) -> None:
    pdf = save(document(scan(tmp_path / "a.png")), tmp_path / "a.pdf")
    with pikepdf.open(pdf) as made:
        assert list(map(float, made.pages[0].mediabox)) == [0, 0, 144, 96]
        assert "300 dpi are assumed" in str(made.docinfo["/Subject"])
    path = scan(tmp_path / "b.png", dpi=(204, 98))
    with pikepdf.open(save(document(path), tmp_path / "b.pdf")) as made:
        sides = [float(side) for side in made.pages[0].mediabox]
        assert sides == pytest.approx([0, 0, 600 * 72 / 204, 400 * 72 / 98], abs=0.05)
        assert "/Subject" not in made.docinfo


def test_each_page_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    sheets = [Image.new("L", (60 + i, 40), 200) for i in range(3)]
    sheets[0].save(path := tmp_path / "a.tif", save_all=True, append_images=sheets[1:])
    pages = tuple(Page(60 + i, 40, (upright(f"page{i}", 5, 5, 30, 20),), i + 1) for i in range(3))
    pdf = save(Document(str(path), pages), tmp_path / "a.pdf")
    assert_valid(pdf)
    assert [page.split() for page in text_of(pdf).split("\f")[:3]] == [
        ["page0"],
        ["page1"],
        ["page2"],
    ]


def test_pages_before_a_damaged_one_are_in_the_pdf(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    first, second = Image.fromarray(noise), Image.fromarray(noise[::-1].copy())
    first.save(path := tmp_path / "a.tif", save_all=True, append_images=[second])
    path.write_bytes(path.read_bytes()[:-50])
    pdf = save(document(path, upright("whole", 5, 5, 40, 20), size=(60, 40)), tmp_path / "a.pdf")
    assert text_of(pdf).split() == ["whole"]


def test_the_same_document_gives_the_same_bytes(tmp_path: Path) -> None:
    made = document(scan(tmp_path / "a.png"), upright("Anno", 60, 50, 100))
    first, second = (save(made, tmp_path / name).read_bytes() for name in ("b.pdf", "c.pdf"))
    assert first == second


def test_a_scan_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: No such file"):
        save(document(tmp_path / "gone.png"), tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


# --- PDF in, PDF out


def printed(path: Path, *texts: str) -> Path:
    """A PDF with bookmarks, metadata and an attachment; each page has a text, or none."""
    made = FPDF()
    made.set_title("A ledger")
    made.embed_file(bytes=b"note", basename="note.txt")
    for text in texts:
        made.add_page()
        made.set_font("Helvetica", size=12)
        made.start_section(f"Section {text}")
        if text:
            made.cell(text=text)
    made.output(path)
    return path


def test_all_else_in_a_pdf_is_kept(tmp_path: Path) -> None:
    path = printed(tmp_path / "a.pdf", "", "")
    pages = tuple(Page(1000, 1400, (upright(f"page{i}", 50, 50, 300),), i) for i in (1, 2))
    pdf = save(Document(str(path), pages), tmp_path / "b.pdf")
    assert_valid(pdf)
    with pikepdf.open(pdf) as made, pikepdf.open(path) as before:
        assert str(made.docinfo["/Title"]) == "A ledger"
        assert list(made.attachments) == ["note.txt"]
        with made.open_outline() as outline:
            assert len(outline.root) == 2
        for new, old in zip(made.pages, before.pages, strict=True):
            assert old.Contents.read_bytes() in b"".join(part.read_bytes() for part in new.Contents)
    assert [page.split() for page in text_of(pdf).split("\f")[:2]] == [["page1"], ["page2"]]


def test_a_page_that_keeps_its_own_text_gets_no_layer(tmp_path: Path) -> None:
    path = printed(tmp_path / "a.pdf", "Born digital", "")
    kept = read_document(path)
    first, second = kept.pages
    assert (first.text, second.text) == ("Born digital", "")
    read = replace(second, lines=(upright("scanned", 50, 50, 300),))
    pdf = save(replace(kept, pages=(first, read)), tmp_path / "b.pdf")
    assert text_of(pdf).split() == ["Born", "digital", "scanned"]


def test_a_layer_of_an_earlier_reading_is_replaced(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.jpg")
    first = save(document(path, upright("Arno", 60, 50, 100)), tmp_path / "first.pdf")
    (kept,) = load_scans(first, "keep")
    assert [line.text for line in kept.lines or ()] == ["Arno"]
    again = document(first, upright("Anno", 60, 50, 100))
    second = save(again, tmp_path / "second.pdf")
    assert text_of(second).split() == ["Anno"]
    assert_valid(second)
    third = save(replace(again, source=str(second)), tmp_path / "third.pdf")
    assert text_of(third).split() == ["Anno"]


def test_a_layer_within_a_form_is_replaced_too(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.jpg")
    plain = save(document(path), tmp_path / "plain.pdf")
    layer = FPDF(unit="pt")
    layer.add_page(format=(144, 96))
    layer.set_font("Helvetica", size=12)
    with layer.local_context(text_mode="INVISIBLE"):
        layer.text(20, 30, "Arno")
    with pikepdf.open(plain) as pdf, pikepdf.open(BytesIO(bytes(layer.output()))) as other:
        pdf.pages[0].add_overlay(other.pages[0])
        pdf.save(old := tmp_path / "old.pdf")
    assert text_of(old).split() == ["Arno"]
    new = save(document(old, upright("Anno", 60, 50, 100)), tmp_path / "new.pdf")
    assert text_of(new).split() == ["Anno"]
    assert_valid(new)


def test_a_page_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = printed(tmp_path / "a.pdf", "")
    with pytest.raises(ImageError, match=r"a\.pdf: there is no page 2; the file has 1"):
        save(Document(str(path), (Page(9, 9, (), 2),)), tmp_path / "b.pdf")


# --- damage


@pytest.mark.filterwarnings("ignore")  # Pillow's, on tags that make no sense
@pytest.mark.parametrize("kind", ["pdf", "png", "jpg", "tif", "jp2", "webp", "avif", "bmp", "gif"])
def test_damaged_scans_are_read_or_refused_by_the_kits_own_error(kind: str, tmp_path: Path) -> None:
    assert outcomes(kind, 30, tmp_path).total() == 30
