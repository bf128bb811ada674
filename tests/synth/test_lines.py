from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS, Alphabet
from ocrkit.synth import lines
from ocrkit.synth.fonts import Font, find_fonts
from ocrkit.synth.lines import LineGenerator, render, typeset
from ocrkit.synth.text import STYLE_WEIGHTS


def named(name: str) -> Font:
    return next(font for font in find_fonts() if font.name == name)


class Tight:
    """A random generator whose uniform numbers are always the lower limit."""

    def __init__(self, seed: int) -> None:
        self.rng = default_rng(seed)

    def __getattr__(self, name: str) -> object:
        return getattr(self.rng, name)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: int | None = None) -> object:
        return low if size is None else np.full(size, low)


@pytest.fixture(scope="module")
def generator(few_fonts: tuple[Font, ...]) -> LineGenerator:
    return LineGenerator(seed=7, max_chars=30, fonts=few_fonts)


# --- the stream


def test_a_crop_depends_only_on_seed_and_index(generator, few_fonts):
    first = {i: generator(i) for i in (0, 1, 2, 99_999)}
    for i in (99_999, 2, 0, 1):
        again = LineGenerator(seed=7, max_chars=30, fonts=few_fonts)(i)
        assert again.text == first[i].text
        np.testing.assert_array_equal(again.image, first[i].image)


def test_another_index_or_seed_gives_another_crop(generator):
    texts = {generator(i).text for i in range(12)}
    others = {replace(generator, seed=8)(i).text for i in range(12)}
    assert len(texts) > 9
    assert texts != others


def test_crops_are_grey_images_with_texts_in_the_alphabet(generator):
    alphabet = Alphabet()
    for index in range(60):
        crop = generator(index)
        assert crop.image.dtype == np.uint8
        assert crop.image.ndim == 2
        assert min(crop.image.shape) > 3
        assert 1 <= len(crop.text) <= 30
        assert crop.text == " ".join(crop.text.split())
        assert len(alphabet.encode(crop.text)) == len(crop.text)


@pytest.mark.parametrize("style", STYLE_WEIGHTS)
def test_each_style_of_text_can_be_requested(generator, style):
    assert replace(generator, style=style)(0).text


def test_longer_texts_give_wider_crops(generator):
    crops = [replace(generator, severity=0.0)(i) for i in range(40)]
    lengths = [len(crop.text) for crop in crops]
    shapes = [crop.image.shape[1] / crop.image.shape[0] for crop in crops]
    assert np.corrcoef(lengths, shapes)[0, 1] > 0.7


# --- the text drawn


def test_texts_use_only_characters_of_their_font():
    capitals = named("BEBAS___")
    assert "a" not in capitals.characters
    make = LineGenerator(seed=1, max_chars=30, fonts=(capitals,))
    for index in range(40):
        assert set(make(index).text) <= capitals.characters | {" "}


def test_neighbouring_lines_use_only_characters_of_the_font(monkeypatch):
    others = []

    def spy(
        text: str, font: Font, rng: Generator, severity: float, other: str, clipped: bool = False
    ) -> np.ndarray:
        others.append(other)
        return np.zeros((32, 32), np.uint8)

    monkeypatch.setattr(lines, "render", spy)
    capitals = named("BEBAS___")
    for index in range(30):
        LineGenerator(seed=1, fonts=(capitals,))(index)
    assert set("".join(others)) <= capitals.characters | {" "}
    assert len(set(others)) > 20


def test_a_font_that_has_every_character_is_preferred():
    capitals, complete = named("BEBAS___"), named("DejaVuSans")
    make = LineGenerator(fonts=(capitals, complete))
    for seed in range(20):
        assert make.choose_font("prose", "Œuvre ſelbſt", default_rng(seed)) == (
            complete,
            "Œuvre ſelbſt",
        )


def test_characters_that_no_font_has_are_left_out_of_the_text():
    capitals = named("BEBAS___")
    make = LineGenerator(fonts=(capitals,))
    assert make.choose_font("prose", "aA bb CD", default_rng(0)) == (capitals, "A CD")


def test_a_text_without_drawable_characters_becomes_one_that_the_font_has():
    for font in (named("BEBAS___"), named("Walkway_Bold")):
        missing = next(c for c in DEFAULT_CHARACTERS if c not in font.characters)
        _, text = LineGenerator(fonts=(font,)).choose_font("prose", missing, default_rng(0))
        assert len(text) == 1
        assert text in font.characters - {" "}


def test_styles_use_the_kinds_of_font_of_their_time(few_fonts):
    make = LineGenerator(fonts=few_fonts)
    kinds = {
        style: {make.choose_font(style, "x", default_rng(seed))[0].kind for seed in range(60)}
        for style in ("longs", "receipt", "prose")
    }
    assert kinds == {
        "longs": {"serif"},
        "receipt": {"mono", "sans"},
        "prose": {"serif", "mono", "sans"},
    }


