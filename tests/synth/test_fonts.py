from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import ImageFont

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth import fonts as module
from ocrkit.synth.fonts import (
    FONT_PACKAGES,
    KIND_WEIGHTS,
    Font,
    find_fonts,
    missing_packages,
    sampling_weights,
)


@pytest.fixture(scope="module")
def bundled() -> list[Font]:
    """Fonts of the locked packages, which every machine has."""
    fonts = [f for f in find_fonts() if f.family.split()[0] in ("trdg", "matplotlib")]
    assert fonts, "trdg and matplotlib contain fonts"
    return fonts


def named(fonts: list[Font], name: str) -> Font:
    return next(font for font in fonts if font.name == name)


def test_fonts_are_sorted_and_have_unique_names() -> None:
    names = [font.name for font in find_fonts()]
    assert names == sorted(set(names))


def test_locked_packages_include_serif_sans_and_mono(bundled: list[Font]) -> None:
    assert {"serif", "sans", "mono"} <= {font.kind for font in bundled}


def test_kinds_of_the_table_and_kinds_with_weights_are_the_same() -> None:
    assert {family.kind for family in FONT_PACKAGES} == set(KIND_WEIGHTS)
    assert sum(KIND_WEIGHTS.values()) == pytest.approx(1)


def hanging_figures(font: Font) -> int:
    """How many of the figures 3, 4, 7 and 9 reach below the baseline, as old-style ones do."""
    boxes = (font.at(100).getbbox(figure, anchor="ls") for figure in "3479")
    return sum(bottom > 8 for _, _, _, bottom in boxes)


def test_fonts_are_of_the_kind_oldstyle_if_their_figures_hang(bundled: list[Font]) -> None:
    # The locked packages have no such font; those of the system are checked where they are.
    assert not any(hanging_figures(font) for font in bundled if font.kind == "serif")
    assert all(hanging_figures(font) >= 3 for font in find_fonts() if font.kind == "oldstyle")


def test_characters_are_in_the_alphabet_and_have_ink(bundled: list[Font]) -> None:
    for font in bundled[:20]:
        assert " " in font.characters
        assert set(DEFAULT_CHARACTERS) >= font.characters
        for character in font.characters - {" "}:
            assert font.at(24).getmask(character).getbbox(), (font.name, character)


def test_characters_without_a_glyph_are_left_out(bundled: list[Font]) -> None:
    assert "ſ" in named(bundled, "DejaVuSans").characters
    assert "№" in named(bundled, "DejaVuSans").characters
    assert "№" not in named(bundled, "Pacifico").characters


def test_small_letters_drawn_as_capitals_are_left_out(bundled: list[Font]) -> None:
    bebas = named(bundled, "BEBAS___").characters
    assert "A" in bebas
    assert "a" not in bebas


def test_a_pound_sign_drawn_as_another_sign_is_left_out(bundled: list[Font]) -> None:
    assert "£" in named(bundled, "Lato-Regular").characters
    assert "£" not in named(bundled, "Walkway_Bold").characters


def test_a_low_quote_drawn_as_a_comma_is_left_out(bundled: list[Font]) -> None:
    for font in bundled:
        if "‚" in font.characters:
            masks = [font.at(48).getmask2(character) for character in "‚,"]
            assert bytes(masks[0][0]) != bytes(masks[1][0]) or masks[0][1] != masks[1][1], font.name


def test_a_size_is_loaded_once(bundled: list[Font]) -> None:
    font = bundled[0]
    assert isinstance(font.at(20), ImageFont.FreeTypeFont)
    assert font.at(20) is font.at(20)
    assert font.at(21).size == 21


def test_regular_fonts_are_preferred_and_families_have_equal_weight(bundled: list[Font]) -> None:
    sans = [font for font in bundled if font.kind == "sans"]
    weights = sampling_weights(sans)
    assert weights.sum() == pytest.approx(1)
    by_name = dict(zip([f.name for f in sans], weights, strict=True))
    assert by_name["DejaVuSans"] > by_name["DejaVuSans-Bold"] > 0
    shares = [
        weights[[f.family == family for f in sans]].sum() for family in {f.family for f in sans}
    ]
    assert np.ptp(shares) == pytest.approx(0, abs=1e-12)


def test_missing_packages_are_listed(monkeypatch: pytest.MonkeyPatch, bundled: list[Font]) -> None:
    monkeypatch.setattr(module, "find_fonts", lambda: tuple(bundled))
    missing = missing_packages()
    assert "fonts-gnutypewriter" in missing["apt"]
    assert "@fontsource/special-elite" in missing["npm"]
    assert len(missing["apt"]) == len(set(missing["apt"]))


def test_the_command_lists_every_kind() -> None:
    command = [sys.executable, "-m", "ocrkit.synth.fonts"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(kind in listing for kind in KIND_WEIGHTS)
