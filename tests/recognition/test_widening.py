from __future__ import annotations

import pytest
import torch

from ocrkit.errors import CheckpointError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.widening import widen, with_alphabet

LETTERS = Alphabet("abc ")


def narrow_network(hidden: int | None = None) -> CRNN:
    """A network whose batch norm has statistics as after training, not those of a new one."""
    torch.manual_seed(5)
    config = ModelConfig(0.125, hidden, "all")
    model = CRNN(config, LETTERS, provenance={"steps": 7}, language_weight=0.4)
    for name, value in model.state_dict().items():
        if ".running" in name or ("bn" in name and value.is_floating_point()):
            value.uniform_(0.5, 1.5)
    return model.eval()


@pytest.mark.parametrize("hidden", [16, 24, 40])
@pytest.mark.parametrize("width", [0.125, 0.25])
def test_a_widened_network_computes_the_same(width, hidden):
    narrow = narrow_network(hidden=16)
    wide = widen(narrow, ModelConfig(width, hidden, "all"))
    assert wide.config == ModelConfig(width, hidden, "all")
    assert (wide.alphabet, wide.provenance) == (narrow.alphabet, narrow.provenance)
    assert wide.language_weight == 0.4
    strips = torch.rand(2, 1, 32, 70)
    torch.testing.assert_close(wide(strips), narrow(strips), atol=1e-5, rtol=1e-4)


def test_the_new_units_of_a_widened_network_learn():
    wide = widen(narrow_network(), ModelConfig(0.25, 64, "all")).train()
    wide(torch.rand(2, 1, 32, 70)).square().sum().backward()
    # No weight goes from the new channels to the old, but these weights have a gradient.
    assert (wide.conv2.weight[:16, 8:] == 0).all() and (wide.conv2.weight.grad[:16, 8:] != 0).all()
    assert (wide.conv2.weight[16:] != 0).all()


@pytest.mark.parametrize(
    "config", [ModelConfig(0.125, 24), ModelConfig(0.0625, 64, "all"), ModelConfig(1, 24, "all")]
)
def test_a_smaller_network_or_another_batch_norm_is_refused(config):
    with pytest.raises(CheckpointError, match="no smaller than it has, and the same batch_norm"):
        widen(narrow_network(), config)


def test_a_larger_alphabet_leaves_the_known_characters_as_they_are():
    model = narrow_network(hidden=16)
    larger = with_alphabet(model, Alphabet(LETTERS.characters + "éß"))
    strips = torch.rand(2, 1, 32, 64)
    with torch.inference_mode():
        known, all_classes = model(strips), larger(strips)
    torch.testing.assert_close(all_classes[..., : len(LETTERS)], known)
    assert all_classes[..., len(LETTERS) :].max() < known.max()


def test_an_alphabet_that_does_not_begin_with_the_known_characters_is_refused():
    with pytest.raises(CheckpointError, match="must begin with"):
        with_alphabet(narrow_network(), Alphabet("é" + LETTERS.characters))
