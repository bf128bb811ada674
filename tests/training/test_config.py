from __future__ import annotations

import pytest

from ocrkit.training import config as module
from ocrkit.training.config import TrainConfig, own_lines_config


@pytest.mark.parametrize(
    "change", [{"precision": "int8"}, {"epochs": 0}, {"lr": -1.0}, {"ipex": "yes"}]
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError):
        TrainConfig(**change)


@pytest.mark.parametrize("fast", [True, False])
def test_auto_is_bfloat16_if_the_processor_computes_in_it(monkeypatch, fast):
    monkeypatch.setattr(module, "fast_bfloat16", lambda device: fast)
    assert TrainConfig(precision="auto").bfloat16 == fast
    assert TrainConfig(precision="bfloat16").bfloat16 and not TrainConfig().bfloat16


@pytest.mark.parametrize(
    "wrong",
    [{"repeat": 0}, {"patience": 0}, {"minutes": 0}, {"minutes": -0.5}, {"synthetic": -1.0}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be above 0, synthetic not below 0"):
        TrainConfig(**wrong)


def test_few_own_lines_are_repeated_and_mixed_with_others():
    assert own_lines_config(20).repeat == 10
    assert own_lines_config(5000).repeat == 1
    assert own_lines_config(20).synthetic > 0
    assert own_lines_config(20, epochs=3, minutes=2).minutes == 2
