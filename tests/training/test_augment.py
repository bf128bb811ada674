from __future__ import annotations

import numpy as np
import pytest

from ocrkit.training.augment import augmented
from ocrkit.training.config import TrainConfig
from ocrkit.training.lines import TrainingLine, make_batches


@pytest.mark.parametrize("paper, ink", [(0.0, 1.0), (1.0, -1.0)])
def test_augmented_lines_keep_paper_and_height(paper, ink):
    strip = np.full((1, 32, 80), paper, np.float32)
    strip[:, 10:20, 20:60] = ink
    rng = np.random.default_rng(0)
    (lines,) = make_batches([TrainingLine(strip, "a")] * 20, TrainConfig(), 32, rng)
    varied = [augmented(line, 1.0, paper, rng) for line in lines]
    assert {v.shape[:2] for v in varied} == {(1, 32)} and {v.dtype for v in varied} == {strip.dtype}
    assert 69 <= min(v.shape[2] for v in varied) < 80 < max(v.shape[2] for v in varied) <= 93
    assert all(abs(v[:, :5].mean() - paper) < 0.1 for v in varied)
    assert not np.array_equal(varied[0], varied[1])
