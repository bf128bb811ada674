"""Which lines to correct first, and what more of them are expected to bring."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LETTERS = 3  # characters in a row that are counted, to see whether a line brings something new


def most_useful(texts: Sequence[str], confidences: Sequence[float], count: int) -> list[int]:
    """The indices of the lines that are worth most to be corrected, the best first.

    The value of a line is the number of its characters that are expected to be wrong, spread over
    its groups of three characters. A group counts less each time it was in a line chosen before. So
    long and uncertain lines come first, but not many of the same kind. (Active
    learning by uncertainty and coverage, as in Settles, "Active Learning Literature Survey", 2009.)

    texts, confidences: the readings of all lines that could be corrected.
    """
    groups = [
        Counter(f" {text} "[i : i + _LETTERS] for i in range(max(1, len(text)))) for text in texts
    ]
    chosen: Counter[str] = Counter()

    def worth(index: int) -> float:
        doubt = 1 - confidences[index]
        return doubt * sum(n / (1 + chosen[group]) for group, n in groups[index].items())

    # The value of a line only falls while others are chosen, so only the first has to be checked.
    queue = [(-worth(i), i) for i in range(len(texts))]
    heapq.heapify(queue)
    result: list[int] = []
    while queue and len(result) < count:
        _, index = heapq.heappop(queue)
        now = -worth(index)
        if queue and now > queue[0][0]:
            heapq.heappush(queue, (now, index))
            continue
        result.append(index)
        chosen.update(groups[index])
    return result


@dataclass(frozen=True)
class PowerLaw:
    """A learning curve: error rate = scale * (lines + offset) ** -exponent.

    The error rates of many learners fall so: Hestness et al., "Deep Learning Scaling is
    Predictable, Empirically", 2017.
    """

    scale: float
    exponent: float
    offset: float

    def __call__(self, lines: float) -> float:
        """The error rate to expect after training on this number of lines."""
        return float(self.scale * (lines + self.offset) ** -self.exponent)


def power_law(lines: Sequence[float], rates: Sequence[float]) -> PowerLaw:
    """The power law that fits a learning curve best: error rates after so many lines.

    The squared differences of the logarithms are least. 0 lines is the reader before training.
    Raises ValueError for less than three sizes, or a rate that is not above 0.
    """
    from scipy.optimize import least_squares

    x, y = np.asarray(lines, float), np.asarray(rates, float)
    if len(set(lines)) < 3 or not (y > 0).all():
        raise ValueError("a power law is fitted to three sizes or more, with rates above 0")

    def differences(parameters: np.ndarray) -> np.ndarray:
        scale, exponent, offset = parameters
        return np.asarray(scale - exponent * np.log(x + np.exp(offset)) - np.log(y))

    start = [float(np.log(y.max())) + 1, 0.3, float(np.log(np.median(x) + 1))]
    # An exponent below 0 would be a reader that gets worse with every line.
    fitted = least_squares(differences, start, bounds=([-30, 0, -3], [30, 3, 12]))
    scale, exponent, offset = fitted.x
    return PowerLaw(float(np.exp(scale)), float(exponent), float(np.exp(offset)))
