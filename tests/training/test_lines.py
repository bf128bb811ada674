from __future__ import annotations

import numpy as np
import pytest

from ocrkit.training.config import TrainConfig
from ocrkit.training.lines import make_batches, training_lines


@pytest.mark.parametrize("lines, size, sizes", [(6, 4, {3}), (6, 80, {6}), (5, 2, {1, 2})])
def test_every_line_is_in_one_batch(samples, lines, size, sizes, small):
    prepared = training_lines(small(), samples[:lines])
    config = TrainConfig(batch_size=size)
    groups = make_batches(prepared, config, 32, np.random.default_rng(0))
    assert {len(group) for group in groups} == sizes
    assert sorted(line.text for group in groups for line in group) == sorted(
        sample.text for sample in samples[:lines]
    )


def test_bucketed_batches_have_less_padding(tmp_path, small, draw):
    prepared = training_lines(small(), draw(tmp_path, ["one", "three" * 3] * 8))

    def padding(bucketed: bool) -> int:
        config = TrainConfig(batch_size=4, bucketed=bucketed)
        groups = make_batches(prepared, config, 32, np.random.default_rng(0))
        widths = [[line.padded_width(32) for line in group] for group in groups]
        return sum(max(w) * len(w) - sum(w) for w in widths)

    assert padding(True) < padding(False) / 4
