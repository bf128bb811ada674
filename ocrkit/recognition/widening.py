"""Larger networks with the output of a smaller one, as a start for training."""

from __future__ import annotations

from operator import sub

import torch
from torch import Tensor

from ocrkit.errors import CheckpointError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig


@torch.no_grad()
def widen(model: CRNN, config: ModelConfig) -> CRNN:
    """A larger network, in eval mode, with the same output as `model`.

    The old channels and LSTM units come first. The weights of the new ones are random, but the
    weights from new units to old ones start at 0, so that the output is the same until training
    changes it. (A function-preserving transformation, as in Chen, Goodfellow and Shlens, "Net2Net",
    2016; there the new units are copies of old ones.)
    Raises CheckpointError if a layer would become smaller, or batch_norm is another one.
    """
    larger = _sized(model, config, model.alphabet)
    values = larger.state_dict()
    if config.batch_norm != model.config.batch_norm or any(
        min(map(sub, values[name].shape, old.shape), default=0) < 0
        for name, old in model.state_dict().items()
    ):
        raise CheckpointError(
            f"a network of {config} cannot take the weights of one of {model.config}; choose a "
            "width and hidden no smaller than it has, and the same batch_norm"
        )
    for name, old in model.state_dict().items():
        if not old.ndim:  # the step counter of batch norm
            continue
        # The rows of an LSTM's weights are its four gates one after the other; the columns of a
        # linear layer are the outputs of the two directions. Each part is widened on its own.
        gates, directions = 4 if ".rnn." in name else 1, 2 if "embedding.weight" in name else 1
        inner, outer = _parts(old, gates, directions), _parts(values[name], gates, directions)
        rows, columns = inner.shape[1], inner.shape[3]
        outer[:, :rows] = 0
        outer[:, :rows, :, :columns] = inner
    return larger.eval()


@torch.no_grad()
def with_alphabet(model: CRNN, alphabet: Alphabet) -> CRNN:
    """A network with more characters, in eval mode, with the output of `model` for those it knows.

    The weights of the new characters are random, and their bias makes them improbable until
    training changes it. Raises CheckpointError if the alphabet does not begin with the characters
    of the model's.
    """
    if not alphabet.characters.startswith(model.alphabet.characters):
        raise CheckpointError(
            "the new alphabet must begin with all characters of the model's, in the same order"
        )
    larger = _sized(model, model.config, alphabet)
    values = larger.state_dict()
    for name, old in model.state_dict().items():
        if old.ndim:  # all but the step counter of batch norm
            values[name][: len(old)] = old
    bias = values["rnn.1.embedding.bias"]
    bias[len(model.alphabet) :] = bias[: len(model.alphabet)].min() - 2
    return larger.eval()


def _sized(model: CRNN, config: ModelConfig, alphabet: Alphabet) -> CRNN:
    """A network with the settings of `model` and random weights, of another size or alphabet."""
    weight = model.language_weight
    return CRNN(config, alphabet, model.preprocessing, model.provenance, weight)


def _parts(weights: Tensor, gates: int, directions: int) -> Tensor:
    """A view of a layer's weights: (gates, outputs of each, directions, inputs of each, rest)."""
    inputs = weights.shape[1] // directions if weights.ndim > 1 else 1
    return weights.view(gates, weights.shape[0] // gates, directions, inputs, -1)
