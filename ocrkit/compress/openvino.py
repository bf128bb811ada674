"""Conversion to OpenVINO IR, in FP32 or, quantised with NNCF, in INT8."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ocrkit.compress.calibration import LabelledStrip, calibration_inputs, exact_matches
from ocrkit.compress.int8_lstm import lstm_input_ranges, lstm_operations, quantize_lstms
from ocrkit.detection.network import LineNet
from ocrkit.errors import OcrkitError
from ocrkit.files import prepared_path
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.conversion import to_openvino_network
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.openvino import import_openvino
from ocrkit.runtime.packages import needs, quiet


def to_openvino(
    model: CRNN | LineNet,
    path: str | Path,
    int8: bool = False,
    calibration: Iterable[np.ndarray] | None = None,
    lstms: Collection[int] | None = None,
    validation: Sequence[LabelledStrip] | None = None,
    tolerance: float = 0.01,
    onnx: str | Path | None = None,
) -> Path:
    """Write the model as OpenVINO IR: `path` (an .xml) and a .bin with its weights in 16 bits.

    int8: quantise the layers to 8-bit weights and activations (post-training quantisation).
    calibration: for the activation ranges: strips (N, 1, H, W) float32, or for a detector the
        arrays of `network_input`. None: synthetic lines or pages.
    lstms: None quantises the LSTMs by `quantize_lstms`. A collection of indices lets NNCF quantise
        these LSTMs, as the first (0) or the second (1), and keeps the others in floating point; ()
        keeps both. OpenVINO computes LSTMs that NNCF has quantised incorrectly.
    validation: labelled lines, for a recogniser. NNCF sets the layers that lose most accuracy
        back to floating point, one by one, until the share of lines read exactly is at most
        `tolerance` (relative) below the original. This does not protect against wrong INT8 LSTMs:
        NNCF measures before the weights are stored in 8 bits, when OpenVINO still runs LSTMs in
        floating point.
    onnx: convert this file, which `export_onnx` wrote of the model, instead of the network itself,
        as the reference kit does.

    Raises ValueError if `path` does not end in .xml, the calibration set is empty or the ONNX file
    is not of this model; OcrkitError if NNCF cannot set layers back, which can happen with `lstms`.
    """
    path = prepared_path(path, ".xml")
    inputs = calibration_inputs(model, calibration) if int8 else []
    control = None
    if validation is not None and isinstance(model, CRNN):
        control = AccuracyControl(validation, model.alphabet, tolerance)
    ov = import_openvino()
    ir = _from_onnx(onnx, model) if onnx else _from_pytorch(model)
    ir.set_rt_info(json.dumps(model.metadata()), METADATA_KEY)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        written = Path(folder) / "half.xml"
        ov.save_model(ir, written)
        if int8:
            # Saving rounds the weights to 16 bits. The file is read back because layers that stay
            # in floating point would otherwise be stored in 32 bits.
            half = ov.Core().read_model(written)
            written = Path(folder) / "int8.xml"
            ov.save_model(_quantize(half, model, inputs, lstms, control), written)
        written.with_suffix(".bin").replace(path.with_suffix(".bin"))
        return written.replace(path)


def _from_pytorch(model: CRNN | LineNet) -> Any:
    """The model as an openvino.Model; a detector takes pages of any height."""
    height = -1 if isinstance(model, LineNet) else model.preprocessing.height
    return to_openvino_network(model, height)


def _from_onnx(path: str | Path, model: CRNN | LineNet) -> Any:
    """The network of an ONNX file as an openvino.Model; ValueError if it is not of this model."""
    ir = import_openvino().convert_model(path)
    stored = ir.get_rt_info(["framework", METADATA_KEY]).astype(str)
    if json.loads(stored) != json.loads(json.dumps(model.metadata())):
        raise ValueError(f"{path} was not exported from this model; export it again: export_onnx")
    return ir


@dataclass(frozen=True)
class AccuracyControl:
    """How NNCF checks accuracy: on which lines, and how much of it (relative) may be lost."""

    lines: Sequence[LabelledStrip]
    alphabet: Alphabet
    tolerance: float

    def quantize(self, nncf: Any, ir: Any, calibration: Any, options: dict[str, Any]) -> Any:
        """The IR in INT8, with as many layers set back to floating point as accuracy needs."""
        try:
            return nncf.quantize_with_accuracy_control(
                ir,
                calibration,
                nncf.Dataset(self.lines, lambda line: line[0]),
                self._measure_accuracy,
                max_drop=self.tolerance,
                drop_type=nncf.DropType.RELATIVE,
                **options,
            )
        except KeyError as error:
            # NNCF 3.4 removes the nodes that compute shapes from its graph, then looks them up.
            raise OcrkitError(
                "NNCF's accuracy control lost more than the tolerance and could not set the LSTMs "
                f"back to floating point (KeyError {error}); leave them out: lstms=()"
            ) from error

    def _measure_accuracy(
        self, compiled: Any, lines: Iterable[LabelledStrip]
    ) -> tuple[float, list[float]]:
        matches = exact_matches(lambda images: compiled(images)[0], lines, self.alphabet)
        return float(np.mean(matches)), matches


def _quantize(
    ir: Any,
    model: CRNN | LineNet,
    inputs: list[np.ndarray],
    lstms: Collection[int] | None,
    control: AccuracyControl | None,
) -> Any:
    ignored = [
        op.get_friendly_name() for i, op in enumerate(lstm_operations(ir)) if i not in (lstms or ())
    ]
    with quiet():
        with needs("NNCF", "nncf"):
            import nncf
        options = {"subset_size": len(inputs), "ignored_scope": nncf.IgnoredScope(names=ignored)}
        if control is None:
            quantized = nncf.quantize(ir, nncf.Dataset(inputs), **options)
        else:
            quantized = control.quantize(nncf, ir, nncf.Dataset(inputs), options)
    if lstms is None and isinstance(model, CRNN):
        quantize_lstms(quantized, lstm_input_ranges(model, inputs))
    return quantized
