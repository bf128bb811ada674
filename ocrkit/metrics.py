"""Error rates of text and of line detection, with 95 % intervals.

Texts are compared after Unicode normalisation (NFC); case and spaces count. A target is the correct
text, a prediction is what was read.

An empty target adds no characters (or words) to the denominator of a rate, but every character
predicted for it is counted as an insertion. If all targets are empty, the denominator is 1: the
rate is 0 if all predictions are empty too, and otherwise the number of insertions.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import jiwer
import numpy as np
import shapely

_CHARACTERS = jiwer.ReduceToListOfListOfChars()
_WORDS = jiwer.ReduceToListOfListOfWords()


def accuracy(targets: Sequence[str], predictions: Sequence[str]) -> float:
    """Share of the predictions that equal their target; 0 if there are no lines."""
    pairs = zip(targets, predictions, strict=True)
    return sum(_nfc(target) == _nfc(guess) for target, guess in pairs) / max(len(targets), 1)


def cer(targets: Sequence[str], predictions: Sequence[str]) -> float:
    """Character error rate over all lines: Levenshtein edits / characters of the targets."""
    edits, lengths = _edits(targets, predictions)
    return float(edits.sum() / max(lengths.sum(), 1))


def wer(targets: Sequence[str], predictions: Sequence[str]) -> float:
    """Word error rate over all lines: Levenshtein edits of words / words of the targets."""
    targets, predictions = (
        [" ".join(t.split()) for t in texts] for texts in (targets, predictions)
    )
    edits, lengths = _edits(targets, predictions, _WORDS)
    return float(edits.sum() / max(lengths.sum(), 1))


def interval(successes: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of the share successes / n of n independent trials.

    It is (0, 1) if n is 0. Raises ValueError if successes is not between 0 and n.
    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes is {successes}; it must be between 0 and n = {n}")
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half_width = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def bootstrap_cer(targets: Sequence[str], predictions: Sequence[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the CER; (0, 0) if there are no lines.

    The lines are resampled with replacement 1,000 times; the interval goes from the 2.5 to the 97.5
    percentile of the CER of these samples.
    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979.
    """
    return _bootstrap(*_edits(targets, predictions))