def test_reference_words_keep_small_letters_in_fonts_of_capitals(few_fonts):
    capitals, bebas = named("Capture_it"), named("BEBAS___")
    make = LineGenerator(fonts=(capitals, bebas, *few_fonts))
    drawn = [make.choose_font("reference", "jab", default_rng(seed)) for seed in range(40)]
    # DejaVu is not one of trdg's fonts, and Bebas is left out on purpose.
    assert {font.name for font, _ in drawn} == {"Capture_it", "Lato-Regular"}
    assert {text for _, text in drawn} == {"jab"}


def test_a_style_without_fonts_of_its_kinds_uses_other_fonts(few_fonts):
    sans = tuple(font for font in few_fonts if font.kind == "sans")
    assert LineGenerator(style="longs", fonts=sans)(0).text


# --- the image


@pytest.mark.parametrize("text", ["Paris", "le 3 mai 1789", "SſŒ", "x"])
def test_without_severity_print_is_clean(few_fonts, text):
    for font in few_fonts:
        for seed in range(5):
            scan = render(text, font, default_rng(seed), severity=0.0)
            paper, ink = int(scan.max()), int(scan.min())
            assert paper > 230
            assert paper - ink > 100
            # The paper has one grey level, the most frequent one.
            assert (scan == paper).mean() > 0.3
            levels, counts = np.unique(scan, return_counts=True)
            assert levels[counts.argmax()] == paper


def test_severity_adds_grey_levels_and_lowers_contrast(few_fonts):
    def levels(severity: float) -> float:
        scans = [render("Paris", few_fonts[0], default_rng(s), severity) for s in range(30)]
        return float(np.mean([len(np.unique(scan)) for scan in scans]))

    def contrast(severity: float) -> float:
        scans = [render("Paris", few_fonts[0], default_rng(s), severity) for s in range(30)]
        return float(np.mean([np.ptp(scan.astype(int)) for scan in scans]))

    assert levels(0.0) < levels(1.0)
    assert contrast(0.0) > contrast(1.0)


def test_the_crop_contains_the_whole_text(few_fonts):
    for font in few_fonts:
        for seed in range(12):
            whole, em = typeset("Hamburg", font, default_rng(seed), 0.0, "")
            half, _ = typeset("Ham", font, default_rng(seed), 0.0, "")
            face = font.at(int(em))
            assert whole.shape[1] > 0.95 * face.getlength("Hamburg") - 0.3 * em
            inked = np.flatnonzero(whole.max(axis=0) > 0.5)
            assert np.ptp(inked) > 0.95 * face.getlength("Hamburg") - 0.4 * em
            assert half.shape[1] < whole.shape[1]


def test_ink_is_float_from_0_to_1(few_fonts):
    for seed in range(20):
        ink, em = typeset("Paris", few_fonts[seed % 4], default_rng(seed), 1.0, "le roi")
        assert ink.dtype == np.float32
        assert ink.min() >= 0
        assert ink.max() <= 1
        assert 22 <= em < 40


@pytest.mark.parametrize("text", [".", "'", "i", "|", "-"])
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_a_tight_crop_of_a_narrow_character_is_not_empty(few_fonts, text, severity):
    for font in (*few_fonts, named("Walkway_Bold"), named("BEBAS___")):
        for seed in range(5):
            scan = render(text, font, Tight(seed), severity)
            assert min(scan.shape) > 3


@pytest.mark.parametrize("text", ["-------", "_____", "....."])
def test_a_crop_of_repeated_marks_shows_their_height_on_the_line(few_fonts, text):
    for seed in range(20):
        ink, em = typeset(text, few_fonts[0], default_rng(seed), 0.0, "")
        assert ink.shape[0] >= 0.95 * em
        below = np.flatnonzero(ink.max(1) > 0.5)[-1] / em
        assert below > 0.3  # there is room for a letter above the marks


def test_neighbouring_lines_show_only_in_loose_crops(few_fonts):
    # With the same seed, crops differ only where the other text shows, above and below the text.
    changed = 0
    for seed in range(30):
        with_other, em = typeset("nun", few_fonts[0], default_rng(seed), 0.0, "QQQQQQQQ")
        without, _ = typeset("nun", few_fonts[0], default_rng(seed), 0.0, "")
        assert with_other.shape == without.shape
        rows = np.flatnonzero((with_other != without).any(axis=1))
        if rows.size:
            changed += 1
            ink = np.flatnonzero(without.any(axis=1))
            assert rows.min() < ink.min() or rows.max() > ink.max()
    assert 2 < changed < 20


def test_clipping_removes_only_the_parts_beyond_the_ends_of_a_word():
    font = named("Walkway_Oblique_Bold")
    whole, clipped = (
        typeset("koshered", font, default_rng(2), 0, "", clipped)[0] for clipped in (False, True)
    )
    changed = np.flatnonzero((whole != clipped).any(axis=0))
    last = np.flatnonzero(whole.any(axis=0))[-1]
    assert changed[-1] == last and 2 <= len(changed) <= 6
    assert not clipped[:, changed].any()
