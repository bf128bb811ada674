"""Trained networks for other runtimes: Neural Compressor, ONNX, OpenVINO in 16 bits or INT8.

What is written says all that a checkpoint says: config, alphabet, preprocessing, provenance.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ocrkit.alphabet import Alphabet
from ocrkit.backends import FACTS, Backend, import_openvino, needs, quiet, to_ir
from ocrkit.ctc import greedy_batch
from ocrkit.detect.lines import network_input
from ocrkit.detect.network import LineNet
from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.image import Preprocessing, fit
from ocrkit.model import CRNN
from ocrkit.synth.lines import LineGenerator
from ocrkit.synth.pages import PageGenerator

Labelled = tuple[np.ndarray, str]  # a strip (1, 1, 32, W) float32, and the text that it shows

# What Neural Compressor's autotune tries, in this order: how it finds the range of activations (the
# moving average of extremes, or the histogram that loses least), and what stays in FP32.
SETTINGS: tuple[dict[str, str], ...] = (
    {"act_algo": "minmax"},
    {"act_algo": "kl"},
    {"act_algo": "kl", "float": "Linear"},
)


def export_onnx(model: CRNN, path: str | Path) -> Path:
    """Write the model as ONNX: `images` (N, 1, 32, W) -> `logits` (T, N, C), for any N and W.

    The facts of the checkpoint are in its metadata, as JSON under "ocrkit".
    """
    with needs("ONNX", "onnx"):
        import onnx
    path = _prepared(path, ".onnx")
    partial = path.with_suffix(".part")
    model = deepcopy(model).eval().to("cpu")
    # The exporter is the older of torch's two, as the newer needs a package more. It warns of its
    # age, and that tracing might fix batch and width; the tests see that it does not.
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, model.preprocessing.height, 64),),
            partial,
            dynamo=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "N", 3: "W"}, "logits": {0: "T", 1: "N"}},
        )
    exported = onnx.load(partial)
    onnx.helper.set_model_props(exported, {FACTS: json.dumps(model.facts())})
    onnx.save(exported, partial)
    return partial.replace(path)


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
    pages; if None, from synthetic ones. LSTMs are quantised by the kit, as `_quantize_lstms` says.
    `lstms` names those that NNCF quantises in their stead, 0 or 1, while others stay in floating
    point: () for all of them; the INT8 LSTMs that NNCF asks for OpenVINO computes wrongly.

    With `validation`, lines for a recogniser, what costs most of them is set back to floating
    point, one after the other, until the share that is read exactly has fallen by no more than
    `tolerance` of itself. It guards against no LSTM: NNCF judges the model before its weights are
    8 bits, and OpenVINO still computes an LSTM in floating point then.

    Raises ValueError if `path` is no .xml or there is nothing to calibrate with, and OcrkitError
    where NNCF fails to set layers back, as it may with `lstms`.
    """
    path = _prepared(path, ".xml")
    inputs = _inputs(model, calibration) if int8 else []
    ov = import_openvino()
    ir = to_ir(model, -1 if isinstance(model, LineNet) else model.preprocessing.height)
    ir.set_rt_info(json.dumps(model.facts()), FACTS)
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


