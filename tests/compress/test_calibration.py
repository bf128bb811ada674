from __future__ import annotations

import numpy as np
import pytest

from ocrkit.compress.calibration import exact_matches, synthetic_strips
from ocrkit.compress.neural_compressor import to_neural_compressor
from ocrkit.compress.openvino import to_openvino
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet


def test_synthetic_strips_are_inputs_of_the_model_and_the_same_every_time():
    prep = Preprocessing()
    made = list(synthetic_strips(prep, 5))
    assert all(strip.shape[:3] == (1, 1, 32) and strip.dtype == np.float32 for strip in made)
    assert all(strip.shape[3] % prep.bucket == 0 and strip.max() > 0.5 for strip in made)
    again = list(synthetic_strips(prep, 5))
    assert all((one == other).all() for one, other in zip(made, again, strict=True))


def test_an_exact_match_is_one_and_any_error_is_zero():
    logits = np.float32([[[0, 9, 0]], [[9, 0, 0]], [[0, 0, 9]]])  # a, blank, b
    strip = np.zeros((1, 1, 32, 8), np.float32)
    lines = [(strip, "ab"), (strip, "a")]
    assert exact_matches(lambda images: logits, lines, Alphabet("ab")) == [1.0, 0.0]


def test_an_empty_calibration_set_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="calibration set is empty"):
        to_openvino(model, tmp_path / "a.xml", int8=True, calibration=[])
    with pytest.raises(ValueError, match="calibration set is empty"):
        to_neural_compressor(model, tmp_path / "a.pt2", calibration=[])
    assert list(tmp_path.iterdir()) == []
