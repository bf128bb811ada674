from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.errors import CheckpointError
from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS, Alphabet, normalized

ALPHABET = Alphabet()


def test_the_default_alphabet_covers_western_historical_documents() -> None:
    ascii_letters = "".join(map(chr, range(0x20, 0x7F)))
    latin_1 = "".join(chr(c) for c in range(0xC0, 0x100) if chr(c) not in "×÷")
    others = "ŒœŠšŽžŸſ£€§¶†‡•°№½¼¾¹²³«»‘’‚“”„–—…¡¿"
    assert ALPHABET.missing(ascii_letters + latin_1 + others) == ""
    polish_czech_hungarian = "ĄąĆćĘęŁłŃńŚśŹźŻżČčĎďĚěŇňŘřŤťŮůŐőŰű"
    baltic_turkish_romanian = "ĀāĒēĪīŪūĖėĮįŲųĞğİıŞşĂăŢţ"
    assert ALPHABET.missing(polish_czech_hungarian + baltic_turkish_romanian) == ""
    assert ALPHABET.missing("ªº±×÷·′″⁴⅓℔₰©®") == ""


def test_new_characters_came_after_those_of_the_first_checkpoints() -> None:
    ascii_letters = "".join(map(chr, range(0x20, 0x7F)))
    latin_1 = "".join(chr(c) for c in range(0xC0, 0x100) if chr(c) not in "×÷")
    first = ascii_letters + latin_1 + "ŒœŠšŽžŸſ£€§¶†‡•°№½¼¾¹²³«»‘’‚“”„–—…¡¿"
    assert set(DEFAULT_CHARACTERS[: len(first)]) == set(first)


@pytest.mark.parametrize(
    ("transcribed", "written"),
    [
        ("wer⸗ den pou¬", "wer- den pou-"),
        ("zuru\u0364ck, Vo\u0364lker, Va\u0364ter", "zurück, Völker, Väter"),
        ("ꝛc. ﬁn oﬃce", "rc. fin office"),
        ("Haus  und\u00a0Hof ", "Haus und Hof"),
        ("Maſſe é ½ n° 4", "Maſſe é ½ n° 4"),
    ],
)
def test_transcriptions_are_written_with_one_character_for_each_meaning(
    transcribed: str, written: str
) -> None:
    assert normalized(transcribed) == written
    assert ALPHABET.missing(written) == ""


@given(st.text())
def test_a_normalised_text_stays_as_it_is(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)


def test_the_order_of_the_default_alphabet_is_the_one_in_the_checkpoints() -> None:
    assert ALPHABET.encode(" 0Aa~ÀÿŒſ…") == [1, 17, 34, 66, 95, 96, 157, 158, 165, 191]


def test_classes_are_the_characters_and_a_blank_that_is_no_character() -> None:
    assert len(Alphabet("abc")) == 4
    assert Alphabet("abc").encode("cab") == [3, 1, 2]


@given(st.text(alphabet=DEFAULT_CHARACTERS))
def test_text_within_the_alphabet_comes_back(text: str) -> None:
    assert ALPHABET.decode(ALPHABET.encode(text)) == text


@given(st.text())
def test_any_text_comes_back_in_nfc_or_is_refused_for_what_is_missing(text: str) -> None:
    if ALPHABET.missing(text):
        with pytest.raises(ValueError, match="outside the alphabet"):
            ALPHABET.encode(text)
    else:
        assert ALPHABET.decode(ALPHABET.encode(text)) == unicodedata.normalize("NFC", text)


def test_a_letter_and_its_accent_apart_are_the_letter_with_the_accent() -> None:
    assert ALPHABET.encode("e\u0301") == ALPHABET.encode("é")
    assert ALPHABET.missing("e\u0301") == ""


def test_the_refusal_names_the_label_and_what_is_missing() -> None:
    with pytest.raises(ValueError) as refusal:
        ALPHABET.encode("Ωábel")
    assert str(refusal.value) == "label 'Ωábel' has characters outside the alphabet: Ω"


def test_missing_characters_that_cannot_be_seen_are_named_by_code_point() -> None:
    with pytest.raises(ValueError, match=r"alphabet: U\+0009 U\+00A0$"):
        ALPHABET.encode("a\tb\u00a0")


def test_missing_characters_are_distinct_and_in_order_of_appearance() -> None:
    assert ALPHABET.missing("ωaαωbα") == "ωα"


def test_characters_that_occur_twice_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="more than once in the alphabet: b U\\+0020$"):
        Alphabet("ab bc d")


def test_an_alphabet_without_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Alphabet("")


def test_an_alphabet_travels_between_processes() -> None:
    ALPHABET.encode("a")
    assert pickle.loads(pickle.dumps(ALPHABET)) == ALPHABET


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate pair"):
        Alphabet("ab\ud800")


# --- from a file


@pytest.mark.parametrize("suffix", [".txt", ".pkl"])
def test_an_alphabet_is_loaded_in_the_order_of_its_file(tmp_path, suffix):
    path = tmp_path / f"alphabet{suffix}"
    data = pickle.dumps(list("ab é中")) if suffix == ".pkl" else "\ufeffab é中\n".encode()
    path.write_bytes(data)
    assert Alphabet.load(path).characters == "ab é中"


def test_a_character_that_comes_twice_keeps_its_first_class_and_moves_no_other(tmp_path):
    (tmp_path / "a.txt").write_text("abac", encoding="utf-8")
    alphabet = Alphabet.load(tmp_path / "a.txt")
    assert alphabet.encode("abc") == [1, 2, 4]
    assert len(alphabet) == 5


@pytest.mark.parametrize("content", [pickle.dumps(print), pickle.dumps(["ab"]), b"", b"\x80junk"])
def test_a_pickle_with_code_or_other_things_is_refused(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(CheckpointError, match="is no list of characters"):
        Alphabet.load(tmp_path / "a.pkl")


def test_a_missing_alphabet_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere.txt: No such file"):
        Alphabet.load(tmp_path / "nowhere.txt")
