from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .helpers import strips

if TYPE_CHECKING:
    from ocrkit.recognition.network import CRNN
    from ocrkit.runtime.pytorch import Backend


@pytest.fixture(scope="session")
def model() -> CRNN:
    """A small network with random weights, in the state of a trained one."""
    import torch

    from ocrkit.image import Preprocessing
    from ocrkit.recognition.alphabet import Alphabet
    from ocrkit.recognition.network import CRNN, ModelConfig

    torch.manual_seed(0)
    model = CRNN(
        ModelConfig(0.125, 24, "all"),
        Alphabet(" aäſ\"'<&>\\]ﬀé🜚"),
        Preprocessing(bucket=16, max_width=1000),
        {"source": 'line 1\nline "2" & <3>'},
    )
    # As after training: batch norm has statistics, and the logits differ from each other.
    model(torch.rand(8, 1, 32, 96))
    with torch.no_grad():
        for value in model.rnn.parameters():
            value.mul_(6)
    return model.eval()


@pytest.fixture(scope="session")
def folder(model: CRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind, written from `model`."""
    from ocrkit.compress.neural_compressor import to_neural_compressor
    from ocrkit.compress.onnx import export_onnx
    from ocrkit.compress.openvino import to_openvino

    folder = tmp_path_factory.mktemp("written")
    export_onnx(model, folder / "model.onnx")
    to_openvino(model, folder / "float.xml")
    calibration = [strips(1, 32 * n) for n in range(1, 13)]
    to_openvino(model, folder / "int8.xml", int8=True, calibration=calibration)
    to_neural_compressor(model, folder / "inc.pt2", calibration)
    return folder


@pytest.fixture(scope="session")
def pytorch(model: CRNN) -> Backend:
    from ocrkit.recognition.backends import load_backend

    return load_backend("pytorch", model)


@pytest.fixture(scope="session")
def in_memory(model: CRNN) -> Backend:
    """`model` run by OpenVINO without a file."""
    from ocrkit.recognition.backends import load_backend

    return load_backend("openvino", model)
