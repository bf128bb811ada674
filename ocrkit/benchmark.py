"""Speed with its spread and its accuracy: artefacts of one network, and readers of whole pages.

python -m ocrkit.benchmark FOLDER    times ocrkit, and Tesseract if it is there, on your scans
"""

from __future__ import annotations

import html
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from operator import call
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
import typer

from ocrkit.backends import import_openvino
from ocrkit.data import Sample, load_crops
from ocrkit.engines import Reader, ocrkit_reader, tesseract_reader
from ocrkit.errors import OcrkitError
from ocrkit.image import find_images
from ocrkit.metrics import cer, word_f1
from ocrkit.model import CRNN, multiply_adds
from ocrkit.recognize import Recognizer
from ocrkit.timing import Spread, apart, in_turns, interleaved, mean_seconds
from ocrkit.train import evaluate, fast_bfloat16

T = TypeVar("T")

# What a processor has -> multiply-adds of one core in a cycle, FP32 and INT8, at most: two units of
# 8 or 16 lanes for FP32. INT8 without VNNI takes two multiplying instructions and an adding one for
# each 32 or 64 products.
_A_CYCLE = (
    ({"AMX"}, 32, 1024),
    ({"AVX-512", "VNNI"}, 32, 128),
    ({"AVX-512"}, 32, 128 / 3),
    ({"AVX2", "VNNI"}, 16, 64),
    ({"AVX2"}, 16, 32),
)
# Of words in a diff; both colours of each, or a dark theme would put its own light letters on a
# light ground.
_MISSED = "color:#7a1f00;background:#ffe3d3;text-decoration:line-through"
_FALSE = "color:#00337a;background:#dce9ff;text-decoration:underline"


def available(makers: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], dict[str, str]]:
    """What could be made, and of the rest the reason why not."""
    made: dict[str, T] = {}
    reasons: dict[str, str] = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except OcrkitError as error:
            reasons[name] = str(error)
        except Exception as error:  # a package that breaks in its own way must not stop the rest
            reasons[name] = " ".join(f"{type(error).__name__}: {error}".split())
    return made, reasons


