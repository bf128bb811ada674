from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.runtime.pytorch import fast_bfloat16
from ocrkit.training.batches import Batch
from ocrkit.training.pretrain import PretrainConfig, RecognizerTask
from ocrkit.training.run import Run, learning_rate

TINY = PretrainConfig(
    model=ModelConfig(0.125, 16, "all"),
    minutes=6 / 60,
    columns=512,
    warmup=5,
    max_chars=12,
    workers=0,
    evaluate_every=2 / 60,
    held_out=24,
)


def run_of(config: PretrainConfig) -> Run:
    task = RecognizerTask(CRNN(config.model, Alphabet("ab")), replace(config, held_out=0))
    return Run(task, torch.device("cpu"))


@pytest.mark.parametrize(
    ("steps", "share", "expected"),
    [
        (0, 0.0, 0.1),  # the first of ten steps of warm-up
        (4, 0.0, 0.5),
        (9, 0.0, 1.0),
        (500, 0.0, 1.0),
        (500, 0.5, 0.505),  # half-way between 1 and 0.01
        (500, 1 / 3, 0.7525),  # cos 60 degrees is 1/2
        (500, 1.0, 0.01),
        (500, 1.7, 0.01),
        (4, 1.0, 0.005),
    ],
)
def test_learning_rate_warms_up_and_falls_by_half_a_cosine(steps, share, expected):
    config = PretrainConfig(lr=2.0, warmup=10)
    assert learning_rate(config, steps, share) == pytest.approx(2 * expected)


def test_the_decay_of_the_average_grows_with_the_steps():
    run = run_of(replace(TINY, decay=0.9))

    def averaged(steps: int) -> float:
        with torch.no_grad():
            run.average.conv1.bias.fill_(0.0)
            run.model.conv1.bias.fill_(1.0)
        run.steps = steps
        run.update_average()
        return run.average.conv1.bias[0].item()

    assert averaged(1) == pytest.approx(1 - 2 / 11)
    assert averaged(8) == pytest.approx(1 - 9 / 18)
    assert averaged(10_000) == pytest.approx(0.1)


def test_average_covers_the_statistics_of_batch_norm_and_takes_no_gradient():
    run = run_of(TINY)
    run.model.bn1.running_mean.fill_(5.0)
    run.steps = 1
    run.update_average()
    assert run.average.bn1.running_mean[0].item() == pytest.approx(5 * (1 - 2 / 11))
    assert not any(p.requires_grad for p in run.average.parameters())
    assert not run.average.training


@pytest.mark.parametrize("half", [False, True])
def test_a_step_lowers_the_loss_of_its_own_batch(half):
    torch.manual_seed(0)
    run = run_of(replace(TINY, warmup=1, lr=0.01))
    images = torch.rand(4, 1, 32, 32)
    batch = Batch(images, torch.tensor([1, 2] * 4), torch.tensor([2] * 4), ("ab",) * 4)
    run.bfloat16 = half
    losses = [run.step(batch, 0.0) for _ in range(8)]
    assert losses[-1] < losses[0]
    assert (run.steps, run.crops) == (8, 32)


def test_bfloat16_is_used_if_the_processor_computes_it():
    flags = Path("/proc/cpuinfo").read_text()
    expected = "avx512_bf16" in flags or "amx_tile" in flags
    assert fast_bfloat16(torch.device("cpu")) is expected
