from __future__ import annotations

import pytest

from ocrkit.compress.onnx import export_onnx
from ocrkit.recognition.backends import load_file

from .helpers import SHAPES, difference, strips


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_computes_the_same_as_pytorch(pytorch, folder, shape):
    run, _ = load_file(folder / "model.onnx")
    images = strips(*shape)
    assert difference(run(images), pytorch(images)) < 1e-4


def test_another_suffix_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        export_onnx(model, tmp_path / "model.bin")
