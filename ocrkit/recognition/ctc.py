"""From the network's outputs to text, by connectionist temporal classification (CTC).

Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks", ICML 2006. A path has a class for each time step. Its text is what
remains when repeated classes are merged and then blanks (class 0) are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.recognition.alphabet import Alphabet

_BLANK = 0
_NEGLIGIBLE = math.log(1e-3)  # characters below this log-probability are ignored in beam search
# The weight of the language model's log-probabilities beside the network's, and a bonus for each
# character, because long texts are less probable than short ones.
_WEIGHT, _BONUS = 0.2, 0.5
_PRUNED = math.exp(-6.0)  # a prefix this much less probable than the best one is dropped


@dataclass(frozen=True)
class Character:
    """A character, its confidence from 0 to 1, and its time steps from `start` up to `end`."""

    char: str
    confidence: float
    start: int
    end: int

    @property
    def centre(self) -> float:
        """The middle of its time steps."""
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Decoded:
    """A text and its characters, whose mean confidence is the text's (0 for an empty text).

    A character's confidence is its highest probability in the steps it occupies.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of logits (..., C), over their last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def uncertainty(log_probs: np.ndarray) -> float:
    """Negative log-probability per character of the best path through log-probabilities (T, C)."""
    path = log_probs.argmax(axis=-1)
    characters = int(np.count_nonzero(path[np.diff(path, prepend=-1) != 0]))
    return -float(log_probs.max(axis=-1).sum()) / max(1, characters)


def greedy(logits: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text of the most probable path through logits (T, C)."""
    return greedy_batch(logits[:, None], alphabet)[0]


def greedy_batch(logits: np.ndarray, alphabet: Alphabet) -> list[Decoded]:
    """The text of the most probable path for each of the N items of logits (T, N, C).

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
    """The most probable text in log-probabilities (T, C), summed over all paths that give it.

    Prefix beam search, which keeps the `width` best prefixes at each step: Hannun et al.,
    "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs",
    2014. The characters' steps are those of the text's most probable path.

    language: the log-probability of a character, given the text before it.

    Raises ValueError if C is not the alphabet's number of classes.
    """

    def gain(before: str, character: str) -> float:
        return math.exp(_WEIGHT * language(before, character) + _BONUS) if language else 1.0

    best = greedy(log_probs, alphabet)
    if ((log_probs > _NEGLIGIBLE).sum(axis=1) < 2).all():
        return best  # there is no alternative at any step
    text = _best_text(log_probs, alphabet, width, gain)
    if text == best.text:  # the greedy path is the most probable path of all
        return best
    path = _align(log_probs, alphabet.encode(text))
    return _decoded(path, np.exp(log_probs[np.arange(len(path)), path]), alphabet)


def _decoded(path: np.ndarray, probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """The text of a path (T,) of classes, given the probability of each step (T,)."""
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


def _best_text(
    log_probs: np.ndarray, alphabet: Alphabet, width: int, gain: Callable[[str, str], float]
) -> str:
    """The text that a prefix beam search finds; `gain` multiplies a prefix's probability.

    A prefix has the product of its gains, and two probabilities of its paths so far: of those that
    end in a blank and of the others, since only after a blank the same character is a new one.
    They are plain probabilities, scaled at each step so that the best prefix has 1: sums of
    logarithms would take several times as long.
    """
    beams = {"": (1.0, 1.0, 0.0)}  # text -> gains, ending in a blank, ending in a character
    for blank, likely in _steps(log_probs, alphabet):
        if not likely:  # as between most characters: each prefix goes on with a blank
            beams = {
                text: (gains, blank * (after_blank + after_char), 0.0)
                for text, (gains, after_blank, after_char) in beams.items()
            }
            continue
        repeated = dict(likely)
        longer: dict[str, list[float]] = {}
        for text, (gains, after_blank, after_char) in beams.items():
            last, either = text[-1:], after_blank + after_char
            same = longer.get(text)
            if same is None:
                same = longer[text] = [gains, 0.0, 0.0]
            same[1] += either * blank
            same[2] += after_char * repeated.get(last, 0.0)
            for char, prob in likely:
                before = after_blank if char == last else either
                new = longer.get(text + char)
                if new is None:
                    longer[text + char] = [gains * gain(text, char), 0.0, before * prob]
                else:
                    new[2] += before * prob
        ranked = sorted(
            ((gains * (b + c), text, gains, b, c) for text, (gains, b, c) in longer.items()),
            key=_score,
            reverse=True,
        )[:width]
        best, _, scale, b, c = ranked[0]
        total = b + c
        beams = {
            text: (gains / scale, b / total, c / total)
            for score, text, gains, b, c in ranked
            if score >= best * _PRUNED
        }
    return next(iter(beams))


def _score(prefix: tuple[float, str, float, float, float]) -> float:
    return prefix[0]


def _steps(
    log_probs: np.ndarray, alphabet: Alphabet
) -> Iterator[tuple[float, list[tuple[str, float]]]]:
    """The blank's probability and the likely characters with theirs, step by step.

    Steps in a row at which only the blank is likely are merged into one.
    """
    likely = log_probs > _NEGLIGIBLE
    likely[:, _BLANK] = False
    steps, classes = np.nonzero(likely)
    probs = np.exp(log_probs[steps, classes].astype(np.float64)).tolist()
    pairs = list(zip([alphabet.characters[c - 1] for c in classes], probs, strict=True))
    blanks = log_probs[:, _BLANK].astype(np.float64)
    active, first = np.unique(steps, return_index=True)
    at = 0
    for step, start, end in zip(
        active.tolist(), first.tolist(), [*first[1:].tolist(), len(pairs)], strict=True
    ):
        if step > at:
            # Only prefixes among themselves are compared, so a factor that all share is left out.
            yield 1.0, []
        yield math.exp(blanks[step]), pairs[start:end]
        at = step + 1
    if at < len(log_probs):
        yield 1.0, []


def _align(log_probs: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """The most probable path (T,) whose text is `ids` (Viterbi), as the class of each step."""
    states = np.zeros(2 * len(ids) + 1, int)  # blank, character, blank, ... character, blank
    states[1::2] = ids
    # A blank between two characters may be left out, unless they are the same.
    skip = np.full(len(states), -np.inf)
    skip[3::2] = np.where(states[3::2] != states[1:-2:2], 0.0, -np.inf)

    # Two places before the first state, so that all states are treated alike.
    scores = np.full(len(states) + 2, -np.inf)
    scores[2:4] = log_probs[0, states[:2]]
    came_from = np.zeros((len(log_probs), len(states)), np.int8)
    for t, step in enumerate(log_probs[1:, states], start=1):
        stay, advance, leap = scores[2:], scores[1:-1], scores[:-2] + skip
        best = np.maximum(stay, advance)
        came_from[t] = np.where(leap > best, 2, advance > stay)
        scores[2:] = np.maximum(best, leap) + step
    scores = scores[2:]

    state = len(states) - 1
    if ids and scores[-2] > scores[-1]:
        state -= 1
    path = np.zeros(len(log_probs), int)
    for t in reversed(range(len(log_probs))):
        path[t] = states[state]
        state -= int(came_from[t, state])
    return path
