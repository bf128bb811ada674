"""Lines that are too long for a recogniser: read in parts, cut between words, and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ocrkit.document import mean_confidence
from ocrkit.image import parts_of
from ocrkit.recognition.reading import Reading, WordReading

Recognize = Callable[[Sequence[np.ndarray]], list[Reading]]


def read_in_parts(recognize: Recognize, crops: Sequence[np.ndarray]) -> list[Reading]:
    """The readings of grey crops (H, W) uint8 of lines of any length, in the crops' order."""
    parts = [parts_of(crop) for crop in crops]
    read = iter(recognize([part for crop in parts for part in crop]))
    return [joined([next(read) for _ in crop], [part.shape[1] for part in crop]) for crop in parts]


def joined(readings: Sequence[Reading], widths: Sequence[int]) -> Reading:
    """The readings of the parts of a line, whose crops have these widths, as one reading."""
    if len(readings) == 1:
        return readings[0]
    words, start = [], 0
    for reading, width in zip(readings, widths, strict=True):
        for word in reading.words:
            first, last = ((start + width * x) / sum(widths) for x in (word.start, word.end))
            words.append(WordReading(word.text, word.confidence, first, last, word.characters))
        start += width
    text = " ".join(reading.text for reading in readings if reading.text)
    return Reading(text, mean_confidence(readings), tuple(words))
