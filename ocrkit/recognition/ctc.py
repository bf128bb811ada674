"""From the network's outputs to text, by connectionist temporal classification (CTC).

Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks", ICML 2006. A path has a class for each time step. Its text is what
remains when repeated classes are merged and then blanks (class 0) are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.language import LanguageModel

_BLANK = 0
_NEGLIGIBLE = math.log(1e-3)  # characters below this log-probability are ignored in beam search
# The weight of the language model's log-probabilities beside the network's: for a network that was
# calibrated on print. A less certain one, as for handwriting, reads better with a higher weight.
LANGUAGE_WEIGHT = 0.2
# A bonus for each character, times that weight, because long texts are less probable than short
# ones: about what a character costs on average.
BONUS = 2.5
_PRUNED = -6.0  # a text whose logarithm is this much below that of the best one is dropped

Step = tuple[float, list[tuple[str, float]]]  # probability of the blank, and of likely characters
_Chosen = tuple[float, Any]  # a score, and its last text with the `_Chosen` before it, or None


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


def most_probable(log_probs: np.ndarray, alphabet: Alphabet) -> Decoded:
    """As `greedy`, of log-probabilities (T, C), which takes less time.

    Raises ValueError if C is not the alphabet's number of classes.
    """
    _check_classes(log_probs, alphabet)
    return _decoded(log_probs.argmax(axis=-1), np.exp(log_probs.max(axis=-1)), alphabet)


def greedy_batch(logits: np.ndarray, alphabet: Alphabet) -> list[Decoded]:
    """The text of the most probable path for each of the N items of logits (T, N, C).

    Raises ValueError if C is not the alphabet's number of classes.
    """
    _check_classes(logits, alphabet)
    best = logits.argmax(axis=-1)
    highest = logits.max(axis=-1)
    probs = 1 / np.exp(logits - highest[:, :, None]).sum(axis=-1)
    return [_decoded(best[:, n], probs[:, n], alphabet) for n in range(logits.shape[1])]


def _check_classes(outputs: np.ndarray, alphabet: Alphabet) -> None:
    if outputs.shape[-1] != len(alphabet):
        raise ValueError(
            f"the outputs have {outputs.shape[-1]} classes, the alphabet (with the blank) has "
            f"{len(alphabet)}: model and alphabet do not belong together"
        )


def beam(
    log_probs: np.ndarray,
    alphabet: Alphabet,
    width: int = 8,
    language: LanguageModel | None = None,
    weight: float = LANGUAGE_WEIGHT,
) -> Decoded:
    """The most probable text in log-probabilities (T, C), summed over all paths that give it.

    At steps where only the blank is likely, a line falls into segments whose texts do not depend on
    each other, mostly a character each. `_alternatives` finds the likely texts of a segment, and
    `_choices` the best text of each, given those before it. The characters' steps are those of the
    text's most probable path.

    width: how many texts are kept at each step of a segment, and after each segment of a line.
    language: its log-probabilities of the characters, times `weight`, count beside the network's.

    Raises ValueError if C is not the alphabet's number of classes.
    """
    best = most_probable(log_probs, alphabet)
    spans, texts = [], []
    for start, end, steps in _segments(log_probs, alphabet):
        spans.append((start, end))
        texts.append(_alternatives(steps, width))
    chosen = _choices(texts, width, language, weight)
    if "".join(chosen) == best.text:  # the greedy path is the most probable path of all
        return best
    path = log_probs.argmax(axis=-1)
    for (start, end), text in zip(spans, chosen, strict=True):
        if text != _text_of(path[start:end], alphabet):
            path[start:end] = _align(log_probs[start:end], alphabet.encode(text))
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


def _text_of(path: np.ndarray, alphabet: Alphabet) -> str:
    """The text of a path (T,) of classes."""
    return alphabet.decode([c for c, _ in groupby(path.tolist()) if c != _BLANK])


def _segments(log_probs: np.ndarray, alphabet: Alphabet) -> Iterator[tuple[int, int, list[Step]]]:
    """The runs of steps at which characters are likely: first step, end, and what is likely."""
    likely = log_probs > _NEGLIGIBLE
    likely[:, _BLANK] = False
    steps, classes = np.nonzero(likely)
    if not len(steps):
        return
    probs = np.exp(log_probs[steps, classes].astype(np.float64)).tolist()
    pairs = list(zip([alphabet.characters[c - 1] for c in classes], probs, strict=True))
    blanks = np.exp(log_probs[:, _BLANK].astype(np.float64)).tolist()
    active, first = np.unique(steps, return_index=True)
    bounds = zip(active.tolist(), first.tolist(), [*first[1:].tolist(), len(pairs)], strict=True)
    run: list[Step] = []
    end = -1
    for step, start, stop in bounds:
        if run and step > end:
            yield end - len(run), end, run
            run = []
        run.append((blanks[step], pairs[start:stop]))
        end = step + 1
    yield end - len(run), end, run


def _alternatives(steps: Sequence[Step], width: int) -> list[tuple[str, float]]:
    """The likely texts of a segment, and the probability of each: the sum over its paths.

    Prefix beam search: Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition
    using Bi-Directional Recurrent DNNs", 2014. A text has two probabilities of its paths so far: of
    those that end in a blank and of the others, since only after a blank the same character is a
    new one. They are plain probabilities: sums of logarithms would take several times as long.
    """
    texts = {"": (1.0, 0.0)}
    for blank, likely in steps:
        repeated = dict(likely)
        reached = {
            text: [blank * (b + c), c * repeated.get(text[-1:], 0.0)]
            for text, (b, c) in texts.items()
        }
        for text, (after_blank, after_char) in texts.items():
            last, either = text[-1:], after_blank + after_char
            for char, prob in likely:
                paths = prob * (after_blank if char == last else either)
                if known := reached.get(text + char):
                    known[1] += paths
                else:
                    reached[text + char] = [0.0, paths]
        ranked = sorted(((b + c, text) for text, (b, c) in reached.items()), reverse=True)[:width]
        least = math.exp(_PRUNED) * ranked[0][0]
        texts = {
            text: (reached[text][0], reached[text][1]) for prob, text in ranked if prob >= least
        }
    return [(text, b + c) for text, (b, c) in texts.items()]


def _choices(
    segments: Sequence[Sequence[tuple[str, float]]],
    width: int,
    language: LanguageModel | None,
    weight: float,
) -> list[str]:
    """The text of each segment in the best text of all, given the alternatives of each segment.

    Of texts that end alike only the best goes on: the language model looks at no more than their
    last characters, so all that follows is the same for them.
    """
    if language is None:
        return [max(texts, key=itemgetter(1))[0] for texts in segments]
    best: dict[str, _Chosen] = {"": (0.0, None)}  # by their last characters
    for texts in segments:
        likely = [(text, math.log(prob)) for text, prob in texts]
        best = _extended(best, likely, width, language, weight)
    chosen = max(best.values(), key=itemgetter(0))
    backwards = []
    while chosen[1]:
        text, chosen = chosen[1]
        backwards.append(text)
    return backwards[::-1]


def _extended(
    best: dict[str, _Chosen],
    texts: Sequence[tuple[str, float]],
    width: int,
    language: LanguageModel,
    weight: float,
) -> dict[str, _Chosen]:
    """The best choices after one more segment, given its texts and their log-probabilities."""
    context = language.context
    if len(best) == len(texts) == 1:  # the language model cannot change the choice
        ((last, so_far),), ((text, log_prob),) = best.items(), texts
        return {(last + text)[-context:]: (so_far[0] + log_prob, (text, so_far))}
    reached: dict[str, _Chosen] = {}
    highest, bonus = -math.inf, BONUS * weight
    for last, so_far in best.items():
        for text, log_prob in texts:
            score, end = so_far[0] + log_prob, last
            # The language model can add no more than the bonus: most texts it need not look at.
            if score + bonus * len(text) < highest + _PRUNED:
                continue
            for char in text:
                score += weight * language.log_probability(end, char) + bonus
                end = (end + char)[-context:]
            if score > highest:
                highest = score
            if end not in reached or reached[end][0] < score:
                reached[end] = score, (text, so_far)
    kept = [item for item in reached.items() if item[1][0] >= highest + _PRUNED]
    return dict(nlargest(width, kept, key=_score))


def _score(item: tuple[str, _Chosen]) -> float:
    return item[1][0]


def log_likelihoods(log_probs: np.ndarray, texts: Sequence[Sequence[int]]) -> list[float]:
    """The log-probability of each text in log-probabilities (T, C): the sum over all its paths.

    The forward variables of Graves et al., 2006, section 4.1, for all texts at once; -inf if T is
    too small for a text. texts: the classes of their characters.
    """
    lengths = np.array([2 * len(ids) + 1 for ids in texts])
    states, skip = np.zeros((2, len(texts), lengths.max()), int)
    for row, (ids, length) in enumerate(zip(texts, lengths.tolist(), strict=True)):
        states[row, :length], allowed = _states(ids)
        skip[row, :length] = allowed == 0
    # Plain probabilities, divided by the highest of each step: logarithms would take longer.
    probs = np.exp(log_probs.astype(np.float64))[:, states]
    forward = np.zeros((len(texts), lengths.max() + 2))  # two places before the first state
    forward[:, 2:4] = probs[0, :, :2]
    total = np.zeros(len(texts))
    for step in probs[1:]:
        reached = (forward[:, 2:] + forward[:, 1:-1] + skip * forward[:, :-2]) * step
        highest = reached.max(axis=1)
        total += np.log(np.maximum(highest, 1e-300))
        forward[:, 2:] = reached / np.maximum(highest, 1e-300)[:, None]
    # A path ends in the last character or in the blank after it; without characters, in the blank.
    rows = np.arange(len(texts))
    ends = forward[rows, lengths + 1] + np.where(lengths > 1, forward[rows, lengths], 0.0)
    with np.errstate(divide="ignore"):
        return (total + np.log(ends)).tolist()


def _states(ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The classes that the paths of a text go through, and 0 where the one before may be left out.

    They are blank, character, blank, ... character, blank. A blank between two characters may be
    left out, unless they are the same; elsewhere the second array has -inf.
    """
    states = np.zeros(2 * len(ids) + 1, int)
    states[1::2] = ids
    skip = np.full(len(states), -np.inf)
    skip[3::2] = np.where(states[3::2] != states[1:-2:2], 0.0, -np.inf)
    return states, skip


def _align(log_probs: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """The most probable path (T,) whose text is `ids` (Viterbi), as the class of each step."""
    states, skip = _states(ids)
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
