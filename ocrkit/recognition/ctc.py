"""From the network's outputs to text, by connectionist temporal classification (CTC).

Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks", ICML 2006. A path names a class for each time step; the text of a path
is what remains when repeats are collapsed and then blanks (class 0) dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.recognition.alphabet import Alphabet

_BLANK = 0
_NEGLIGIBLE = math.log(1e-3)  # less likely characters seldom lift a prefix into a beam
# Of a language's log-probabilities beside the network's; and what each character is worth, as long
# texts are less likely.
_WEIGHT, _BONUS = 0.25, 0.6
_HOPELESS = 6.0  # a prefix whose logarithm lies so far behind the best seldom catches up


@dataclass(frozen=True)
class Character:
    """A character, its confidence from 0 to 1, and its time steps from `start` up to `end`."""

    char: str
    confidence: float
    start: int
    end: int


@dataclass(frozen=True)
class Decoded:
    """A text and its characters, whose mean confidence is the text's (0 for an empty text).

    A character's confidence is its highest probability in the steps it occupies.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of the logits (..., C), over their last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def greedy(logits: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text of the likeliest path through logits (T, C)."""
    return greedy_batch(logits[:, None], alphabet)[0]


def greedy_batch(logits: np.ndarray, alphabet: Alphabet) -> list[Decoded]:
    """The text of the likeliest path for each of the N items of logits (T, N, C).

    Raises ValueError if C is not the alphabet's number of classes.
    """
    if logits.shape[-1] != len(alphabet):
        raise ValueError(
            f"the outputs have {logits.shape[-1]} classes, the alphabet (with the blank) has "
            f"{len(alphabet)}: model and alphabet do not belong together"
        )
    best = logits.argmax(axis=-1)
    highest = logits.max(axis=-1)
    probs = 1 / np.exp(logits - highest[:, :, None]).sum(axis=-1)
    return [_decoded(best[:, n], probs[:, n], alphabet) for n in range(logits.shape[1])]


def beam(
    log_probs: np.ndarray,
    alphabet: Alphabet,
    width: int = 8,
    language: Callable[[str, str], float] | None = None,
) -> Decoded:
    """The likeliest text in log-probabilities (T, C), summed over all paths that give it.

    Prefix beam search, keeping the `width` likeliest prefixes at each step: Hannun et al.,
    "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
    2014. The characters' steps are those of the text's likeliest path.

    language: the log-probability of a character, given the text before it.

    Raises ValueError if C is not the alphabet's number of classes.
    """

    def gain(before: str, character: str) -> float:
        return _WEIGHT * language(before, character) + _BONUS if language else 0.0

    best = greedy(log_probs, alphabet)
    if (np.partition(log_probs, -2)[:, -2:-1] <= _NEGLIGIBLE).all():
        return best  # there is nothing else to choose from
    text = _likeliest_text(log_probs, alphabet, width, gain)
    if text == best.text:  # whose path is the likeliest of all
        return best
    path = _align(log_probs, alphabet.encode(text))
    return _decoded(path, np.exp(log_probs[np.arange(len(path)), path]), alphabet)


def _decoded(path: np.ndarray, probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text of a path (T,) of classes, given each step's probability (T,)."""
    if not len(path):
        return Decoded("", 0.0, ())
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts[1:], len(path))
    highest = np.maximum.reduceat(probs, starts)
    kept = path[starts] != _BLANK
    text = alphabet.decode(path[starts][kept].tolist())
    confidences = highest[kept].tolist()
    spans = zip(text, confidences, starts[kept].tolist(), ends[kept].tolist(), strict=True)
    characters = tuple(Character(*span) for span in spans)
    return Decoded(text, sum(confidences) / len(text) if text else 0.0, characters)


@dataclass(slots=True)
class _Prefix:
    """Log-probabilities of a prefix's paths so far: those that end in a blank, and the others.

    Only after a blank is the same character again a new one. gained: what language says of it.
    """

    gained: float
    blank: float = -math.inf
    char: float = -math.inf

    @property
    def score(self) -> float:
        return _add(self.blank, self.char) + self.gained


def _likeliest_text(
    log_probs: np.ndarray, alphabet: Alphabet, width: int, gain: Callable[[str, str], float]
) -> str:
    beams = {"": _Prefix(0.0, blank=0.0)}
    for step in log_probs:
        likely = [
            (alphabet.characters[c - 1], float(step[c]))
            for c in np.flatnonzero(step > _NEGLIGIBLE).tolist()
            if c != _BLANK
        ]
        if not likely:  # as between most letters: each prefix goes on with a blank
            for prefix in beams.values():
                prefix.blank = _add(prefix.blank, prefix.char) + float(step[_BLANK])
                prefix.char = -math.inf
            continue
        repeated = dict(likely)
        longer: dict[str, _Prefix] = {}
        for text, old in beams.items():
            either = _add(old.blank, old.char)
            same = longer.setdefault(text, _Prefix(old.gained))
            same.blank = _add(same.blank, either + float(step[_BLANK]))
            same.char = _add(same.char, old.char + repeated.get(text[-1:], -math.inf))
            for char, log_prob in likely:
                before = old.blank if text[-1:] == char else either
                new = longer.get(text + char)
                if new is None:
                    new = longer[text + char] = _Prefix(old.gained + gain(text, char))
                new.char = _add(new.char, before + log_prob)
        ranked = sorted(longer.items(), key=lambda item: item[1].score, reverse=True)[:width]
        least = ranked[0][1].score - _HOPELESS
        beams = {text: prefix for text, prefix in ranked if prefix.score >= least}
    return next(iter(beams))


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _align(log_probs: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """The likeliest path (T,) whose text is `ids` (Viterbi), as the class of each step."""
    states = np.zeros(2 * len(ids) + 1, int)  # blank, character, blank, ... character, blank
    states[1::2] = ids
    # A character may follow the one before it without a blank between, unless it is the same one.
    leaps = np.zeros(len(states), bool)
    leaps[3::2] = states[3::2] != states[1:-2:2]

    scores = np.where(np.arange(len(states)) < 2, 0.0, -np.inf)
    came_from = np.zeros((len(log_probs), len(states)), int)
    for t, step in enumerate(log_probs):
        if t:  # stay in the state, advance by one, or leap over a blank
            before = np.append([-np.inf, -np.inf], scores)
            options = np.stack([scores, before[1:-1], np.where(leaps, before[:-2], -np.inf)])
            came_from[t] = options.argmax(axis=0)
            scores = options.max(axis=0)
        scores = scores + step[states]

    state = len(states) - 1
    if ids and scores[-2] > scores[-1]:
        state -= 1
    path = np.zeros(len(log_probs), int)
    for t in reversed(range(len(log_probs))):
        path[t] = states[state]
        state -= came_from[t, state]
    return path
