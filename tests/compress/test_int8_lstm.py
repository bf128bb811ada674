from __future__ import annotations

import numpy as np
import openvino
import pytest
import torch

from ocrkit.compress.calibration import synthetic_strips
from ocrkit.compress.int8_lstm import lstm_input_ranges
from ocrkit.compress.openvino import to_openvino
from ocrkit.recognition.backends import load_backend, load_file
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer

from .helpers import constant, correct, labelled, lstm_weight_types, strips, texts


def test_input_ranges_are_the_largest_values_over_all_strips(model):
    inputs = [strips(1, 64), strips(2, 96)]
    largest = [0.0, 0.0]
    with torch.inference_mode():
        for strip in inputs:
            convolved = model.relu5.register_forward_hook(
                lambda _, __, out: largest.__setitem__(0, max(largest[0], out.abs().max().item()))
            )
            first = model.rnn[0].register_forward_hook(
                lambda _, __, out: largest.__setitem__(1, max(largest[1], out.abs().max().item()))
            )
            model(torch.from_numpy(strip))
            convolved.remove()
            first.remove()
    assert lstm_input_ranges(model, inputs) == pytest.approx(largest)


def test_scales_are_those_that_openvino_cannot_confuse(folder):
    """One scale for x and h; one per row for W and R, both LSTMs, and the gates f and i."""
    ir = openvino.Core().read_model(folder / "int8.xml")
    limits, scales = set(), []
    for op in ir.get_ordered_ops():
        if op.get_type_name() == "LSTMSequence":
            for port in (0, 1):
                rounding = op.input_value(port).get_node()
                assert rounding.get_type_name() == "FakeQuantize"
                limits.add(tuple(constant(rounding, i).item() for i in range(1, 5)))
            scales += [constant(op.input_value(port).get_node(), 1) for port in (4, 5)]
    assert limits == {(-1.0, 127 / 128) * 2}
    assert len(scales) == 4 and all((scale == scales[0]).all() for scale in scales)
    forget, into, cell, out = scales[0].reshape(4, -1)
    assert (forget == into).all() and not (forget == cell).all() and not (cell == out).all()


def test_int8_lstms_keep_the_accuracy_and_those_of_nncf_lose_it(memorised, tmp_path):
    calibration = [strip for strip, _ in labelled(memorised)]
    read = {}
    ways = (("kit", None, 2), ("without", (), 0), ("first", (0,), 1), ("both", (0, 1), 2))
    for name, lstms, quantised in ways:
        path = tmp_path / f"{name}.xml"
        to_openvino(memorised.model, path, int8=True, calibration=calibration, lstms=lstms)
        read[name] = texts(Recognizer.load(path, decoder="greedy"), memorised)
        types = lstm_weight_types(openvino.Core().read_model(path))
        assert sum(kind == "i8" for kind in types) == quantised
    assert correct(read["without"], memorised) >= 7 and correct(read["kit"], memorised) >= 7
    assert correct(read["both"], memorised) < correct(read["without"], memorised)


def test_int8_lstms_add_little_error_to_trained_weights(tmp_path):
    """The gates of trained LSTMs differ in size; random weights hide the confused scales."""
    model = CRNN.load("ocrkit-fast")
    lines = list(synthetic_strips(model.preprocessing, 24))
    expected = load_backend("pytorch", model)
    error = {}
    for name, lstms in (("kit", None), ("float", ()), ("NNCF", (0, 1))):
        path = to_openvino(model, tmp_path / f"{name}.xml", True, lines[:12], lstms=lstms)
        run, _ = load_file(path)
        error[name] = np.mean([abs(run(strip) - expected(strip)).mean() for strip in lines[12:]])
    assert error["kit"] < 1.5 * error["float"]
    assert error["NNCF"] > 5 * error["float"]
