from __future__ import annotations

import math

import pytest
import torch

from ocrkit.detection.maps import IGNORED, encode
from ocrkit.training.batches import Batch
from ocrkit.training.losses import ctc_loss, detector_loss


def batch_of(labels: list[list[int]]) -> Batch:
    flat = torch.tensor([c for label in labels for c in label])
    lengths = torch.tensor([len(label) for label in labels])
    return Batch(torch.zeros(len(labels), 1, 32, 8), flat, lengths, ("?",) * len(labels))


def test_loss_is_that_of_all_alignments_per_character():
    # Three classes, all as likely, two steps. "a": aa a- -a, 3 of 9 paths, so ln 3 for its one
    # character. "ab": 1 of 9, so ln 9 for two. Both are ln 3 a character.
    logits = torch.zeros(2, 2, 3)
    assert ctc_loss(logits, batch_of([[1], [1, 2]])).item() == pytest.approx(math.log(3))
    # With probabilities 1/2, 1/4, 1/4 (blank, a, b): "b" is bb b- -b, 5 of 16.
    logits = torch.tensor([2.0, 1.0, 1.0]).log().expand(2, 1, 3)
    assert ctc_loss(logits, batch_of([[2]])).item() == pytest.approx(math.log(16 / 5))


def test_an_impossible_target_adds_nothing_to_the_loss():
    loss = ctc_loss(torch.zeros(2, 2, 3), batch_of([[1, 1], [1]]))  # "aa" takes three steps
    assert loss.item() == pytest.approx(math.log(3) / 2)


def test_loss_is_computed_in_float32_whatever_the_network_computed_in():
    loss = ctc_loss(torch.zeros(2, 1, 3, dtype=torch.bfloat16), batch_of([[1]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(3))


def test_padding_does_not_count_in_the_loss():
    def batch(label: list[int]) -> Batch:
        numbers = torch.tensor(label)
        return Batch(torch.zeros(1, 1, 32, 8), numbers, torch.tensor([len(label)]), ("",))

    logits = torch.randn(8, 1, 4, generator=torch.Generator().manual_seed(0))
    short = ctc_loss(logits[:5], batch([1, 2])).item()
    assert ctc_loss(logits, batch([1, 2]), torch.tensor([5])).item() == pytest.approx(short)
    assert ctc_loss(logits, batch([1, 2])).item() != pytest.approx(short)


def test_the_detector_loss_of_an_undecided_network() -> None:
    # Everywhere one half: cross-entropy ln 2. Of 16 cells 4 are core: 2 * 4 / 2 + 1 over
    # 16 / 2 + 4 + 1 of the dice are shared. Height and middle are off by 1 and 0.5 each.
    maps = torch.zeros(1, 3, 4, 4)
    maps[:, 0, 0] = 1
    maps[:, 1, 0], maps[:, 2, 0] = 1.0, 0.5
    loss = detector_loss(torch.zeros(1, 3, 4, 4), maps)
    assert loss.item() == pytest.approx(math.log(2) + (1 - 5 / 13) + 1.5)


def test_the_detector_loss_of_the_target_is_almost_zero(bars) -> None:
    maps = torch.from_numpy(encode(bars().polygons, (96, 128)))[None]
    answer = maps.clone()
    answer[:, 0] = 40 * maps[:, 0] - 20
    assert detector_loss(answer, maps).item() < 1e-3
    empty = torch.zeros_like(maps)
    assert detector_loss(empty - 20, empty).item() < 1e-3


def test_ignored_cells_change_nothing_in_the_detector_loss(bars) -> None:
    maps = torch.from_numpy(encode(bars().polygons, (96, 128)))[None]
    output = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    maps[:, 0, -3:] = IGNORED
    loss = detector_loss(output, maps)
    output[:, 0, -3:] = 20  # a line is found there
    assert detector_loss(output, maps).item() == pytest.approx(loss.item())
    maps[:, 0, -3:] = 0
    assert detector_loss(output, maps).item() > loss.item() + 1
