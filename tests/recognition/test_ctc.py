from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import (
    Character,
    beam,
    greedy,
    greedy_batch,
    log_likelihoods,
    log_softmax,
)

A = Alphabet("a")
AB = Alphabet("ab")
DECODERS = [greedy, beam]


def logs(*rows: list[float]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows))


def text_of(path: tuple[int, ...]) -> str:
    return AB.decode([c for c, _ in itertools.groupby(path) if c])


def random_log_probs(seed: int, steps: int) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(0, 1.5, (steps, len(AB))))


matrices = st.builds(random_log_probs, st.integers(0, 10**6), st.integers(1, 5))

#                  blank   a    b
SPELT = logs(     [0.1, 0.8, 0.1],  # a
                  [0.3, 0.6, 0.1],  # a, the same one
                  [0.7, 0.2, 0.1],  # blank
                  [0.2, 0.7, 0.1],  # a, another one
                  [0.0, 0.1, 0.9],  # b
                  [0.5, 0.1, 0.4])  # blank  # fmt: skip


@pytest.mark.parametrize("decode", DECODERS)
def test_repeats_collapse_and_blanks_drop_by_hand(decode) -> None:
    decoded = decode(SPELT, AB)
    assert decoded.text == "aab"
    assert [(c.char, c.start, c.end) for c in decoded.characters] == [
        ("a", 0, 2),
        ("a", 3, 4),
        ("b", 4, 5),
    ]
    assert [c.confidence for c in decoded.characters] == pytest.approx([0.8, 0.7, 0.9])
    assert decoded.confidence == pytest.approx((0.8 + 0.7 + 0.9) / 3)


def test_beam_sums_paths_where_greedy_takes_the_best_one() -> None:
    # Three paths spell "a": 0.4 * 0.4 + 0.4 * 0.6 + 0.6 * 0.4 = 0.64. One spells nothing: 0.36.
    probs = logs([0.6, 0.4], [0.6, 0.4])
    assert greedy(probs, A).text == ""
    assert beam(probs, A).text == "a"


def test_without_a_blank_between_a_double_letter_is_one() -> None:
    assert beam(logs([0.0, 1.0], [0.0, 1.0]), A).characters == (Character("a", 1.0, 0, 2),)


def test_with_a_blank_between_a_double_letter_is_two() -> None:
    decoded = beam(logs([0.0, 1.0], [1.0, 0.0], [0.0, 1.0]), A)
    assert decoded.characters == (Character("a", 1.0, 0, 1), Character("a", 1.0, 2, 3))


def all_texts(log_probs: np.ndarray) -> dict[str, float]:
    """The probability of each text: the sum over all paths, one by one."""
    chances: dict[str, float] = {}
    for path in itertools.product(range(len(AB)), repeat=len(log_probs)):
        chance = float(np.exp(log_probs[np.arange(len(path)), path].sum()))
        chances[text_of(path)] = chances.get(text_of(path), 0.0) + chance
    return chances


def test_log_likelihood_by_hand() -> None:
    # As above: "a" has the paths a-, -a and aa.
    probs = logs([0.6, 0.4], [0.6, 0.4])
    one, none, two = log_likelihoods(probs, [[1], [], [1, 1]])
    assert (np.exp(one), np.exp(none)) == pytest.approx((0.64, 0.36))
    assert two == -np.inf  # needs a blank between


@given(matrices)
def test_log_likelihood_sums_over_all_paths_of_a_text(log_probs) -> None:
    chances = all_texts(log_probs)
    found = log_likelihoods(log_probs, [AB.encode(text) for text in chances])
    assert np.exp(found) == pytest.approx(list(chances.values()))


@given(matrices)
def test_a_wide_beam_finds_the_text_that_all_paths_together_make_likeliest(log_probs) -> None:
    chances = all_texts(log_probs)
    assert chances[beam(log_probs, AB, width=200).text] == pytest.approx(max(chances.values()))


@given(matrices)
def test_beam_places_characters_where_the_likeliest_path_of_its_text_has_them(log_probs) -> None:
    decoded = beam(log_probs, AB)
    paths = itertools.product(range(len(AB)), repeat=len(log_probs))
    path = max(
        (p for p in paths if text_of(p) == decoded.text),
        key=lambda p: log_probs[np.arange(len(p)), p].sum(),
    )
    occupied = [0] * len(path)
    for character in decoded.characters:
        for step in range(character.start, character.end):
            occupied[step] = AB.encode(character.char)[0]
    assert tuple(occupied) == path
    for c in decoded.characters:
        probs = np.exp(log_probs[c.start : c.end, AB.encode(c.char)[0]])
        assert c.confidence == pytest.approx(probs.max())


@pytest.mark.parametrize("decode", DECODERS)
def test_where_the_network_is_sure_both_decoders_agree(decode) -> None:
    alphabet = Alphabet()
    path = [0, *alphabet.encode("Dear Sir,"), 0]  # no letter is doubled: no blank is needed
    logits = np.zeros((len(path), len(alphabet)), np.float32)
    logits[np.arange(len(path)), path] = 20
    decoded = decode(log_softmax(logits), alphabet)
    assert decoded.text == "Dear Sir,"
    assert decoded.confidence == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_nothing_but_blanks_is_an_empty_text_without_confidence(decode, steps: int) -> None:
    decoded = decode(np.repeat(logs([0.9, 0.05, 0.05]), steps, axis=0), AB)
    assert (decoded.text, decoded.confidence, decoded.characters) == ("", 0.0, ())


def test_a_batch_reads_as_its_items_do_one_by_one() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (40, 7, len(AB))).astype(np.float32)
    batch = greedy_batch(logits, AB)
    singles = [greedy(log_softmax(logits[:, n]), AB) for n in range(7)]
    assert [d.text for d in batch] == [d.text for d in singles]
    for together, alone in zip(batch, singles, strict=True):
        assert together.confidence == pytest.approx(alone.confidence, abs=1e-5)
        assert [(c.start, c.end) for c in together.characters] == [
            (c.start, c.end) for c in alone.characters
        ]


def test_an_empty_batch_is_answered() -> None:
    assert greedy_batch(np.zeros((5, 0, 3), np.float32), AB) == []


@given(matrices, st.sampled_from(DECODERS))
def test_characters_follow_each_other_within_the_steps(log_probs, decode) -> None:
    decoded = decode(log_probs, AB)
    steps = [0, *(edge for c in decoded.characters for edge in (c.start, c.end)), len(log_probs)]
    assert steps == sorted(steps)
    assert all(c.start < c.end for c in decoded.characters)
    assert "".join(c.char for c in decoded.characters) == decoded.text
    assert 0 <= decoded.confidence <= 1


def test_log_softmax_gives_log_probabilities_however_large_the_logits() -> None:
    log_probs = log_softmax(np.array([[1000.0, 0.0, 999.0], [1.0, 1.0, 1.0]], np.float32))
    assert log_probs.dtype == np.float32
    assert np.isfinite(log_probs).all()
    assert np.exp(log_probs).sum(axis=1) == pytest.approx([1, 1])
    assert log_probs[1] == pytest.approx([-np.log(3)] * 3)


@pytest.mark.parametrize("decode", DECODERS)
def test_an_alphabet_of_another_size_than_the_outputs_is_refused(decode) -> None:
    with pytest.raises(ValueError, match=r"outputs have 3 classes.*has 2"):
        decode(SPELT, A)