def medians(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with plain numbers for their Spreads, and without what JSON does not know."""
    return [
        {
            key: value.median if isinstance(value, Spread) else value
            for key, value in row.items()
            if isinstance(value, str | int | float | None | Spread)
        }
        for row in rows
    ]


# --- artefacts of one network ---------------------------------------------------------------------


@dataclass(frozen=True)
class Artefact:
    """One way to run the network, under a label that ends in its precision.

    path: its file, or the .xml of an .xml and a .bin. checkpoint: what it is made of. notebook: the
    one that makes it. reader: makes a recogniser of the path.
    """

    label: str
    path: Path
    checkpoint: Path
    notebook: str
    reader: Callable[[Path], Recognizer] = Recognizer.load

    @property
    def problem(self) -> str:
        """What is wrong with the file, or ""."""
        if not self.path.exists():
            return f"{self.path} is not there; notebook {self.notebook} makes it"
        if self.path.stat().st_mtime < self.checkpoint.stat().st_mtime:
            remedy = f"run notebook {self.notebook} again"
            return f"{self.path} is older than {self.checkpoint}; {remedy}"
        return ""

    @property
    def megabytes(self) -> float:
        size = self.path.stat().st_size
        if self.path.suffix == ".xml":
            size += self.path.with_suffix(".bin").stat().st_size
        return size / 1e6

    def load(self) -> Recognizer:
        return self.reader(self.path)


def artefacts(checkpoint: Path, folder: str | Path) -> list[Artefact]:
    """All that the notebooks make of a checkpoint; `folder` is where they write.

    They decode greedily: what is compared is how the network is run, not what a language adds.
    """
    load = partial(Recognizer.load, decoder="greedy")
    bf16 = partial(load, precision="bfloat16")
    return [
        Artefact(label, Path(folder, name), checkpoint, notebook, reader)
        for label, name, notebook, reader in (
            ("PyTorch FP32", checkpoint.resolve(), "02_train", load),
            ("PyTorch BF16", checkpoint.resolve(), "02_train", bf16),
            ("IPEX FP32", checkpoint.resolve(), "02_train", partial(load, backend="ipex")),
            ("IPEX BF16", checkpoint.resolve(), "02_train", partial(bf16, backend="ipex")),
            ("Neural Compressor INT8", "crnn-inc.pt2", "04_neural_compressor", load),
            ("ONNX Runtime FP32", "crnn.onnx", "05_openvino", load),
            ("OpenVINO FP32", "crnn.xml", "05_openvino", load),
            ("OpenVINO BF16", "crnn.xml", "05_openvino", bf16),
            ("OpenVINO INT8", "crnn-int8.xml", "05_openvino", load),
        )
    ]


def compare(
    artefacts: Sequence[Artefact],
    samples: Sequence[Sample],
    batches: Sequence[int] = (1, 8, 32),
    lines: int = 200,
    rounds: int = 5,
    starts: int = 3,
) -> list[dict[str, Any]]:
    """A row for each artefact: how right and how fast it reads, what it weighs, how it starts.

    Accuracy is that on all samples; the first `lines` of them are read in each round, with each of
    the batch sizes, from crop to text, each runtime in its own process. Rows have the keys
    label, reason ("" or why there is nothing else in the row), evaluation, accuracy, cer, ms (a
    line, with the smallest batch), lines_s (with the best batch), batch (which that is), relative
    (lines_s over the first row's, in the same rounds), mb (on the disk) and start_s (from starting
    a fresh Python to the first line read; None without `starts`); timings are Spreads.
    """
    crops = load_crops(samples[:lines])
    reasons = {a.label: a.problem for a in artefacts if a.problem}
    with _running({a.label: a.load for a in artefacts if not a.problem}) as uses:
        scores, failed = available({n: partial(use, evaluate, samples) for n, use in uses.items()})
        reasons |= failed
        clocks = {
            (label, batch): partial(uses[label], mean_seconds, _read, crops, batch)
            for label in scores
            for batch in batches
        }
        for label, batch in clocks:
            uses[label](_read, crops, batch)
        seconds = in_turns(clocks, rounds, "reading")
    fresh = {a.label: partial(_start, a, crops[0]) for a in artefacts if a.label in scores}
    begun = interleaved(fresh, starts, "starting") if starts else {}
    rows: list[dict[str, Any]] = []
    first = None
    for artefact in artefacts:
        label = artefact.label
        if label in reasons:
            rows.append({"label": label, "reason": reasons[label]})
            continue
        batch = min(batches, key=lambda batch: seconds[label, batch].median)
        fastest = seconds[label, batch]
        first = first or fastest
        rows.append(
            {
                "label": label,
                "reason": "",
                "evaluation": scores[label],
                "accuracy": scores[label].accuracy,
                "cer": scores[label].cer,
                "ms": seconds[label, min(batches)].map(lambda s: 1000 * s / len(crops)),
                "lines_s": fastest.map(lambda s: len(crops) / s),
                "batch": batch,
                "relative": first.ratio(fastest),
                "mb": artefact.megabytes,
                "start_s": begun.get(label),
            }
        )
    return rows


@contextmanager
def _running(makers: Mapping[str, Callable[[], Any]]) -> Iterator[dict[str, Callable[..., Any]]]:
    """What calls a function, for each label, with what its maker makes, as `timing.apart` does.

    Those of one runtime, the label without its precision, are in one process.
    """
    runtimes: dict[str, list[str]] = {}
    for label in makers:
        runtimes.setdefault(label.rsplit(" ", 1)[0], []).append(label)
    with ExitStack() as stack:
        uses: dict[str, Callable[..., Any]] = {}
        for labels in runtimes.values():
            use = stack.enter_context(apart(*(makers[label] for label in labels)))
            uses |= {label: partial(use, makers[label]) for label in labels}
        yield uses


def _read(recognizer: Recognizer, crops: Sequence[np.ndarray], batch: int) -> None:
    replace(recognizer, batch_size=batch)(crops)


def _start(artefact: Artefact, crop: np.ndarray) -> None:
    code = "import pickle, sys; a, crop = pickle.load(sys.stdin.buffer); a.load()([crop])"
    command = [sys.executable, "-c", code]
    subprocess.run(command, input=pickle.dumps((artefact, crop)), capture_output=True, check=True)


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


# --- roofline -------------------------------------------------------------------------------------


def nominal_peak(cores: int, ghz: float, features: Collection[str]) -> dict[str, float]:
    """Multiply-adds a second that the data sheet promises, for "FP32" and "INT8".

    features: those of AVX2, AVX-512, VNNI and AMX that the processor has. Cores x clock x lanes x
    units: an upper bound for its instruction set, as some have one unit where two are counted.
    Empty for a processor without AVX2, whose peak is not known here.
    """
    for needed, fp32, int8 in _A_CYCLE:
        if needed <= set(features):
            return {"FP32": cores * ghz * 1e9 * fp32, "INT8": cores * ghz * 1e9 * int8}
    return {}


def roofline(
    readers: Mapping[str, Callable[[], Recognizer]],
    model: CRNN,
    batches: Sequence[int],
    width: int = 280,
    rounds: int = 5,
    size: int = 1024,
) -> dict[int, list[dict[str, Any]]]:
    """Multiply-adds a second that networks reach, beside those of a matrix product.

    readers: what loads each; their labels end in FP32, BF16 or INT8, and those that begin alike, as
    those of one runtime, share a process.
    For each of the batches a row for each product of two matrices (size, size), which is about the
    most that the processor does in that precision, then one for each network on strips (batch, 1,
    32, width): label, ms (a product or a strip), billions (of multiply-adds a second) and percent
    (of the product in that precision, in its best round), all Spreads; percent is None where that
    product is not measured.
    """
    precisions = ["FP32", *["BF16"] * fast_bfloat16(torch.device("cpu")), "INT8"]
    products = {f"matrix product {name}": partial(_product, name, size) for name in precisions}
    draw = np.random.default_rng(0).random
    strips = {batch: draw((batch, 1, 32, width), np.float32) for batch in batches}
    with _running({**products, **readers}) as uses:
        clocks = {(name, 1): partial(uses[name], mean_seconds, call) for name in products}
        clocks |= {
            (name, batch): partial(uses[name], mean_seconds, _infer, strips[batch])
            for name in readers
            for batch in batches
        }
        for clock in clocks.values():
            clock()
        seconds = in_turns(clocks, rounds)
    work = dict.fromkeys(readers, sum(multiply_adds(model, width).values()))
    work |= dict.fromkeys(products, size**3)
    roofs = {name.split()[-1]: size**3 / min(seconds[name, 1].values) for name in products}

    def row(name: str, items: int) -> dict[str, Any]:
        rate = seconds[name, items].map(lambda s: items * work[name] / s)
        roof = roofs.get(name.split()[-1])
        return {
            "label": name,
            "ms": seconds[name, items].map(lambda s: 1000 * s / items),
            "billions": rate.map(lambda r: r / 1e9),
            "percent": rate.map(lambda r: 100 * r / roof) if roof else None,
        }

    return {
        batch: [row(name, 1) for name in products] + [row(name, batch) for name in readers]
        for batch in batches
    }


def _infer(recognizer: Recognizer, strips: np.ndarray) -> None:
    recognizer.backend(strips)


def _product(precision: str, size: int) -> Callable[[], object]:
    left, right = torch.rand(2, size, size)
    if precision == "INT8":
        weights = torch.quantize_per_tensor(right, 0.01, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weights, None)
        quantized = torch.quantize_per_tensor(left, 0.01, 0, torch.quint8)
        return lambda: torch.ops.quantized.linear(quantized, packed, 1.0, 0)
    if precision == "BF16":
        left, right = left.bfloat16(), right.bfloat16()
    # By oneDNN: `@` takes MKL for FP32, which reached less than half of this on an AMD processor.
    return partial(torch.ops.mkldnn._linear_pointwise, left, right, None, "none", [], "")


# --- readers of whole pages -----------------------------------------------------------------------


def shoot_out(
    readers: Mapping[str, Reader], pages: Sequence[Path], rounds: int = 3
) -> list[dict[str, Any]]:
    """A row for each page and reader; the page's true text is beside it, in a .txt of its name.

    Keys: page, reader, cer (white space folded), word_f1, seconds (a Spread), truth, text.
    """
    runs = {(page, name): partial(read, page) for page in pages for name, read in readers.items()}
    texts = {key: run() for key, run in runs.items()}
    seconds = interleaved(runs, rounds, "reading pages")
    truths = {page: page.with_suffix(".txt").read_text(encoding="utf-8") for page in pages}
    return [
        {
            "page": page.stem,
            "reader": name,
            "cer": cer([" ".join(truths[page].split())], [" ".join(text.split())]),
            "word_f1": word_f1(truths[page], text)[2],
            "seconds": seconds[page, name],
            "truth": truths[page],
            "text": text,
        }
        for (page, name), text in texts.items()
    ]


def diff(truth: str, reading: str, context: int = 4) -> str:
    """HTML of what a reading got wrong, word by word: missed words struck out, false underlined.

    Of the words that are right, `context` are shown on each side of an error.
    """
    true, read = truth.split(), reading.split()
    steps = SequenceMatcher(None, true, read, autojunk=False).get_opcodes()
    parts: list[str] = []
    for n, (kind, i, j, k, m) in enumerate(steps):
        if kind == "equal":
            right, before, after = true[i:j], context * (n > 0), context * (n + 1 < len(steps))
            if len(right) > before + after:
                right[before : len(right) - after] = ["…"]
            parts.append(html.escape(" ".join(right)))
            continue
        for tag, words, style in (("del", true[i:j], _MISSED), ("ins", read[k:m], _FALSE)):
            if words:
                parts.append(f"<{tag} style='{style}'>{html.escape(' '.join(words))}</{tag}>")
    return f"<p style='line-height:1.7'>{' '.join(parts)}</p>"


# --- the same on anybody's scans ------------------------------------------------------------------


def main(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Images, and folders of them.")
    ],
    recognizer: Annotated[
        str | None, typer.Option(help="Weights, a name or a path; else the kit's own.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
) -> None:
    """Seconds a file of ocrkit and of Tesseract, taking turns on the same files."""
    try:
        pages = find_images(paths)
        readers = {"ocrkit": ocrkit_reader(recognizer)}
    except OcrkitError as error:
        raise typer.BadParameter(str(error)) from error
    others, reasons = available({"Tesseract": tesseract_reader})
    for reason in reasons.values():
        print(reason)
    readers |= others

    def timed(page: Path) -> dict[str, Spread]:
        runs = {name: partial(read, page) for name, read in readers.items()}
        for run in runs.values():
            run()
        row = interleaved(runs, rounds)
        if others:
            row["Tesseract / ocrkit"] = row["Tesseract"].ratio(row["ocrkit"])
        shown = ", ".join(f"{name} {spread}" for name, spread in row.items())
        print(f"{page}: {shown}", flush=True)
        return row

    rows, failed = available({str(page): partial(timed, page) for page in pages})
    for reason in failed.values():
        print(reason, file=sys.stderr)
    if not rows:
        print("no page could be read", file=sys.stderr)
        raise typer.Exit(1)
    print(f"\nmedian of {len(rows)} files (lowest-highest), seconds a file:")
    for name in next(iter(rows.values())):
        print(f"{name}: {Spread(tuple(row[name].median for row in rows.values()))}")


if __name__ == "__main__":
    typer.run(main)
