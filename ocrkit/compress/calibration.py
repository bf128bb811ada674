"""Calibration sets for post-training quantisation, and the accuracy it is checked with.

Post-training quantisation needs the range of each activation. It is measured by running the FP32
network on a calibration set: images like those it will read, which are used for nothing else.
"""

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

LabelledStrip = tuple[np.ndarray, str]  # a strip (1, 1, H, W) float32, and its true text

# Training and its evaluation use other seeds, so calibration images are in neither.
CALIBRATION_SEED = 2_000_003
CALIBRATION_STRIPS = 300
CALIBRATION_PAGES = 40


def synthetic_strips(
    preprocessing: Preprocessing, count: int = CALIBRATION_STRIPS
) -> Iterator[np.ndarray]:
    """Strips (1, 1, H, W) float32 of synthetic lines, disjoint from training and evaluation."""
    make = LineGenerator(seed=CALIBRATION_SEED)
    return (fit(make(i).image, preprocessing)[None] for i in range(count))


def calibration_inputs(
    model: CRNN | LineNet, calibration: Iterable[np.ndarray] | None
) -> list[np.ndarray]:
    """The calibration set as a list; None stands for 300 synthetic strips or 40 synthetic pages.

    Raises ValueError if it is empty.
    """
    if calibration is None and isinstance(model, CRNN):
        calibration = synthetic_strips(model.preprocessing)
    elif calibration is None:
        make = PageGenerator(seed=CALIBRATION_SEED)
        calibration = (network_input(make(i).scan) for i in range(CALIBRATION_PAGES))
    inputs = list(calibration)
    if not inputs:
        raise ValueError("the calibration set is empty; INT8 needs at least one image")
    return inputs


def exact_matches(
    backend: Backend, lines: Iterable[LabelledStrip], alphabet: Alphabet
) -> list[float]:
    """For each line 1.0 if the greedy reading equals the true text, else 0.0."""
    return [float(greedy_batch(backend(strip), alphabet)[0].text == text) for strip, text in lines]
