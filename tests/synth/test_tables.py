"""The tables beside the generators: shares add up, and names refer to what exists."""

from __future__ import annotations

import pytest

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.fonts import KIND_WEIGHTS, MACHINES, find_fonts
from ocrkit.synth.layouts import FONTS, LAYOUTS, TEXTS
from ocrkit.synth.lines import STYLE_KINDS
from ocrkit.synth.pages import KINDS
from ocrkit.synth.tables import read_rows, read_toml
from ocrkit.synth.text import STYLE_WEIGHTS


@pytest.mark.parametrize(
    "shares", [STYLE_WEIGHTS, KINDS, KIND_WEIGHTS], ids=["styles", "pages", "fonts"]
)
def test_shares_add_up_to_1(shares: dict[str, float]) -> None:
    assert sum(shares.values()) == pytest.approx(1)


def test_fonts_of_styles_and_pages_are_of_known_kinds() -> None:
    assert STYLE_KINDS.keys() <= STYLE_WEIGHTS.keys()
    for weights in (*STYLE_KINDS.values(), *FONTS.values(), dict.fromkeys(MACHINES, 1)):
        assert weights.keys() <= KIND_WEIGHTS.keys()
        assert sum(weights.values()) > 0


def test_ranges_of_page_sizes_are_in_order() -> None:
    for layout in LAYOUTS.values():
        for name in ("aspect", "area", "em", "margin"):
            low, high = getattr(layout.format, name)
            assert 0 < low < high


def test_texts_of_layouts_can_be_written_with_the_alphabet() -> None:
    for name, texts in TEXTS.items():
        assert texts, name
        assert set("".join(texts)) <= set(DEFAULT_CHARACTERS), name


def test_families_that_need_practice_are_those_of_trdg() -> None:
    families = read_toml("styles.toml")["reference_families"]
    patterns = {f.family.split()[2].rstrip("_-*") for f in find_fonts() if "trdg" in f.family}
    assert families.keys() <= patterns


def test_rows_are_split_at_tabs_without_comments() -> None:
    rows = read_rows("samples.tsv")
    assert [row[1] for row in rows if row[0] == "page"][:2] == ["letter", "long-s"]
    assert not any(row[0].startswith("#") for row in rows)
