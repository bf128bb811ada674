from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.image import crop_polygon
from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.hand import hand_page, writable, written


def test_a_page_is_the_same_each_time_and_each_page_is_another():
    first, again, other = hand_page(1, 0, 3), hand_page(1, 0, 3), hand_page(1, 1, 3)
    np.testing.assert_array_equal(first.scan, again.scan)
    assert first.texts == again.texts != other.texts


def test_a_page_has_its_lines_where_it_says():
    page = hand_page(2, 0, 4)
    assert len(page.texts) == len(page.polygons) == 4
    for polygon, text in zip(page.polygons, page.texts, strict=True):
        crop = crop_polygon(page.scan, polygon)
        paper = np.quantile(page.scan, 0.9)
        assert (abs(crop - paper) > 40).mean() > 0.02  # ink
        assert crop.shape[1] > 8 * len(text)
    heights = [polygon[:, 1].mean() for polygon in page.polygons]
    assert heights == sorted(heights)


@given(st.text(max_size=30))
def test_only_what_the_hand_can_write_is_left_of_a_text(text):
    plain = writable(text)
    assert plain.isascii() and plain == " ".join(plain.split()) == writable(plain)


def test_accents_are_left_out():
    assert writable("Œuvre à  l’été – ſo") == "uvre a lete so"


def test_every_letter_is_drawn_and_none_as_print():
    rng = np.random.default_rng(0)
    drawn = [written(c, rng) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    assert min(ink.sum() for ink in drawn) > 30
    # Training draws the same file, but not these letters of it.
    font = next(font for font in find_fonts() if font.name == "STIXGeneralItalic")
    assert not font.characters & set("𝒶𝒷𝒸𝒜ℬ𝒞")
