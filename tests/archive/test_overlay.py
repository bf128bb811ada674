from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from ocrkit.archive.overlay import FONT, HIGH, TEXT, overlay
from ocrkit.document import Box, Line, Page, Word
from ocrkit.errors import OutputError
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS

ROOT = Path(__file__).parents[2]
SCAN = np.full((200, 300), 200, np.uint8)
CORNERS = ((20, 40), (220, 40), (220, 70), (20, 70))


def page(confidence: float = 1.0, text: str = "Œuvre ½") -> Page:
    words = (Word(text, confidence, Box.around(CORNERS)),)
    return Page(300, 200, (Line(CORNERS, text, confidence, words),))


def test_the_overlay_has_the_boxes_on_the_scan_and_the_text_beside_it() -> None:
    picture = overlay(SCAN, page())
    assert picture.size == (600, 200)
    pixels = np.asarray(picture)
    assert tuple(pixels[40, 100]) == HIGH
    assert (pixels[100:, :300] == 200).all()
    inked = (pixels[45:65, 322:500] == TEXT).all(axis=2)
    assert inked.any()
    assert not (pixels[100:, 300:] == TEXT).all(axis=2).any()


def test_low_confidence_is_red_and_high_confidence_green() -> None:
    red, green, _ = np.asarray(overlay(SCAN, page(0.0)))[40, 100].astype(int)
    assert red > green
    red, green, _ = np.asarray(overlay(SCAN, page(1.0)))[40, 100].astype(int)
    assert green > red


def test_long_text_fits_into_its_line() -> None:
    pixels = np.asarray(overlay(SCAN, page(text="a very long line of text " * 2)))
    columns = np.flatnonzero((pixels[:, 300:] == TEXT).all(axis=2).any(axis=0))
    assert columns.max() < 290


def test_large_pages_and_their_boxes_are_made_smaller() -> None:
    picture = overlay(np.kron(SCAN, np.ones((10, 10), np.uint8)), page(), longest=300)
    assert picture.size == (600, 200)


@pytest.mark.parametrize("name", ["o.jpg", "o.png"])
def test_the_overlay_is_written_to_a_path(name: str, tmp_path: Path) -> None:
    overlay(SCAN, page(), tmp_path / "new" / name)
    assert Image.open(tmp_path / "new" / name).size == (600, 200)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        overlay(SCAN, page(), tmp_path / "file" / name)


def test_an_unknown_suffix_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"o\.abc: .*\.png"):
        overlay(SCAN, page(), tmp_path / "o.abc")


def test_a_page_without_lines_and_a_tiny_one_can_be_shown() -> None:
    assert overlay(SCAN, Page(300, 200, ())).size == (600, 200)
    assert overlay(np.zeros((2, 3), np.uint8), Page(3, 2, ())).size == (6, 2)


def test_the_font_draws_every_character_that_the_kit_reads() -> None:
    latin = map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180)])
    signs = "\u0364ʒꝛ℔₰±×÷′″‰‹›⅓⅔⅛⅜⅝⅞≈≤≥√→Ẽẽ⁰⁴⁵⁶⁷⁸⁹"
    drawn = TTFont(FONT).getBestCmap()
    assert {c for c in {*latin, *signs, *DEFAULT_CHARACTERS} if ord(c) not in drawn} == set()


def test_the_overlay_needs_neither_the_training_packages_nor_the_generator() -> None:
    code = (
        "import sys, numpy; from ocrkit.archive.overlay import overlay\n"
        "from ocrkit.document import Box, Line, Page, Word\n"
        "corners = ((2, 2), (9, 2), (9, 9), (2, 9))\n"
        "word = Word('½', 1, Box(2, 2, 9, 9))\n"
        "page = Page(20, 20, (Line(corners, '½', 1, (word,)),))\n"
        "overlay(numpy.zeros((20, 20), numpy.uint8), page)\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).split()
    assert not {"torch", "matplotlib", "trdg", "fontTools", "ocrkit.synth"} & set(loaded)
