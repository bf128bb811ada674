from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import LineGenerator
from ocrkit.training.mixture import MixedStream, Reservoir
from ocrkit.training.real_lines import RealLines

MAKE = LineGenerator(3, 12, 0.0, "codes")


def share_of_real_lines(packed, asked: float) -> float:
    real = RealLines(packed.lines, [0, 1, 2], Preprocessing())
    stream = MixedStream(real, MAKE, Alphabet(), columns=1024, seed=0, real=asked)
    texts = [text for batch in islice(stream, 40) for text in batch.texts]
    return sum(text in packed.lines.texts for text in texts) / len(texts)


def test_batches_have_the_share_of_real_lines_that_is_asked_for(packed):
    assert share_of_real_lines(packed, 0) == 0
    assert share_of_real_lines(packed, 1) == 1
    assert share_of_real_lines(packed, 0.5) == pytest.approx(0.5, abs=0.15)


def test_a_reservoir_makes_the_share_of_new_lines_that_is_asked_for():
    rng = np.random.default_rng(0)
    reservoir = Reservoir(MAKE, Preprocessing(), start=0, fresh=0.25)
    for _ in range(200):
        reservoir.draw(rng)
    for _ in range(400):
        reservoir.draw(rng)
    assert next(reservoir.numbers) - 200 == pytest.approx(100, abs=30)


def test_a_reservoir_keeps_its_size_and_gives_earlier_lines_in_another_form():
    rng = np.random.default_rng(0)
    reservoir = Reservoir(MAKE, Preprocessing(), start=0, fresh=0.5, size=210)
    drawn = [reservoir.draw(rng) for _ in range(1000)]
    assert len(reservoir.kept) == 210
    assert len({strip.tobytes() for strip, _ in drawn}) == 1000
    assert len({text for _, text in drawn}) < 700
