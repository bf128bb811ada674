"""How right readings are, with honest intervals. Texts are compared in NFC, case and space count.

In the rates an empty truth has no characters (or words), but what was read for it counts as
insertions. Where all truths are empty each insertion counts as a whole error, so that the rate of
readings that are all empty too is 0, and of others at least 1.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

import jiwer
import numpy as np
import shapely

_CHARACTERS = jiwer.ReduceToListOfListOfChars()
_WORDS = jiwer.ReduceToListOfListOfWords()


def accuracy(truths: Sequence[str], readings: Sequence[str]) -> float:
    """Share of the readings that are exactly right; 0 where there is none."""
    pairs = zip(truths, readings, strict=True)
    return sum(_nfc(truth) == _nfc(reading) for truth, reading in pairs) / max(len(truths), 1)


def cer(truths: Sequence[str], readings: Sequence[str]) -> float:
    """Character error rate of all the lines together: edits per character of the truths."""
    edits, lengths = _edits(truths, readings)
    return float(edits.sum() / max(lengths.sum(), 1))


def wer(truths: Sequence[str], readings: Sequence[str]) -> float:
    """Word error rate of all the lines together: edits per word of the truths."""
    truths, readings = ([" ".join(t.split()) for t in texts] for texts in (truths, readings))
    edits, lengths = _edits(truths, readings, _WORDS)
    return float(edits.sum() / max(lengths.sum(), 1))


def interval(successes: int, n: int) -> tuple[float, float]:
    """95 % interval for a share of n independent trials, (0, 1) where there was none.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n = {n}, not be {successes}")
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    reach = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def bootstrap_cer(truths: Sequence[str], readings: Sequence[str]) -> tuple[float, float]:
    """95 % interval of the CER, by drawing as many lines with replacement, 1,000 times.

    Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979; percentile intervals.
    """
    return _bootstrap(*_edits(truths, readings))


def bootstrap_change(
    truths: Sequence[str], before: Sequence[str], after: Sequence[str]
) -> tuple[float, float]:
    """95 % interval of the CER of `after` less that of `before`, two readings of the same lines.

    As each draw holds the same lines for both, how hard they happen to be counts for nothing; where
    0 lies outside, the two differ by more than the choice of the lines explains.
    """
    edits, lengths = _edits(truths, after)
    return _bootstrap(edits - _edits(truths, before)[0], lengths)


def word_f1(truth_text: str, read_text: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of the words of a text, whatever their order and case.

    Where there are none, none of them is wrong: precision is 1 without a word read, recall without
    a true one.
    """
    truth, read = (Counter(_nfc(text).casefold().split()) for text in (truth_text, read_text))
    return _f1((truth & read).total(), truth.total(), read.total())


def line_f1(
    truths: Sequence[Sequence[np.ndarray]], found: Sequence[Sequence[np.ndarray]], iou: float = 0.5
) -> tuple[float, float, float]:
    """Precision, recall and F1 of the lines found on some pages, polygons (k, 2) each.

    A line is right if its intersection with a line of the truth is at least `iou` of their union;
    each line of the truth is found once. Where there are no lines none is wrong, as for words.
    """
    right = 0
    for truth, answer in zip(truths, found, strict=True):
        shapes = [shapely.make_valid(shapely.Polygon(polygon)) for polygon in truth]
        tree, left = shapely.STRtree(shapes), set(range(len(shapes)))
        for polygon in answer:
            shape = shapely.make_valid(shapely.Polygon(polygon))
            near = left.intersection(tree.query(shape).tolist())
            overlap = {i: _iou(shape, shapes[i]) for i in near}
            best = max(overlap, key=lambda i: overlap[i], default=-1)
            if best >= 0 and overlap[best] >= iou:
                left.remove(best)
                right += 1
    return _f1(right, sum(map(len, truths)), sum(map(len, found)))


def _iou(a: shapely.Geometry, b: shapely.Geometry) -> float:
    shared = a.intersection(b).area
    return float(shared / max(a.area + b.area - shared, 1e-9))


def _f1(right: int, wanted: int, given: int) -> tuple[float, float, float]:
    f1 = 2 * right / (wanted + given) if wanted + given else 1.0
    return right / given if given else 1.0, right / wanted if wanted else 1.0, f1


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _edits(
    truths: Sequence[str], readings: Sequence[str], units: jiwer.AbstractTransform = _CHARACTERS
) -> tuple[np.ndarray, np.ndarray]:
    """For each line the edits (Levenshtein), and the units that its truth has."""
    edits, lengths = [], []
    for truth, reading in zip(truths, readings, strict=True):
        compared = jiwer.process_words(_nfc(truth), _nfc(reading), units, units)
        edits.append(compared.substitutions + compared.insertions + compared.deletions)
        lengths.append(len(compared.references[0]))
    return np.array(edits, int), np.array(lengths, int)


def _bootstrap(edits: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    if not len(edits):
        return 0.0, 0.0
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(1000):
        drawn = rng.integers(len(edits), size=len(edits))
        rates.append(edits[drawn].sum() / max(lengths[drawn].sum(), 1))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
