"""How well lines are read: the scores, what is confused, and the worst lines as pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ocrkit.files import write
from ocrkit.measure.diff import diff
from ocrkit.measure.tables import Score
from ocrkit.metrics import (
    ReliabilityBin,
    cer,
    confusions,
    expected_calibration_error,
    reliability,
)
from ocrkit.training.evaluation import Evaluation

_HEIGHT = 40  # px of a line's picture
_STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem}
table {border-collapse: collapse} th, td {text-align: left; padding: .2rem .8rem;
border-bottom: 1px solid #ccc} td.number {text-align: right} section {margin: 1.5rem 0}
img {max-width: 100%; border: 1px solid #ccc} p {margin: .3rem 0}
"""


def scores(evaluation: Evaluation) -> list[Score]:
    """CER, WER and the share of exact lines, with intervals, and the calibration error."""
    return [
        Score("CER", evaluation.cer, evaluation.cer_interval),
        Score("WER", evaluation.wer, evaluation.wer_interval),
        Score("lines exact", evaluation.accuracy, evaluation.accuracy_interval),
        Score("calibration error", calibration(evaluation)[0], note="of the confidences"),
    ]


def calibration(evaluation: Evaluation) -> tuple[float, tuple[ReliabilityBin, ...]]:
    """The expected calibration error of the confidences of characters, and their reliability."""
    outcomes = evaluation.character_outcomes
    return expected_calibration_error(*outcomes), reliability(*outcomes)


def write_line_report(
    evaluation: Evaluation,
    crops: Sequence[np.ndarray],
    names: Sequence[str],
    path: str | Path,
    worst: int = 60,
) -> Path:
    """Write scores, confusions, calibration and the worst lines, with their pictures, as HTML.

    crops, names: of the lines, in the order of the evaluation. The page is one file, without
    scripts. Raises OutputError if it cannot be written.
    """
    rates = "".join(
        f"<tr><td>{name}<td class='number'>{value}<td>{interval}"
        for name, value, interval in (score.row for score in scores(evaluation))
    )
    confused = "".join(
        f"<tr><td>{_visible(target)}<td>{_visible(read)}<td class='number'>{count}"
        for target, read, count in confusions(evaluation.targets, evaluation.predictions)
    )
    bins = "".join(
        f"<tr><td>{row.low:.1f} to {row.high:.1f}<td class='number'>{row.count}"
        f"<td class='number'>{row.confidence:.3f}<td class='number'>{row.accuracy:.3f}"
        for row in calibration(evaluation)[1]
    )
    sections = (_section(evaluation, crops, names, i) for i in evaluation.worst(worst))
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>ocrkit evaluate</title>"
        f"<style>{_STYLE}</style><h1>{len(evaluation.targets):,} lines</h1>"
        f"<table><tr><th>score<th>value<th>95 % interval{rates}</table>"
        f"<h2>What is read for what</h2><table><tr><th>text<th>read<th>times{confused}</table>"
        "<h2>Characters by confidence</h2><table><tr><th>confidence<th>characters<th>mean<th>right"
        f"{bins}</table><h2>The worst lines</h2>{''.join(sections)}</html>"
    )
    return write(Path(path), page.encode("utf-8", "replace"))


def _section(
    evaluation: Evaluation, crops: Sequence[np.ndarray], names: Sequence[str], index: int
) -> str:
    target, prediction = evaluation.targets[index], evaluation.predictions[index]
    rate, sure = cer([target], [prediction]), evaluation.confidences[index]
    return (
        f"<section><div>{escape(names[index])}: CER {rate:.2f}, confidence {sure:.2f}</div>"
        f"{_picture(crops[index], target)}<p>{escape(target)}</p>{diff(target, prediction)}"
        "</section>"
    )


def _picture(crop: np.ndarray, text: str) -> str:
    picture = Image.fromarray(crop)
    picture.thumbnail((1600, _HEIGHT))
    picture.save(data := BytesIO(), "PNG")
    encoded = b64encode(data.getvalue()).decode()
    return f"<img alt='{escape(text)}' src='data:image/png;base64,{encoded}'>"


def _visible(text: str) -> str:
    """A part of a text for a table; a space and an empty text are named in words."""
    named = {"": "<i>nothing</i>", " ": "<i>space</i>"}
    return named.get(text, escape(text).replace(" ", "\N{OPEN BOX}"))
