"""The losses of recogniser and detector, and one step of the optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrkit.detection.maps import IGNORED
from ocrkit.training.batches import Batch

MAX_GRADIENT_NORM = 2.0  # for gradient clipping


def optimizer_step(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One step of the optimizer, with gradient clipping to the norm MAX_GRADIENT_NORM."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()


def ctc_loss(logits: Tensor, batch: Batch, steps: Tensor | None = None) -> Tensor:
    """Mean CTC loss per character (Graves et al., 2006), computed in float32.

    logits: (T, N, C). steps: how many of the T time steps belong to each line, (N,); None means
    all. A line that is too short for its target adds 0.
    """
    log_probs = functional.log_softmax(logits.float(), dim=-1)
    if steps is None:
        steps = torch.full((logits.shape[1],), len(logits), dtype=torch.long)
    targets = batch.targets.to(logits.device)
    return functional.ctc_loss(log_probs, targets, steps, batch.lengths, zero_infinity=True)


def detector_loss(output: Tensor, target: Tensor) -> Tensor:
    """Loss of the output of a LineNet, (N, 3, h, w), for the target maps of the same shape.

    Core: cross-entropy over the cells of the core and three times as many others, those with the
    highest loss (hard negative mining; Shrivastava, Gupta and Girshick, 2016), plus the dice loss
    (Milletari, Navab and Ahmadi, 2016). Height and middle: mean absolute error in the core. Cells
    whose core is IGNORED add nothing.
    """
    logits, known = output[:, 0].float(), target[:, 0] != IGNORED
    core = target[:, 0].clamp(min=0)
    losses = functional.binary_cross_entropy_with_logits(logits, core, reduction="none")
    inside, outside = core > 0.5, known & (core <= 0.5)
    count = int(inside.sum())
    hardest = torch.topk(losses[outside], min(3 * count + 100, int(outside.sum()))).values
    entropy = (losses[inside].sum() + hardest.sum()) / max(count + len(hardest), 1)
    probability = logits.sigmoid() * known
    dice = 1 - (2 * (probability * core).sum() + 1) / ((probability + core).sum() + 1)
    errors = (output[:, 1:].float() - target[:, 1:]).abs().sum(dim=1)
    return entropy + dice + errors[inside].sum() / max(count, 1)
