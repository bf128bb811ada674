"""What a line says: text, confidence and words, from the decoded characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocrkit.recognition.ctc import Character, Decoded
from ocrkit.recognition.letterspacing import without_letterspacing, word_spans


@dataclass(frozen=True)
class WordReading:
    """A word of a line; `start` and `end` are its sides, as shares (0..1) of the crop's width.

    characters: the confidence of each character; empty if they are not known.
    """

    text: str
    confidence: float
    start: float
    end: float
    characters: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a line says; confidences are from 0 to 1, and 0 for a line without text."""

    text: str
    confidence: float
    words: tuple[WordReading, ...] = ()


EMPTY = Reading("", 0.0)


def reading_of(decoded: Decoded, steps: int) -> Reading:
    """Text and words of a line, from the characters decoded in its `steps` time steps."""
    characters = without_letterspacing(decoded.characters)
    centres = [c.centre for c in characters]
    # CTC marks a character at one point inside it, so the width of a character is an estimate.
    pitch = float(np.median(np.diff(centres))) if len(centres) > 1 else steps / 2
    words: list[WordReading] = []
    for first, end in word_spans(characters):
        # A word reaches no further than the space before it and the space after it.
        start = max(centres[first - 1] if first else 0.0, centres[first] - pitch / 2)
        limit = centres[end] if end < len(characters) else float(steps)
        stop = min(limit, centres[end - 1] + pitch / 2)
        words.append(_word(characters[first:end], start / steps, stop / steps))
    text = " ".join(word.text for word in words)
    return Reading(text, decoded.confidence if words else 0.0, tuple(words))


def _word(characters: Sequence[Character], start: float, end: float) -> WordReading:
    confidences = tuple(c.confidence for c in characters)
    mean = sum(confidences) / len(characters)
    return WordReading("".join(c.char for c in characters), mean, start, end, confidences)
