from __future__ import annotations

import numpy as np
import pytest
import torch

from ocrkit.image import Preprocessing
from ocrkit.recognition.network import CRNN
from ocrkit.training import trainer as module
from ocrkit.training.config import TrainConfig
from ocrkit.training.lines import training_lines
from ocrkit.training.losses import ctc_loss
from ocrkit.training.trainer import Trainer, lr_factor


@pytest.mark.parametrize("normalize, paper", [("contrast", 0.0), ("reference", 1.0)])
def test_batches_are_padded_with_paper_and_the_loss_ignores_padding(
    samples, normalize, paper, small
):
    model = small()
    model.preprocessing = Preprocessing(normalize=normalize)
    steps = []
    trainer = Trainer(model, TrainConfig(augment=0), steps=10)
    trainer.network = Spy(model)
    short, long = (training_lines(model, [sample])[0] for sample in (samples[0], samples[2]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ctc_loss", lambda *given: steps.append(given[2]) or ctc_loss(*given))
        trainer.step([short, long])
    images = trainer.network.images
    assert images.shape[3] == long.padded_width(32)
    content = short.strip.shape[2]
    assert (images[0, :, :, content:] == paper).all()
    np.testing.assert_array_equal(images[0, :, :, :content], short.strip)
    expected = -(-(images.shape[3] // 4 + 1) * content // images.shape[3])
    assert steps[0][0] == expected


class Spy(torch.nn.Module):
    def __init__(self, network: CRNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.images = images
        return self.network(images)


@pytest.mark.parametrize(
    ("step", "factor"), [(0, 0.1), (4, 0.5), (9, 1.0), (50, 0.5), (75, 0.1464), (100, 0.0)]
)
def test_the_learning_rate_warms_up_and_falls_to_zero(step, factor):
    assert lr_factor(step, 100) == pytest.approx(factor, abs=0.02)


def test_the_schedule_ends_with_the_time_if_that_comes_first():
    assert lr_factor(5, 1000, 1.0) == 0
    assert lr_factor(5, 1000, 0.5) == pytest.approx(0.5)
    assert lr_factor(500, 1000, 0.1) == pytest.approx(lr_factor(500, 1000))