def random_reference(folder: str | Path, seed: int = 0) -> dict[str, Path]:
    """A network of the reference kit's size, written as "checkpoint", "ONNX", "IR" and "INT8".

    Its weights are random, so it is good for timing only.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CRNN().eval()
    strips = list(synthetic_strips(model.preprocessing, 10))
    return {
        "checkpoint": model.save(Path(folder, "large.safetensors")),
        "ONNX": export_onnx(model, Path(folder, "large.onnx")),
        "IR": to_openvino(model, Path(folder, "large.xml")),
        "INT8": to_openvino(model, Path(folder, "large-int8.xml"), True, strips),
    }


def to_neural_compressor(
    model: CRNN,
    path: str | Path,
    calibration: Iterable[np.ndarray] | None = None,
    validation: Sequence[Labelled] | None = None,
    tolerance: float = 0.01,
) -> Path:
    """Write the model, quantised by Intel Neural Compressor's PT2E path, as PyTorch's own .pt2.

    Convolutions and linear layers become INT8, LSTMs stay; the weights are kept in 32 bits and
    rounded on loading, so the file is no smaller than an FP32 checkpoint. `load_file` runs it, for
    any N and W. `calibration` as in `to_openvino`.

    With `validation`, Neural Compressor's autotune tries SETTINGS until the share of lines read
    exactly has fallen by no more than `tolerance` of itself, or takes the best of them; the file's
    facts then have "trials": the share in FP32 first, then that of each setting tried.

    Raises ValueError if `path` is no .pt2 or there is nothing to calibrate with, MissingPartError
    where Neural Compressor cannot be used, as in a process that has imported IPEX.
    """
    path = _prepared(path, ".pt2")
    strips = _inputs(model, calibration)
    if "intel_extension_for_pytorch" in sys.modules:
        raise MissingPartError(
            "Neural Compressor's PT2E path is closed where Intel Extension for PyTorch has been "
            "imported; call it from a fresh process (in a notebook: restart the kernel)"
        )
    trials: list[float] = []

    def calibrate(graph: Callable[[torch.Tensor], torch.Tensor]) -> None:
        for strip in strips:
            graph(torch.from_numpy(strip))

    @torch.no_grad()
    def judge(graph: Callable[[torch.Tensor], torch.Tensor]) -> float:
        def run(images: np.ndarray) -> np.ndarray:
            return graph(torch.from_numpy(images)).numpy()

        trials.append(float(np.mean(_right(run, validation or (), model.alphabet))))
        return trials[-1]

    partial = path.with_suffix(".part.pt2")
    with quiet(), torch.no_grad():
        with needs("Neural Compressor", "neural-compressor neural-compressor-pt"):
            from neural_compressor.torch import quantization as inc
            from neural_compressor.torch.export import export
        example = (torch.zeros(2, 1, model.preprocessing.height, 64),)
        shapes = {"x": {0: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
        graph = export(deepcopy(model).eval().to("cpu"), example, dynamic_shapes=shapes)
        configs = [_inc_config(inc, setting) for setting in SETTINGS]
        if validation is None:
            graph = inc.prepare(graph, configs[0])
            calibrate(graph)
            graph = inc.convert(graph)
        else:
            tuning = inc.TuningConfig(configs, tolerable_loss=tolerance, max_trials=len(configs))
            graph = inc.autotune(graph, tuning, judge, run_fn=calibrate)
        program = torch.export.export(graph, example, dynamic_shapes=shapes)
        facts = json.dumps(model.facts() | {"trials": trials})
        torch.export.save(program, partial, extra_files={FACTS: facts})
    return partial.replace(path)


def synthetic_strips(preprocessing: Preprocessing, count: int = 300) -> Iterator[np.ndarray]:
    """Strips (1, 1, 32, W) of synthetic lines that neither training nor its evaluation draws."""
    make = LineGenerator(seed=2_000_003)
    return (fit(make(i).image, preprocessing)[None] for i in range(count))


def _inputs(model: CRNN | LineNet, calibration: Iterable[np.ndarray] | None) -> list[np.ndarray]:
    """What INT8 is calibrated with: `calibration`, or if None 300 strips or 40 pages."""
    if calibration is None and isinstance(model, CRNN):
        calibration = synthetic_strips(model.preprocessing)
    elif calibration is None:
        make = PageGenerator(seed=2_000_003)  # of which neither training nor evaluation draws
        calibration = (network_input(make(i).scan) for i in range(40))
    inputs = list(calibration)
    if not inputs:
        raise ValueError("INT8 needs something to calibrate with; none were given")
    return inputs


def _right(run: Backend, lines: Iterable[Labelled], alphabet: Alphabet) -> list[float]:
    """For each line 1 where it is read exactly, else 0."""
    return [float(greedy_batch(run(strip), alphabet)[0].text == text) for strip, text in lines]


def _quantized(
    ir: Any,
    model: CRNN | LineNet,
    inputs: list[np.ndarray],
    lstms: Collection[int] | None,
    validation: Sequence[Labelled] | None,
    tolerance: float,
) -> Any:
    kept = [op.get_friendly_name() for i, op in enumerate(_lstms(ir)) if i not in (lstms or ())]
    with quiet():
        with needs("NNCF", "nncf"):
            import nncf
        options = {"subset_size": len(inputs), "ignored_scope": nncf.IgnoredScope(names=kept)}
        if validation is None or isinstance(model, LineNet):
            small = nncf.quantize(ir, nncf.Dataset(inputs), **options)
        else:
            small = _controlled(nncf, ir, inputs, model.alphabet, validation, tolerance, options)
    if lstms is None and not isinstance(model, LineNet):
        _quantize_lstms(small, _lstm_ranges(model, inputs))
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
        right = _right(lambda images: compiled(images)[0], lines, alphabet)
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


def _lstms(ir: Any) -> list[Any]:
    return [op for op in ir.get_ordered_ops() if op.get_type_name() == "LSTMSequence"]


def _lstm_ranges(model: CRNN, strips: Iterable[np.ndarray]) -> list[float]:
    """The largest size of a number that goes into each LSTM."""
    model = deepcopy(model).eval().to("cpu")
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.LSTM)]
    ranges = [1e-6] * len(layers)

    def note(index: int, inputs: tuple[torch.Tensor, ...]) -> None:
        ranges[index] = max(ranges[index], inputs[0].abs().max().item())

    for i, layer in enumerate(layers):
        layer.register_forward_pre_hook(lambda _, inputs, i=i: note(i, inputs))
    with torch.inference_mode():
        for strip in strips:
            model(torch.from_numpy(strip))
    return ranges


def _quantize_lstms(ir: Any, ranges: Sequence[float]) -> None:
    """Have OpenVINO compute the LSTMs in INT8, in a way that its CPU plugin cannot get wrong.

    oneDNN's INT8 LSTM has one scale for its input x, its last output h and what it gives out, and
    one for a row of its weights W and R together (oneDNN, "RNN", on quantisation). NNCF chooses one
    for each, and the plugin (OpenVINO 2026.4) passes on one of them. It also takes the scales of
    the forget gate for the input gate's and the other way round, and in a network with two LSTMs of
    one shape those of the first for both. So here x is divided by its range and W multiplied by it,
    which brings x to the range of h, -1 to 1, and a row of any LSTM, of W and R and of both of
    these gates has one and the same scale. `ranges`: of the numbers that go into each LSTM.
    """
    from openvino import opset13 as ops

    def constant(values: Any) -> Any:
        return ops.constant(np.asarray(values, np.float32))

    def stored(op: Any, port: int) -> np.ndarray:
        node = op.input_value(port).get_node()
        node = node.input_value(0).get_node() if node.get_type_name() == "Convert" else node
        return node.data.astype(np.float32)

    layers = _lstms(ir)  # their weights (directions, gates x hidden, inputs) are ports 4, W, and 5
    weights = [(stored(op, 4) * top, stored(op, 5)) for op, top in zip(layers, ranges, strict=True)]
    rows = np.max([abs(w).max(axis=(0, 2)) for pair in weights for w in pair], axis=0)
    gates = rows.reshape(4, -1)
    gates[:2] = gates[:2].max(axis=0)
    scale = gates.reshape(1, -1, 1) / 127
    limits = [constant(limit) for limit in (-1, 127 / 128)] * 2
    for op, top, pair in zip(layers, ranges, weights, strict=True):
        scaled = ops.multiply(op.input_value(0), constant(1 / top))
        inputs = {0: ops.fake_quantize(scaled, *limits, 256)}
        # The state before the first step is 0, but has to be in 8 bits as well.
        inputs[1] = ops.fake_quantize(op.input_value(1), *limits, 256)
        for port, values in zip((4, 5), pair, strict=True):
            rounded = ops.constant(np.round(values / scale).astype(np.int8))
            inputs[port] = ops.multiply(ops.convert(rounded, "f32"), constant(scale))
        for port, node in inputs.items():
            op.input(port).replace_source_output(node.output(0))


def _inc_config(inc: Any, setting: dict[str, str]) -> Any:
    config = inc.StaticQuantConfig(act_algo=setting["act_algo"])
    if kind := setting.get("float"):
        config.set_local(getattr(torch.nn, kind), inc.StaticQuantConfig("fp32", act_dtype="fp32"))
    return config


def _prepared(path: str | Path, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"{path} must end in {suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
