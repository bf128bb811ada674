from __future__ import annotations

import pytest

from ocrkit.training import config as module
from ocrkit.training.config import TrainConfig


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
