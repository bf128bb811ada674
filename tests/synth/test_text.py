from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from ocrkit.errors import MissingPartError
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth import dictionary, grammar
from ocrkit.synth.dictionary import LANGUAGES, dictionary_words
from ocrkit.synth.grammar import long_s
from ocrkit.synth.text import STYLE_WEIGHTS, line


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 2**32), st.none() | st.sampled_from(sorted(STYLE_WEIGHTS)), st.integers(1, 120)
)
def test_lines_have_allowed_characters_and_length(seed: int, style: str | None, most: int) -> None:
    _, text = line(default_rng(seed), style, most)
    assert 1 <= len(text) <= most
    assert set(text) <= set(DEFAULT_CHARACTERS)
    assert text == unicodedata.normalize("NFC", text)
    assert text == " ".join(text.split())


def test_same_seed_gives_the_same_lines() -> None:
    first, second = default_rng(5), default_rng(5)
    assert [line(first) for _ in range(200)] == [line(second) for _ in range(200)]


def test_style_frequencies_match_their_weights() -> None:
    rng = default_rng(0)
    drawn = [line(rng)[0] for _ in range(4000)]
    for style, share in STYLE_WEIGHTS.items():
        assert drawn.count(style) / len(drawn) == pytest.approx(share, abs=0.03)


def test_unknown_style_error_lists_the_known_styles() -> None:
    with pytest.raises(ValueError, match=r"unknown style 'gothic'; the styles are prose, word"):
        line(default_rng(0), "gothic")


def test_every_character_is_frequent_enough_to_be_learned() -> None:
    rng = default_rng(0)
    table = Counter("".join(line(rng)[1] for _ in range(10_000)))
    assert set(table) == set(DEFAULT_CHARACTERS)
    assert min(table.values()) >= 5
    assert table["e"] > 2000


def test_every_name_in_the_grammar_is_defined() -> None:
    rules = grammar.read_grammar()
    used = {p for choices in rules.values() for pieces in choices for p in pieces[1::2]}
    names = {name.lower() for name in used if name[0].isalpha()}
    assert names <= rules.keys() | grammar.FUNCTIONS.keys()


@pytest.mark.parametrize("name", ["common", "month", "quotes"])
def test_the_grammar_covers_every_language(name: str) -> None:
    assert {f"{name}.{language}" for language in LANGUAGES} <= grammar.read_grammar().keys()


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
def test_long_s_follows_the_rules_of_printers(plain: str, printed: str) -> None:
    assert long_s(plain) == printed


@pytest.mark.parametrize(
    ("code", "word"),
    [("en", "abandon"), ("fr", "abaisser"), ("de", "Abbau"), ("es", "abad"), ("it", "più"),
     ("la", "praefecturae")],
)  # fmt: skip
def test_dictionaries_are_read_in_their_own_encodings(code: str, word: str) -> None:
    known = dictionary_words(code)
    assert 10_000 < len(known) <= 60_000
    assert all(set(w) <= set(DEFAULT_CHARACTERS) for w in known)
    assert any(not w.isascii() for w in known) or code == "en"


def test_error_without_trdg_says_how_to_install_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(dictionary, "package_folder", lambda *names: tmp_path)
    dictionary_words.cache_clear()
    with pytest.raises(MissingPartError, match="pip install trdg"):
        dictionary_words("en")


def test_spanish_words_have_spanish_accents() -> None:
    accents = {c for w in dictionary_words("es") for c in w if not c.isascii()}
    assert {"á", "é", "í", "ó", "ú", "ñ", "ü"} <= accents <= set("áéíóúñüçèï ìàò".replace(" ", ""))


def test_rows_repeat_one_mark_with_or_without_a_text() -> None:
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


def test_styles_contain_their_typical_words_and_marks() -> None:
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
