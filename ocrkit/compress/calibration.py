"""What INT8 is calibrated with, and how its accuracy is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ocrkit.detection.lines import network_input
from ocrkit.detection.network import LineNet
from ocrkit.image import Preprocessing, fit
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy_batch
from ocrkit.recognition.network import CRNN
from ocrkit.runtime import Backend
from ocrkit.synth.lines import LineGenerator
from ocrkit.synth.pages import PageGenerator

Labelled = tuple[np.ndarray, str]  # a strip (1, 1, 32, W) float32, and the text that it shows


def synthetic_strips(preprocessing: Preprocessing, count: int = 300) -> Iterator[np.ndarray]:
    """Strips (1, 1, 32, W) of synthetic lines that neither training nor its evaluation draws."""
    make = LineGenerator(seed=2_000_003)
    return (fit(make(i).image, preprocessing)[None] for i in range(count))


def calibration_inputs(
    model: CRNN | LineNet, calibration: Iterable[np.ndarray] | None
) -> list[np.ndarray]:
    """What INT8 is calibrated with: `calibration`, or if None 300 strips or 40 pages."""
    if calibration is None and isinstance(model, CRNN):
        calibration = synthetic_strips(model.preprocessing)
    elif calibration is None:
        make = PageGenerator(seed=2_000_003)  # of which neither training nor evaluation draws
        calibration = (network_input(make(i).scan) for i in range(40))
    inputs = list(calibration)
    if not inputs:
        raise ValueError("INT8 needs something to calibrate with; none were given")
    return inputs


def exactly_right(run: Backend, lines: Iterable[Labelled], alphabet: Alphabet) -> list[float]:
    """For each line 1 where it is read exactly, else 0."""
    return [float(greedy_batch(run(strip), alphabet)[0].text == text) for strip, text in lines]
