from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from ocrkit.alphabet import DEFAULT_CHARACTERS
from ocrkit.errors import MissingPartError
from ocrkit.synth import text as module
from ocrkit.synth.text import STYLE_WEIGHTS, line, long_s, words


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 2**32), st.none() | st.sampled_from(sorted(STYLE_WEIGHTS)), st.integers(1, 120)
)
def test_lines_are_clean(seed: int, style: str | None, most: int) -> None:
    _, text = line(default_rng(seed), style, most)
    assert 1 <= len(text) <= most
    assert set(text) <= set(DEFAULT_CHARACTERS)
    assert text == unicodedata.normalize("NFC", text)
    assert text == " ".join(text.split())


def test_same_seed_same_lines() -> None:
    first, second = default_rng(5), default_rng(5)
    assert [line(first) for _ in range(200)] == [line(second) for _ in range(200)]


def test_styles_come_as_often_as_their_weights_say() -> None:
    rng = default_rng(0)
    drawn = [line(rng)[0] for _ in range(4000)]
    for style, share in STYLE_WEIGHTS.items():
        assert drawn.count(style) / len(drawn) == pytest.approx(share, abs=0.03)


def test_unknown_style_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown style 'gothic'; the styles are prose, word"):
        line(default_rng(0), "gothic")


def test_every_character_comes_often_enough_to_be_learned() -> None:
    rng = default_rng(0)
    table = Counter("".join(line(rng)[1] for _ in range(10_000)))
    assert set(table) == set(DEFAULT_CHARACTERS)
    assert min(table.values()) >= 5
    assert table["e"] > 2000


def test_every_name_in_the_grammar_is_defined() -> None:
    grammar = module._grammar()
    used = {p for choices in grammar.values() for pieces in choices for p in pieces[1::2]}
    names = {name.lower() for name in used if name[0].isalpha()}
    assert names <= grammar.keys() | module._WRITERS.keys()


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("Congress shall pass", "Congreſs ſhall paſs"),
        ("is said to be useful", "is ſaid to be uſeful"),
        ("satisfaction, offset, selfsame", "ſatisfaction, offset, ſelfsame"),
        ("qu'il s'est assis", "qu'il s'eſt aſſis"),
        ("STATES, Sessions", "STATES, Seſſions"),
        ("the poses-", "the poſeſ-"),
        ("mossy-banks lie", "moſſy-banks lie"),
    ],
)
def test_long_s_as_printers_set_it(plain: str, printed: str) -> None:
    assert long_s(plain) == printed


@pytest.mark.parametrize(
    ("code", "word"),
    [("en", "abandon"), ("fr", "abaisser"), ("de", "Abbau"), ("es", "abad"), ("it", "più"),
     ("la", "praefecturae")],
)  # fmt: skip
def test_dictionaries_are_read_in_their_own_encodings(code: str, word: str) -> None:
    known = words(code)
    assert 10_000 < len(known) <= 60_000
    assert all(set(w) <= set(DEFAULT_CHARACTERS) for w in known)
    assert any(not w.isascii() for w in known) or code == "en"


def test_without_trdg_its_dictionaries_are_said_to_be_missing(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(module, "package_folder", lambda *names: tmp_path)
    words.cache_clear()
    with pytest.raises(MissingPartError, match="pip install trdg"):
        words("en")


def test_spanish_accents_are_letters_of_spanish() -> None:
    accents = {c for w in words("es") for c in w if not c.isascii()}
    assert {"á", "é", "í", "ó", "ú", "ñ", "ü"} <= accents <= set("áéíóúñüçèï ìàò".replace(" ", ""))


def test_rows_are_of_one_mark_with_a_text_or_without() -> None:
    rng = default_rng(3)
    rows = [line(rng, "rows", 40)[1] for _ in range(400)]
    alone = [row for row in rows if not any(c.isalnum() for c in row)]
    assert 0.5 < len(alone) / len(rows) < 0.7
    for row in alone:
        marks = set(row) - {" "}
        assert len(marks) == 1 and (" " not in row or row[1::2].isspace())
    assert {row[0] for row in alone} == set("-=_*.+#~")
    beside = [row for row in rows if row not in alone]
    assert {row[-1].isalnum() for row in beside} == {True, False}
    assert max(map(len, alone)) > 30 and min(map(len, alone)) >= 3


def test_receipts_hold_amounts_and_french_prose_its_guillemets() -> None:
    rng = default_rng(3)
    receipts = " ".join(line(rng, "receipt")[1] for _ in range(500))
    assert "TOTAL" in receipts.upper()
    assert "GST" in receipts
    prose = " ".join(line(rng, "prose")[1] for _ in range(2000))
    office = " ".join(line(rng, "office")[1] for _ in range(500))
    for mark in ("http://", "@", "Subject: ", "%", " = ", "_"):
        assert mark in office, mark
    for mark in ("« ", " ;", "l'", "d’", "“", " — ", "-"):
        assert mark in prose, mark
