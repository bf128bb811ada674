"""Other pictures of an uncertain line, so that it can be read several times.

A network makes other errors if a line is a little larger, wider, higher or more slanted, so several
readings together are right more often than one alone (test-time augmentation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ocrkit.image import magnified, moved, slanted, without_blank_rows

Variant = Callable[[np.ndarray], np.ndarray]  # a tightened crop (H, W) -> another of the same line

_CUT, _STRETCH = 0.06, 1.25


def larger(crop: np.ndarray) -> np.ndarray:
    """Larger letters: a short line loses its blank rows, others a few rows, and are stretched."""
    low = without_blank_rows(crop)
    return low if len(low) < (1 - 2 * _CUT) * len(crop) else magnified(crop, _CUT, _STRETCH)


def _fewer_rows(crop: np.ndarray) -> np.ndarray:
    return magnified(crop, _CUT, 1.0)


def _wider(crop: np.ndarray) -> np.ndarray:
    return magnified(crop, 0.0, 1.15)


def _moved_up(crop: np.ndarray) -> np.ndarray:
    return moved(crop, -0.06)


def _leaning(crop: np.ndarray) -> np.ndarray:
    return slanted(crop, 0.2)


@dataclass(frozen=True)
class Round:
    """When a line is read again, and in which ways.

    above, below: the negative log-probability per character of its most certain reading so far.
    """

    above: float
    below: float
    variants: tuple[Variant, ...]


# Chosen on held-out books. A line above the last limit is no text, or of a kind that the network
# never learned: more readings would not help.
ROUNDS = (
    Round(0.08, math.inf, (larger,)),
    Round(0.35, 1.0, (_fewer_rows, _wider, _moved_up, _leaning)),
)
UNCERTAIN = ROUNDS[0].above
# With more readings, all of them decide together. Of the first two the more certain one is as good
# as both, and takes less time.
ALONE = 1 + len(ROUNDS[0].variants)
