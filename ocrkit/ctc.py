"""From the network's outputs to text, by connectionist temporal classification (CTC).

Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks", ICML 2006. A path names a class for each time step; the text of a path
is what remains when repeats are collapsed and then blanks (class 0) dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ocrkit.alphabet import Alphabet

_BLANK = 0
_NEGLIGIBLE = math.log(1e-5)  # less likely characters cannot lift a prefix into a beam


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


def greedy(log_probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text of the likeliest path through log-probabilities (T, C)."""
    return greedy_batch(log_probs[:, None], alphabet)[0]


def greedy_batch(logits: np.ndarray, alphabet: Alphabet) -> list[Decoded]:
    """The text of the likeliest path for each of the N items of logits (T, N, C).

    Raises ValueError if C is not the alphabet's number of classes.
    """
    _check_classes(logits, alphabet)
    best = logits.argmax(axis=-1)
    highest = logits.max(axis=-1)
    probs = 1 / np.exp(logits - highest[:, :, None]).sum(axis=-1)
    return [_decoded(best[:, n], probs[:, n], alphabet) for n in range(logits.shape[1])]


def beam(log_probs: np.ndarray, alphabet: Alphabet, width: int = 10) -> Decoded:
    """The likeliest text in log-probabilities (T, C), summed over all paths that give it.

    Prefix beam search, keeping the `width` likeliest prefixes at each step: Hannun et al.,
    "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
    2014. The characters' steps are those of the text's likeliest path.

    Raises ValueError if C is not the alphabet's number of classes, or the width is less than 1.
    """
    _check_classes(log_probs, alphabet)
    if width < 1:
        raise ValueError(f"a beam is at least 1 wide, not {width}")
    prefix = _likeliest_prefix(log_probs, width)
    path = _align(log_probs, prefix)
    return _decoded(path, np.exp(log_probs[np.arange(len(path)), path]), alphabet)


def _check_classes(values: np.ndarray, alphabet: Alphabet) -> None:
    if values.shape[-1] != len(alphabet):
        raise ValueError(
            f"the outputs have {values.shape[-1]} classes, the alphabet (with the blank) has "
            f"{len(alphabet)}: model and alphabet do not belong together"
        )


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


def _likeliest_prefix(log_probs: np.ndarray, width: int) -> tuple[int, ...]:
    # For each prefix the log-probabilities of the paths so far that end in a blank, and that do
    # not: only after a blank is the same character again a new one.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for step in log_probs:
        likely = [(c, float(step[c])) for c in np.flatnonzero(step > _NEGLIGIBLE).tolist() if c]
        blank = float(step[_BLANK])
        longer: dict[tuple[int, ...], tuple[float, float]] = {}
        for prefix, (ends_blank, ends_char) in beams.items():
            either = _add(ends_blank, ends_char)
            repeat = ends_char + float(step[prefix[-1]]) if prefix else -math.inf
            was_blank, was_char = longer.get(prefix, (-math.inf, -math.inf))
            longer[prefix] = (_add(was_blank, either + blank), _add(was_char, repeat))
            for c, log_prob in likely:
                before = ends_blank if prefix and prefix[-1] == c else either
                was_blank, was_char = longer.get((*prefix, c), (-math.inf, -math.inf))
                longer[(*prefix, c)] = (was_blank, _add(was_char, before + log_prob))
        ranked = sorted(longer.items(), key=lambda item: _add(*item[1]), reverse=True)
        beams = dict(ranked[:width])
    return next(iter(beams))


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _align(log_probs: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
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
