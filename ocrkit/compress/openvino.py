"""Conversion to OpenVINO IR, in FP32 or, by NNCF, in INT8."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ocrkit.compress.calibration import Labelled, calibration_inputs, exactly_right
from ocrkit.compress.int8_lstm import lstm_input_ranges, lstm_operations, quantize_lstms
from ocrkit.detection.network import LineNet
from ocrkit.errors import OcrkitError
from ocrkit.files import prepared_path
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.metadata import METADATA_KEY
from ocrkit.runtime.openvino import import_openvino, to_ir
from ocrkit.runtime.packages import needs, quiet


def to_openvino(
    model: CRNN | LineNet,
    path: str | Path,
    int8: bool = False,
    calibration: Iterable[np.ndarray] | None = None,
    lstms: Collection[int] | None = None,
    validation: Sequence[Labelled] | None = None,
    tolerance: float = 0.01,
) -> Path:
    """Write the model as OpenVINO IR: `path`, an .xml, and a .bin beside it; weights in 16 bits.

    With `int8`, its layers get 8-bit weights and compute in INT8, their ranges taken from
    `calibration`: strips (N, 1, 32, W) float32 or, for a detector, what `network_input` makes of
    pages; if None, from synthetic ones. LSTMs are quantised by the kit, as `quantize_lstms` says.
    `lstms` names those that NNCF quantises in their stead, 0 or 1, while others stay in floating
    point: () for all of them; the INT8 LSTMs that NNCF asks for OpenVINO computes wrongly.

    With `validation`, lines for a recogniser, what costs most of them is set back to floating
    point, one after the other, until the share that is read exactly has fallen by no more than
    `tolerance` of itself. It guards against no LSTM: NNCF judges the model before its weights are
    8 bits, and OpenVINO still computes an LSTM in floating point then.

    Raises ValueError if `path` is no .xml or there is nothing to calibrate with, and OcrkitError
    where NNCF fails to set layers back, as it may with `lstms`.
    """
    path = prepared_path(path, ".xml")
    inputs = calibration_inputs(model, calibration) if int8 else []
    ov = import_openvino()
    ir = to_ir(model, height=-1 if isinstance(model, LineNet) else 32)
    ir.set_rt_info(json.dumps(model.metadata()), METADATA_KEY)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        written = Path(folder) / "half.xml"
        ov.save_model(ir, written)
        if int8:
            # Read again because only in the file the weights have 16 bits: what is not quantised
            # of a model in 32 bits is stored in 32.
            half = ov.Core().read_model(written)
            written = Path(folder) / "int8.xml"
            ov.save_model(_quantized(half, model, inputs, lstms, validation, tolerance), written)
        written.with_suffix(".bin").replace(path.with_suffix(".bin"))
        return written.replace(path)


def _quantized(
    ir: Any,
    model: CRNN | LineNet,
    inputs: list[np.ndarray],
    lstms: Collection[int] | None,
    validation: Sequence[Labelled] | None,
    tolerance: float,
) -> Any:
    kept = [
        op.get_friendly_name() for i, op in enumerate(lstm_operations(ir)) if i not in (lstms or ())
    ]
    with quiet():
        with needs("NNCF", "nncf"):
            import nncf
        options = {"subset_size": len(inputs), "ignored_scope": nncf.IgnoredScope(names=kept)}
        if validation is None or isinstance(model, LineNet):
            small = nncf.quantize(ir, nncf.Dataset(inputs), **options)
        else:
            small = _controlled(nncf, ir, inputs, model.alphabet, validation, tolerance, options)
    if lstms is None and not isinstance(model, LineNet):
        quantize_lstms(small, lstm_input_ranges(model, inputs))
    return small


def _controlled(
    nncf: Any,
    ir: Any,
    inputs: list[np.ndarray],
    alphabet: Alphabet,
    validation: Sequence[Labelled],
    tolerance: float,
    options: dict[str, Any],
) -> Any:
    def judge(compiled: Any, lines: Iterable[Labelled]) -> tuple[float, list[float]]:
        right = exactly_right(lambda images: compiled(images)[0], lines, alphabet)
        return float(np.mean(right)), right

    try:
        return nncf.quantize_with_accuracy_control(
            ir,
            nncf.Dataset(inputs),
            nncf.Dataset(validation, lambda line: line[0]),
            judge,
            max_drop=tolerance,
            drop_type=nncf.DropType.RELATIVE,
            **options,
        )
    except KeyError as error:
        # NNCF 3.4 takes the nodes of shapes out of its graph, and then looks for them there.
        raise OcrkitError(
            "NNCF's accuracy control lost more than the tolerance and could not set the LSTMs "
            f"back to floating point (KeyError {error}); leave them out: lstms=()"
        ) from error
