"""Other pictures of an uncertain line, so that it can be read several times.

A network makes other errors if a line is a little larger, wider, higher or more slanted, so several
readings together are right more often than one alone (test-time augmentation).
"""

from __future__ import annotations

from collections.abc import Callable

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


# A line is read again, in all of these ways, if the negative log-probability per character of its
# most certain reading is above the number. Numbers and ways were chosen on held-out books.
ROUNDS: tuple[tuple[float, tuple[Variant, ...]], ...] = (
    (0.08, (larger,)),
    (0.25, (_fewer_rows, _wider, _moved_up, _leaning)),
)
# With more readings, all of them decide together. Of the first two the more certain one is as good
# as both, and takes less time.
ALONE = 1 + len(ROUNDS[0][1])
