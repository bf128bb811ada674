from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from PIL import Image, ImageDraw

from ocrkit.synth.letters import LetterStyle


def drawn(style: LetterStyle, text: str) -> np.ndarray:
    """The ink of a text whose baseline is row 60."""
    canvas = Image.new("L", (700, 100))
    style.write(ImageDraw.Draw(canvas), 20, 60, text, default_rng(0))
    return np.asarray(canvas)


@pytest.fixture
def style(few_fonts) -> LetterStyle:
    serif = next(font for font in few_fonts if font.name == "DejaVuSerif")
    return LetterStyle(serif, em=40, tracking=0.0, gap=0.0, wear=0.0)


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("the 4th of May", "th"),
        ("le 1er mai", "er"),
        ("Mrs Brown", "rs"),
        ("N° 4, No 5", "o"),
        ("XVIe siècle", "e"),
        ("a note 4) and words", ""),
        ("mother", ""),
    ],
)
def test_the_endings_of_ordinals_and_abbreviations_can_be_raised(style, text, raised):
    styles = [LetterStyle.draw(text, style.font, 40, 1.0, default_rng(i)) for i in range(40)]
    found = {"".join(text[i] for i in s.raised) for s in styles}
    assert found == {"", raised}


def test_raised_letters_are_smaller_and_do_not_reach_the_baseline(style):
    plain, raised = drawn(style, "nn"), drawn(replace(style, raised=(1,)), "nn")
    (left,) = np.flatnonzero(np.diff((raised[:60] > 128).any(axis=0)))[-2:-1]
    last = np.flatnonzero((raised[:, left:] > 128).any(axis=1))
    letter = np.flatnonzero((plain > 128).any(axis=1))
    assert last.max() < 60 - 8
    assert len(last) < 0.75 * len(letter)


def test_small_capitals_are_lower_than_the_first_letter(style):
    ink = drawn(replace(style, small_capitals=(1, 2)), "HHH") > 128
    parts = ink[:, 20:50], ink[:, 62:200]
    first, second = (np.flatnonzero(part.any(axis=1)) for part in parts)
    assert len(second) < 0.9 * len(first)
    assert first.max() == second.max()  # on one baseline


def test_a_wide_space_moves_only_what_follows_it(style):
    normal, wide = drawn(style, "n n"), drawn(replace(style, space=2.0), "n n")

    def columns(ink):
        return np.flatnonzero((ink > 128).any(axis=0))

    assert columns(wide)[0] == columns(normal)[0]
    space = style.font.at(40).getlength(" ")
    assert columns(wide)[-1] - columns(normal)[-1] == pytest.approx(space, abs=1.5)


def test_clogged_letters_have_more_ink_and_worn_ones_less(style):
    plain = drawn(replace(style, tracking=0.01), "aaaa").astype(int).sum()
    assert drawn(replace(style, tracking=0.01, clogged="a"), "aaaa").astype(int).sum() > 1.1 * plain
    assert drawn(replace(style, tracking=0.01, worn="a"), "aaaa").astype(int).sum() < 0.8 * plain


def test_a_letter_with_a_tilde_that_the_font_lacks_is_drawn_with_a_stroke_above(few_fonts):
    font = replace(few_fonts[0])
    font.__dict__["characters"] = few_fonts[0].characters - {"ẽ"}
    style = LetterStyle(font, 40, 0.0, 0.0, 0.0)
    plain, tilde = drawn(style, "e") > 128, drawn(style, "ẽ") > 128
    assert (tilde & plain).sum() > 0.95 * plain.sum()
    added = np.flatnonzero((tilde & ~plain).any(axis=1))
    assert added.max() < np.flatnonzero(plain.any(axis=1)).min()
