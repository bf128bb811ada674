"""OpenVINO's own benchmark_app."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.runtime.openvino import import_openvino

# As the console script does; it may not be on the path.
_BENCHMARK_APP = "from openvino.tools.benchmark.main import main; raise SystemExit(main())"


def benchmark_app(
    path: str | Path,
    hint: str = "latency",
    precision: str = "f32",
    seconds: int = 5,
    strips: Sequence[np.ndarray] = (),
) -> dict[str, Any]:
    """What OpenVINO's own benchmark_app says of an .xml or .onnx.

    hint: "latency" or "throughput". precision: asked for where the model is in floating point,
    "f32" or "bf16". strips: (1, 1, 32, W) each, read in turn; without any it is noise of
    (1, 1, 32, 280), the reference kit's shape.

    Keys: fps, median_ms (of one inference) and precision, that which OpenVINO then took. Raises
    OcrkitError if benchmark_app fails.
    """
    name = import_openvino().Core().read_model(path).input(0).any_name
    command = [sys.executable, "-c", _BENCHMARK_APP, "-m", str(path)]
    command += ["-d", "CPU", "-t", str(seconds), "-hint", hint, "-infer_precision", precision]
    with TemporaryDirectory() as folder:
        files = [f"{folder}/{i}.npy" for i in range(len(strips))]
        for file, strip in zip(files, strips, strict=True):
            np.save(file, strip)
        command += ["-i", f"{name}:{','.join(files)}"] if files else ["-shape", "[1,1,32,280]"]
        if files and hint == "latency":  # one at a time, as it measures a fixed shape by itself
            command += ["-api", "async", "-nireq", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
    lines = (r"Throughput: +([\d.]+)", r"Median: +([\d.]+) (us|ms)", r"HINT: <Type: '(\w+)'")
    fps, median, used = (re.search(line, done.stdout) for line in lines)
    if done.returncode or not (fps and median and used):
        raise OcrkitError(f"benchmark_app failed on {path}: {(done.stdout + done.stderr)[-500:]}")
    milliseconds = float(median[1]) / (1000 if median[2] == "us" else 1)
    return {"fps": float(fps[1]), "median_ms": milliseconds, "precision": used[1]}
