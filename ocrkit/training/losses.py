"""Losses, and one step of the optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrkit.training.batches import Batch

if TYPE_CHECKING:
    pass

CLIP = 2.0  # the longest gradient that a step follows


def optimizer_step(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One step of the optimizer down the loss, the gradient no longer than CLIP."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimizer.step()


def ctc_loss(logits: Tensor, batch: Batch, steps: Tensor | None = None) -> Tensor:
    """CTC loss (Graves et al. 2006) a character, in float32 whatever the network computed in.

    logits (T, N, C); steps (N,) is how many of the T belong to each line, None for all of them.
    """
    log_probs = functional.log_softmax(logits.float(), dim=-1)
    if steps is None:
        steps = torch.full((logits.shape[1],), len(logits), dtype=torch.long)
    targets = batch.targets.to(logits.device)
    return functional.ctc_loss(log_probs, targets, steps, batch.lengths, zero_infinity=True)


def detector_loss(answer: Tensor, maps: Tensor) -> Tensor:
    """How far the answer (N, 3, h, w) of a LineNet is from the maps that it should give.

    For the core cross-entropy over all its cells and three times as many of the worst others
    (Shrivastava, Gupta and Girshick, 2016), and the dice loss (Milletari, Navab and Ahmadi, 2016);
    for height and middle the mean absolute error in the core.
    """
    logits, core = answer[:, 0].float(), maps[:, 0]
    each = functional.binary_cross_entropy_with_logits(logits, core, reduction="none")
    inside = core > 0.5
    count = int(inside.sum())
    worst = torch.topk(each[~inside], min(3 * count + 100, int((~inside).sum()))).values
    entropy = (each[inside].sum() + worst.sum()) / (count + len(worst))
    share = logits.sigmoid()
    dice = 1 - (2 * (share * core).sum() + 1) / ((share + core).sum() + 1)
    off = (answer[:, 1:].float() - maps[:, 1:]).abs().sum(dim=1)[inside].sum() / max(count, 1)
    return entropy + dice + off
