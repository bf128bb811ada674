from __future__ import annotations

from pathlib import Path

import numpy as np

from ocrkit.measure.taught import Change, changes, general_lines
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.pytorch import in_pytorch
from ocrkit.training.manifest import Sample

TRUTH = ("one two three", "four five six") * 20


def test_a_loss_is_said_if_it_is_larger_than_chance_and_the_tolerance():
    worse = tuple(text.replace("e", "c") for text in TRUTH)
    assert Change("x", TRUTH, TRUTH, worse, (0, 0)).lost
    assert not Change("x", TRUTH, worse, TRUTH, (0, 0)).lost
    one_letter = ("onc two three", *TRUTH[1:])
    assert not Change("x", TRUTH, TRUTH, one_letter, (0, 0)).lost  # it may be chance


def test_a_change_is_a_row_of_a_table():
    change = Change("mine", ("abcd",), ("abxd",), ("abcd",), (0, 0))
    assert change.rates == (0.25, 0.0)
    name, count, before, after, difference = change.row
    assert (name, count, before[:6], after[:6]) == ("mine", "1", "0.2500", "0.0000")
    assert difference == "-0.2500 to -0.2500"


def test_each_set_is_read_with_both(memorised):
    model = memorised.model
    good = Recognizer(in_pytorch(model, "float32"), model.alphabet, model.preprocessing)
    blank = Recognizer(
        lambda x: np.eye(len(model.alphabet), dtype=np.float32)[np.zeros((5, len(x)), int)],
        model.alphabet,
        model.preprocessing,
    )
    samples = [
        Sample(Path(str(i)), text, image=crop)
        for i, (text, crop) in enumerate(zip(memorised.batch.texts, memorised.crops, strict=True))
    ]
    (change,) = changes(blank, good, {"mine": samples})
    assert change.rates == (1.0, 0.0)
    # The first reads nothing. The second is right, and not quite as sure as that.
    assert change.calibration[0] == 0 and 0 < change.calibration[1] < 0.3


def test_general_lines_are_always_the_same():
    first, again = general_lines(3), general_lines(3)
    assert [sample.text for sample in first] == [sample.text for sample in again]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
