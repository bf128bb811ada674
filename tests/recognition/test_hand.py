"""The kit's reader of handwriting."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from ocrkit.metrics import cer
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.synth import degrade
from ocrkit.synth.hand import writable, written
from ocrkit.synth.text import line


@pytest.fixture(scope="module")
def lines() -> tuple[list[str], list[np.ndarray]]:
    """Texts, and line images of them in a cursive that no training draws."""
    rng = default_rng(3)
    texts = [writable(line(rng, "prose", 40)[1]) for _ in range(12)]
    return texts, [degrade.print_on_paper(written(text, rng), rng) for text in texts]


def test_it_reads_a_cursive_better_than_the_reader_of_print(lines) -> None:
    texts, crops = lines
    hand, print_ = (
        cer(texts, [reading.text for reading in Recognizer.load(name)(crops)])
        for name in ("ocrkit-hand-int8", "ocrkit-fast-int8")
    )
    assert hand < print_


def test_int8_reads_nearly_what_the_checkpoint_reads(lines) -> None:
    _, crops = lines
    exact, small = (
        [reading.text for reading in Recognizer.load(name, decoder="greedy")(crops)]
        for name in ("ocrkit-hand", "ocrkit-hand-int8")
    )
    assert cer(exact, small) < 0.05
