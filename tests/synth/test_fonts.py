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
    """Fonts that come with the locked packages, so that any machine has them."""
    fonts = [f for f in find_fonts() if f.family.split()[0] in ("trdg", "matplotlib")]
    assert fonts, "trdg and matplotlib bring fonts"
    return fonts


def named(fonts: list[Font], name: str) -> Font:
    return next(font for font in fonts if font.name == name)


def test_fonts_are_sorted_by_name_and_named_once() -> None:
    names = [font.name for font in find_fonts()]
    assert names == sorted(set(names))


def test_locked_packages_alone_give_serif_sans_and_fixed_pitch(bundled: list[Font]) -> None:
    assert {"serif", "sans", "mono"} <= {font.kind for font in bundled}


def test_every_kind_of_the_table_has_a_weight_and_the_other_way_round() -> None:
    assert {family.kind for family in FONT_PACKAGES} == set(KIND_WEIGHTS)
    assert sum(KIND_WEIGHTS.values()) == pytest.approx(1)


def test_characters_are_of_the_alphabet_and_drawn(bundled: list[Font]) -> None:
    for font in bundled[:20]:
        assert " " in font.characters
        assert set(DEFAULT_CHARACTERS) >= font.characters
        for character in font.characters - {" "}:
            assert font.at(24).getmask(character).getbbox(), (font.name, character)


def test_font_without_a_glyph_does_not_claim_the_character(bundled: list[Font]) -> None:
    assert "ſ" in named(bundled, "DejaVuSans").characters
    assert "№" in named(bundled, "DejaVuSans").characters
    assert "№" not in named(bundled, "Pacifico").characters


def test_small_letters_drawn_as_capitals_are_not_claimed(bundled: list[Font]) -> None:
    bebas = named(bundled, "BEBAS___").characters
    assert "A" in bebas
    assert "a" not in bebas


def test_pounds_drawn_as_euros_are_not_claimed(bundled: list[Font]) -> None:
    assert "£" in named(bundled, "Lato-Regular").characters
    assert "£" not in named(bundled, "Walkway_Bold").characters


def test_comma_is_not_claimed_to_be_a_low_quote(bundled: list[Font]) -> None:
    for font in bundled:
        if "‚" in font.characters:
            masks = [font.at(48).getmask2(character) for character in "‚,"]
            assert bytes(masks[0][0]) != bytes(masks[1][0]) or masks[0][1] != masks[1][1], font.name


def test_same_size_is_loaded_once(bundled: list[Font]) -> None:
    font = bundled[0]
    assert isinstance(font.at(20), ImageFont.FreeTypeFont)
    assert font.at(20) is font.at(20)
    assert font.at(21).size == 21


def test_upright_regular_type_is_favoured_and_families_count_alike(bundled: list[Font]) -> None:
    sans = [font for font in bundled if font.kind == "sans"]
    weights = sampling_weights(sans)
    assert weights.sum() == pytest.approx(1)
    by_name = dict(zip([f.name for f in sans], weights, strict=True))
    assert by_name["DejaVuSans"] > by_name["DejaVuSans-Bold"] > 0
    shares = [
        weights[[f.family == family for f in sans]].sum() for family in {f.family for f in sans}
    ]
    assert np.ptp(shares) == pytest.approx(0, abs=1e-12)


def test_machine_without_extra_fonts_names_the_packages_to_install(
    monkeypatch: pytest.MonkeyPatch, bundled: list[Font]
) -> None:
    monkeypatch.setattr(module, "find_fonts", lambda: tuple(bundled))
    lacking = missing_packages()
    assert "fonts-gnutypewriter" in lacking["apt"]
    assert "@fontsource/special-elite" in lacking["npm"]
    assert len(lacking["apt"]) == len(set(lacking["apt"]))


def test_the_listing_names_every_kind() -> None:
    command = [sys.executable, "-m", "ocrkit.synth.fonts"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(kind in listing for kind in KIND_WEIGHTS)
