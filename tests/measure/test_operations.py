from __future__ import annotations

import torch

from ocrkit.measure.operations import layer_table, multiply_adds
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig


def test_layers_are_counted_as_by_hand() -> None:
    model = CRNN(ModelConfig(), Alphabet("abcdefgh"))
    rows = {row.layer: row for row in layer_table(model, 128)}
    assert rows["conv2"].kind == "Conv2d" and rows["conv2"].output == (1, 128, 16, 64)
    assert rows["conv2"].multiply_adds == 16 * 64 * 128 * 64 * 9
    assert rows["rnn.0.rnn"].kind == "LSTM" and rows["rnn.0.rnn"].output == (33, 1, 512)
    assert rows["rnn.0.rnn"].multiply_adds == 33 * 2 * 4 * 256 * (512 + 256)
    assert rows["rnn.1.embedding"].multiply_adds == 33 * 512 * 9
    assert sum(row.parameters for row in rows.values()) == sum(
        p.numel() for p in model.parameters()
    )
    counted = multiply_adds(model, 128)
    assert counted["conv2"] == rows["conv2"].multiply_adds
    assert "bn3" in rows and "bn3" not in counted and "relu1" not in counted


def test_counting_changes_neither_the_model_nor_the_random_numbers() -> None:
    model = CRNN(ModelConfig(0.125, 8, "all"), Alphabet("abc")).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    layers = [row.layer for row in layer_table(model, 64)]
    assert model.training and torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert layers[0] == "conv1" and layers[-1] == "rnn.1.embedding"