def bootstrap_wer(targets: Sequence[str], predictions: Sequence[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the WER, as `bootstrap_cer`."""
    return _bootstrap(*_edits(targets, predictions, _WORDS))


def bootstrap_change(
    targets: Sequence[str], before: Sequence[str], after: Sequence[str]
) -> tuple[float, float]:
    """95 % bootstrap interval of CER(after) - CER(before), two predictions for the same lines.

    This is a paired test: each sample contains the same lines for both, so lines that are difficult
    for both do not widen the interval. If 0 is outside the interval, the difference is significant.
    """
    edits, lengths = _edits(targets, after)
    return _bootstrap(edits - _edits(targets, before)[0], lengths)


def correct_characters(target: str, prediction: str) -> list[bool]:
    """For each character of a prediction, whether it is right, in the best alignment of the two.

    The best alignment has the fewest edits; characters that are substituted or inserted are wrong.
    """
    target, prediction = _nfc(target), _nfc(prediction)
    right = [False] * len(prediction)
    if target and prediction:
        for chunk in jiwer.process_characters(target, prediction).alignments[0]:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (
                    chunk.hyp_end_idx - chunk.hyp_start_idx
                )
    return right


def confusions(
    targets: Sequence[str], predictions: Sequence[str], most: int = 20
) -> list[tuple[str, str, int]]:
    """What is read for what, and how often; the most frequent first, up to `most` of them.

    Each is a part of the targets, what was predicted for it, and the count. A part that was missed
    has the prediction "", one that was invented has the target "".
    """
    counts: Counter[tuple[str, str]] = Counter()
    for target, prediction in zip(map(_nfc, targets), map(_nfc, predictions), strict=True):
        if not target or not prediction:
            counts[target, prediction] += target != prediction
            continue
        for chunk in jiwer.process_characters(target, prediction).alignments[0]:
            if chunk.type != "equal":
                wanted = target[chunk.ref_start_idx : chunk.ref_end_idx]
                counts[wanted, prediction[chunk.hyp_start_idx : chunk.hyp_end_idx]] += 1
    return [(*pair, count) for pair, count in counts.most_common(most) if count]


@dataclass(frozen=True)
class ReliabilityBin:
    """Readings whose confidence lies in one range: how many, how sure, and how often right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(
    confidences: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """A reliability diagram as a table: the bins of equal width that are not empty.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017. Raises ValueError for a
    confidence that is not from 0 to 1.
    """
    values, right = np.asarray(confidences, float), np.asarray(correct, bool)
    if len(values) != len(right):
        raise ValueError(f"{len(values)} confidences, but {len(right)} results; give one for each")
    if len(values) and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError("confidences must be from 0 to 1")
    numbers = np.minimum((values * bins).astype(int), bins - 1)
    table = []
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        mean, share = float(values[inside].mean()), float(right[inside].mean())
        edges = number / bins, (number + 1) / bins
        table.append(ReliabilityBin(*edges, int(inside.sum()), mean, share))
    return tuple(table)


def expected_calibration_error(
    confidences: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> float:
    """Mean distance of confidence and accuracy over the bins of `reliability`, weighted by count.

    It is 0 for a perfectly calibrated reader, and for no readings.
    """
    table = reliability(confidences, correct, bins)
    total = sum(row.count for row in table)
    return sum(row.count * abs(row.confidence - row.accuracy) for row in table) / max(total, 1)


def word_f1(target: str, prediction: str) -> tuple[float, float, float]:
    """Precision, recall and F1 of the words of a text; their order and case do not count.

    Precision is 1 if no word was predicted, recall is 1 if the target has no word.
    """
    wanted, found = (Counter(_nfc(text).casefold().split()) for text in (target, prediction))
    return _f1((wanted & found).total(), wanted.total(), found.total())


def order_accuracy(target: Sequence[str], prediction: Sequence[str]) -> float:
    """The share of pairs of words of a page that are read in the right order, 0 to 1.

    target, prediction: the words in reading order. Only words that are once in both are compared,
    because only these are known to be the same. Of n of them all n (n - 1) / 2 pairs count, so
    that 0.5 is chance and 1 the right order; it is (1 + Kendall's tau) / 2. It is 1 for less than
    two words.
    """
    once = {w for w, n in Counter(target).items() if n == 1}
    once &= {w for w, n in Counter(prediction).items() if n == 1}
    place = {word: i for i, word in enumerate(w for w in prediction if w in once)}
    order = np.array([place[word] for word in target if word in once])
    pairs = len(order) * (len(order) - 1) // 2
    right = sum(int((order[i + 1 :] > value).sum()) for i, value in enumerate(order))
    return right / pairs if pairs else 1.0


def line_f1(
    targets: Sequence[Sequence[np.ndarray]],
    predictions: Sequence[Sequence[np.ndarray]],
    iou: float = 0.5,
    ignored: Sequence[Sequence[np.ndarray]] = (),
) -> tuple[float, float, float]:
    """Precision, recall and F1 of detected lines: for each page a list of polygons (k, 2).

    A predicted line is correct if its intersection over union (IoU) with a target line is at least
    `iou`; each target line can be matched once. Without lines both are 1, as in `word_f1`.
    ignored: for each page where lines may be that are not known; a prediction that matches no
    target is not counted if half of it lies there.
    """
    correct = uncounted = 0
    for page, (wanted, found) in enumerate(zip(targets, predictions, strict=True)):
        unknown = shapely.union_all([_shape(p) for p in ignored[page]] if ignored else [])
        shapes = [_shape(polygon) for polygon in wanted]
        tree, unmatched = shapely.STRtree(shapes), set(range(len(shapes)))
        for polygon in found:
            shape = _shape(polygon)
            near = unmatched.intersection(tree.query(shape).tolist())
            overlap = {i: _iou(shape, shapes[i]) for i in near}
            best = max(overlap, key=lambda i: overlap[i], default=-1)
            if best >= 0 and overlap[best] >= iou:
                unmatched.remove(best)
                correct += 1
            elif shape.intersection(unknown).area >= 0.5 * shape.area:
                uncounted += 1
    return _f1(correct, sum(map(len, targets)), sum(map(len, predictions)) - uncounted)


def _shape(polygon: np.ndarray) -> shapely.Geometry:
    return shapely.make_valid(shapely.Polygon(polygon))


def _iou(a: shapely.Geometry, b: shapely.Geometry) -> float:
    shared = a.intersection(b).area
    return float(shared / max(a.area + b.area - shared, 1e-9))


def _f1(correct: int, wanted: int, found: int) -> tuple[float, float, float]:
    f1 = 2 * correct / (wanted + found) if wanted + found else 1.0
    return correct / found if found else 1.0, correct / wanted if wanted else 1.0, f1


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _edits(
    targets: Sequence[str],
    predictions: Sequence[str],
    units: jiwer.AbstractTransform = _CHARACTERS,
) -> tuple[np.ndarray, np.ndarray]:
    """Levenshtein edits of each line (N,), and the number of units of its target (N,)."""
    edits, lengths = [], []
    for target, prediction in zip(targets, predictions, strict=True):
        compared = jiwer.process_words(_nfc(target), _nfc(prediction), units, units)
        edits.append(compared.substitutions + compared.insertions + compared.deletions)
        lengths.append(len(compared.references[0]))
    return np.array(edits, int), np.array(lengths, int)


def _bootstrap(edits: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of sum(edits) / sum(lengths) over samples of the lines."""
    if not len(edits):
        return 0.0, 0.0
    # scipy.stats.bootstrap gives the same numbers, but takes seconds to import and is no faster.
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(1000):
        drawn = rng.integers(len(edits), size=len(edits))
        rates.append(edits[drawn].sum() / max(lengths[drawn].sum(), 1))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
