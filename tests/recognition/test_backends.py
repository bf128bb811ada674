from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.errors import MissingPartError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_backend, load_file
from ocrkit.recognition.network import CRNN, ModelConfig

WIDTHS = (8, 64, 200)
PARITY = 1e-4  # of logits, in float32
CLOSE = 0.05  # of logits, in bfloat16: 8 bits of mantissa through nine layers


def strips(width: int, lines: int = 3) -> np.ndarray:
    return np.random.default_rng(width).random((lines, 1, 32, width), dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> CRNN:
    torch.manual_seed(0)
    model = CRNN(ModelConfig(0.125, None, "all"), Alphabet("abcdefgh "))
    for _ in range(3):  # batch norm gets statistics that a wrong folding would show
        model(torch.from_numpy(strips(64)))
    with torch.no_grad():
        model.rnn[1].embedding.weight *= 20  # so that logits differ by more than the tolerance
    return model.eval()


def plain(model: CRNN, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(images)).numpy()


# --- PyTorch


@pytest.mark.parametrize("width", WIDTHS)
def test_pytorch_gives_the_model_s_own_logits(model, width):
    logits = load_backend("pytorch", model)(strips(width))
    assert logits.dtype == np.float32
    assert logits.shape == (width // 4 + 1, 3, 10)
    assert np.ptp(logits) > 1
    np.testing.assert_allclose(logits, plain(model, strips(width)), rtol=0, atol=PARITY)


def test_pytorch_in_bfloat16_is_close_but_not_the_same(model):
    logits = load_backend("pytorch", model, "bfloat16")(strips(64))
    assert logits.dtype == np.float32
    error = np.abs(logits - plain(model, strips(64))).max()
    assert 1e-6 < error < CLOSE


def test_a_model_in_training_is_run_as_in_use_and_left_as_it_was(model):
    images = strips(64)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        logits = load_backend("pytorch", model)(images)
        assert model.training
        assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    finally:
        model.eval()
    np.testing.assert_allclose(logits, plain(model, images), rtol=0, atol=PARITY)


def test_later_training_does_not_change_a_backend(model):
    run = load_backend("pytorch", model)
    before = run(strips(64))
    with torch.no_grad():
        model.conv1.bias += 1
    try:
        np.testing.assert_array_equal(run(strips(64)), before)
    finally:
        with torch.no_grad():
            model.conv1.bias -= 1


def test_an_unknown_backend_or_precision_names_those_there_are(model):
    with pytest.raises(ValueError, match="'tensorflow'; choose one of pytorch, ipex"):
        load_backend("tensorflow", model)
    with pytest.raises(ValueError, match="'int4'; choose one of float32, bfloat16"):
        load_backend("pytorch", model, "int4")


# --- IPEX. It is in the locked environment, so a machine where it does not run is a failure.

SCRIPT = """
import sys
import numpy as np
from ocrkit.errors import MissingPartError
from ocrkit.recognition.backends import load_backend
from ocrkit.recognition.network import CRNN

checkpoint, inputs, outputs = sys.argv[1:]
model = CRNN.load(checkpoint)
before = {name: value.clone() for name, value in model.state_dict().items()}
images = np.load(inputs)
run = load_backend("ipex", model)
found = {f"float32 {key}": run(images[key]) for key in images}
try:
    run = load_backend("ipex", model, "bfloat16")
    found |= {f"bfloat16 {key}": run(images[key]) for key in images}
except MissingPartError as error:
    found["refusal"] = str(error)
from intel_extension_for_pytorch._C import onednn_has_bf16_support
found["bfloat16"] = onednn_has_bf16_support()
found["untouched"] = all((v == before[n]).all() for n, v in model.state_dict().items())
np.savez(outputs, **found)
"""


@pytest.fixture(scope="module")
def ipex(model: CRNN, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What IPEX answers, from a process of its own: importing it changes torch for good."""
    folder = tmp_path_factory.mktemp("ipex")
    model.save(folder / "model.safetensors", half=False)
    np.savez(folder / "in.npz", **{str(width): strips(width) for width in WIDTHS})
    paths = [str(folder / name) for name in ("model.safetensors", "in.npz", "out.npz")]
    command = [sys.executable, "-c", SCRIPT, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "out.npz"))


@pytest.mark.parametrize("width", WIDTHS)
def test_ipex_gives_pytorch_s_logits(model, ipex, width):
    logits = ipex[f"float32 {width}"]
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, plain(model, strips(width)), rtol=0, atol=PARITY)


def test_ipex_in_bfloat16_is_close_or_refused_where_the_processor_cannot(model, ipex):
    if ipex["bfloat16"]:
        error = np.abs(ipex["bfloat16 64"] - plain(model, strips(64))).max()
        assert 1e-6 < error < CLOSE
    else:
        assert "cannot compute in torch.bfloat16 on this processor" in str(ipex["refusal"])
        assert "'float32' or the backend 'pytorch'" in str(ipex["refusal"])


def test_ipex_leaves_the_model_as_it_was(ipex):
    assert ipex["untouched"]


@pytest.mark.parametrize(
    "content",
    [
        "raise ImportError('no shared library')",
        "raise OSError('libstdc++ is too old')",
        "raise SystemExit('only works from AVX2 on')",
        "import os; os.exit(127)",  # IPEX's own words when torch is of another version
    ],
)
def test_where_ipex_cannot_be_imported_the_error_says_how_to_install_it(
    model, tmp_path: Path, monkeypatch, content
):
    (tmp_path / "intel_extension_for_pytorch.py").write_text(content)
    monkeypatch.delitem(sys.modules, "intel_extension_for_pytorch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPartError, match="pip install intel-extension-for-pytorch==2.8.0"):
        load_backend("ipex", model)


def test_where_ipex_is_not_installed_the_error_names_the_other_backend(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "intel_extension_for_pytorch", None)
    with pytest.raises(MissingPartError, match="take the backend 'pytorch'"):
        load_backend("ipex", model)


# --- ONNX Runtime


def test_where_onnx_runtime_is_not_installed_the_error_says_how_to_install_it(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPartError, match="pip install onnxruntime"):
        load_file(tmp_path / "model.onnx")
