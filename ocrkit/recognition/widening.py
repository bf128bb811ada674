"""A larger network that computes the same as a smaller one, to be trained on from there."""

from __future__ import annotations

from operator import sub

import torch
from torch import Tensor

from ocrkit.errors import CheckpointError
from ocrkit.recognition.network import CRNN, ModelConfig


@torch.no_grad()
def widen(model: CRNN, config: ModelConfig) -> CRNN:
    """A larger network that computes what `model` does, to be trained on from there; in eval mode.

    The old channels and LSTM units come first; of the new ones, whose weights are random, nothing
    reaches them until training lets it. (A function-preserving transformation, as in Chen,
    Goodfellow and Shlens, "Net2Net", 2016, whose new units are copies of the old.)
    Raises CheckpointError if `config` is not as large in every layer, or normalises others.
    """
    larger = CRNN(config, model.alphabet, model.preprocessing, model.provenance)
    values = larger.state_dict()
    if config.batch_norm != model.config.batch_norm or any(
        min(map(sub, values[name].shape, old.shape), default=0) < 0
        for name, old in model.state_dict().items()
    ):
        raise CheckpointError(
            f"a network of {config} cannot take in the weights of one of {model.config}; choose "
            "width and hidden no smaller than it has, and the same batch_norm"
        )
    for name, old in model.state_dict().items():
        if not old.ndim:  # batch norm's count of steps
            continue
        # The four gates of an LSTM lie one below the other, and what its two directions give side
        # by side; each of these is widened by itself.
        gates, ways = 4 if ".rnn." in name else 1, 2 if "embedding.weight" in name else 1
        inner, outer = _parts(old, gates, ways), _parts(values[name], gates, ways)
        rows, columns = inner.shape[1], inner.shape[3]
        outer[:, :rows] = 0
        outer[:, :rows, :, :columns] = inner
    return larger.eval()


def _parts(weights: Tensor, gates: int, ways: int) -> Tensor:
    """A view of a layer's weights: (gates, outputs of each, ways, inputs of each, the rest)."""
    inputs = weights.shape[1] // ways if weights.ndim > 1 else 1
    return weights.view(gates, weights.shape[0] // gates, ways, inputs, -1)
