"""Speed with its spread and its accuracy: artefacts of one network, and readers of whole pages.

What is compared takes turns, round after round, so that a noisy moment of the machine hits all
alike; medians then bear comparing, and so do ratios within a round. Runtimes are compared in
processes of their own, as the threads of one that has just answered are in the way of the next.

    python -m ocrkit.benchmark FOLDER    times ocrkit, and Tesseract if it is there, on your scans
"""

from __future__ import annotations

import argparse
import html
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import torch

from ocrkit.backends import needs, quiet
from ocrkit.data import Sample
from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.image import find_images, load_pages
from ocrkit.metrics import cer, word_f1
from ocrkit.model import CRNN, multiply_adds
from ocrkit.pipeline import read_document
from ocrkit.progress import progress
from ocrkit.recognize import Recognizer
from ocrkit.train import evaluate, fast_bfloat16, load_crops

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Reader = Callable[[Path], str]  # the text of all pages of an image file

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


# --- timing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """What several rounds gave; as text the median, and in brackets the lowest and the highest."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def map(self, function: Callable[[float], float]) -> Spread:
        return Spread(tuple(map(function, self.values)))

    def ratio(self, other: Spread) -> Spread:
        """This over the other, round by round."""
        return Spread(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def overlaps(self, other: Spread) -> bool:
        """Whether the ranges from lowest to highest do: then neither is surely the larger."""
        return min(self.values) <= max(other.values) and min(other.values) <= max(self.values)

    def __str__(self) -> str:
        places = sum(self.median < limit for limit in (100, 10, 0.1))
        low, middle, high = (
            f"{value:.{places}f}" for value in (min(self.values), self.median, max(self.values))
        )
        return f"{middle} ({low}-{high})"


def interleaved(
    runs: Mapping[K, Callable[[], object]], rounds: int = 5, title: str = ""
) -> dict[K, Spread]:
    """Seconds that each run takes, in rounds in which each has its turn.

    Call each once before: what a first call compiles or loads would be counted here. With a title
    the progress is shown.
    """
    return _in_turns({key: partial(_seconds, run) for key, run in runs.items()}, rounds, title)


def _in_turns(
    clocks: Mapping[K, Callable[[], float]], rounds: int, title: str = ""
) -> dict[K, Spread]:
    turns = list(clocks) * rounds
    seconds: dict[K, list[float]] = {key: [] for key in clocks}
    for key in progress(turns, title, unit="turns") if title else turns:
        seconds[key].append(clocks[key]())
    return {key: Spread(tuple(values)) for key, values in seconds.items()}


def _seconds(run: Callable[..., object], *arguments: Any) -> float:
    start = perf_counter()
    run(*arguments)
    return perf_counter() - start


class Apart:
    """Something made, and used, in a process of its own.

    Calling this calls a function there, with what was made as its first argument. The function, its
    arguments and what it returns go there and back by pickle; an error in making comes up here.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        # Forking a process in which torch has started its threads may hang, so it is spawned.
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))
        try:
            self._pool.submit(_make, make, torch.get_num_threads()).result()
        except BaseException:
            self._pool.shutdown()
            raise

    def __call__(self, use: Callable[..., T], *arguments: Any) -> T:
        return self._pool.submit(_use, use, arguments).result()

    def seconds(self, use: Callable[..., object], *arguments: Any, least: float = 0.0) -> float:
        """What one call takes there; with `least` the mean of as many as take so many seconds.

        These begin with one that is not counted, as it finds threads asleep and caches emptied by
        whoever had the turn before.
        """
        return self(_mean_seconds, use, arguments, least)

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()


_made: list[Any] = []  # in a process of Apart, what was made


def _make(make: Callable[[], Any], threads: int) -> None:
    torch.set_num_threads(threads)
    with quiet():
        _made.append(make())


def _use(use: Callable[..., T], arguments: Sequence[Any]) -> T:
    return use(_made[0], *arguments)


def _mean_seconds(
    made: Any, use: Callable[..., object], arguments: Sequence[Any], least: float
) -> float:
    if not least:
        return _seconds(use, made, *arguments)
    use(made, *arguments)
    start, calls = perf_counter(), 0
    while not calls or perf_counter() - start < least:
        use(made, *arguments)
        calls += 1
    return (perf_counter() - start) / calls


def medians(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with plain numbers for their Spreads, and without what JSON does not know."""
    plain = str | int | float | None
    return [
        {
            key: value.median if isinstance(value, Spread) else value
            for key, value in row.items()
            if isinstance(value, plain | Spread)
        }
        for row in rows
    ]


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


# --- artefacts of one network ---------------------------------------------------------------------


@dataclass(frozen=True)
class Artefact:
    """One way to run the network, under a label that ends in its precision.

    path: its file, or folder, or the .xml of an .xml and a .bin. checkpoint: what it is made of.
    notebook: the one that makes it. reader: makes a recogniser of the path.
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
        newest = max(file.stat().st_mtime for file in self.files)
        older = newest < self.checkpoint.stat().st_mtime
        remedy = f"older than {self.checkpoint}; run notebook {self.notebook} again"
        return f"{self.path} is {remedy}" if older else ""

    @property
    def files(self) -> list[Path]:
        if self.path.is_dir():
            return [file for file in self.path.rglob("*") if file.is_file()]
        weights = self.path.with_suffix(".bin")  # of an .xml, and of nothing else of that name
        return [self.path, *[weights] * (self.path.suffix == ".xml" and weights.exists())]

    @property
    def megabytes(self) -> float:
        return sum(file.stat().st_size for file in self.files) / 1e6

    def load(self) -> Recognizer:
        """Raises MissingPartError for a problem with the file, and what the reader raises."""
        if self.problem:
            raise MissingPartError(self.problem)
        with quiet():
            return self.reader(self.path)

    def apart(self) -> Apart:
        """The recogniser in a process of its own; raises as `load` does."""
        if self.problem:  # said without starting one
            raise MissingPartError(self.problem)
        return Apart(self.load)


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
    the batch sizes, from crop to text, by each artefact in its own process. `start_s` is the time
    from starting a fresh Python to the first line read. Rows have the keys label, reason ("" or why
    there is nothing else in the row), evaluation, accuracy, cer, ms (a line, with the smallest
    batch), lines_s (with the best batch), batch (which that is), relative (lines_s over the first
    row's, in the same rounds), mb (on the disk) and start_s (None where there are no `starts`);
    timings are Spreads.
    """
    crops = load_crops(samples[:lines])
    with ExitStack() as stack:
        ready, reasons = available({a.label: a.apart for a in artefacts})
        for process in ready.values():
            stack.enter_context(process)
        scores, failed = available({n: partial(p, evaluate, samples) for n, p in ready.items()})
        reasons |= failed
        clocks = {
            (label, batch): partial(ready[label].seconds, _read, crops, batch)
            for label in scores
            for batch in batches
        }
        for clock in clocks.values():
            clock()
        seconds = _in_turns(clocks, rounds, "reading")
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


def _read(recognizer: Recognizer, crops: Sequence[np.ndarray], batch: int) -> None:
    replace(recognizer, batch_size=batch)(crops)


def _start(artefact: Artefact, crop: np.ndarray) -> None:
    code = "import pickle, sys; a, crop = pickle.load(sys.stdin.buffer); a.load()([crop])"
    command = [sys.executable, "-c", code]
    subprocess.run(command, input=pickle.dumps((artefact, crop)), capture_output=True, check=True)


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
    batches: Sequence[int] = (16,),
    width: int = 280,
    rounds: int = 5,
    size: int = 1024,
    least: float = 0.2,
) -> dict[int, list[dict[str, Any]]]:
    """Multiply-adds a second that networks reach, beside those of a matrix product.

    readers: what loads each, each in a process of its own; their labels end in FP32, BF16 or INT8.
    For each of the batches a row for each product of two matrices (size, size), which is about the
    most that the processor does in that precision, then one for each network on strips (batch, 1,
    32, width): label, ms (a product or a strip), billions (of multiply-adds a second) and percent
    (of the product in that precision, in its best round), all Spreads; percent is None where that
    product is not measured. Each takes turns, calling for `least` seconds in each.
    """
    precisions = ["FP32", *["BF16"] * fast_bfloat16(torch.device("cpu")), "INT8"]
    products = [f"matrix product {name}" for name in precisions]
    draw = np.random.default_rng(0).random
    strips = {batch: draw((batch, 1, 32, width), np.float32) for batch in batches}
    with ExitStack() as stack:
        clocks: dict[tuple[str, int], Callable[[], float]] = {}
        process = stack.enter_context(Apart(partial(_products, precisions, size)))
        for name, precision in zip(products, precisions, strict=True):
            clocks[name, 0] = partial(process.seconds, _multiply, precision, least=least)
        for name, load in readers.items():
            process = stack.enter_context(Apart(load))
            for batch in batches:
                clocks[name, batch] = partial(process.seconds, _infer, strips[batch], least=least)
        for clock in clocks.values():
            clock()
        seconds = _in_turns(clocks, rounds)
    strip = sum(multiply_adds(model, width).values())

    def row(name: str, batch: int) -> dict[str, Any]:
        spent, work = seconds[name, batch], batch * strip or size**3
        product = seconds.get((f"matrix product {name.split()[-1]}", 0))
        best = size**3 / min(product.values) if product else 0.0
        return {
            "label": name,
            "ms": spent.map(lambda s: 1000 * s / max(batch, 1)),
            "billions": spent.map(lambda s: work / s / 1e9),
            "percent": spent.map(lambda s: 100 * work / s / best) if product else None,
        }

    return {
        batch: [row(name, 0) for name in products] + [row(name, batch) for name in readers]
        for batch in batches
    }


def _infer(recognizer: Recognizer, strips: np.ndarray) -> None:
    recognizer.backend(strips)


def _multiply(products: Mapping[str, Callable[[], object]], precision: str) -> None:
    products[precision]()


def _products(precisions: Sequence[str], size: int) -> dict[str, Callable[[], object]]:
    return {precision: _product(precision, size) for precision in precisions}


def _product(precision: str, size: int) -> Callable[[], object]:
    left, right = torch.rand(2, size, size)
    if precision == "INT8":
        weights = torch.quantize_per_tensor(right, 0.01, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(weights, None)
        quantized = torch.quantize_per_tensor(left, 0.01, 0, torch.quint8)
        return lambda: torch.ops.quantized.linear(quantized, packed, 1.0, 0)
    if precision == "BF16":
        left, right = left.bfloat16(), right.bfloat16()
    return lambda: left @ right


# --- readers of whole pages -----------------------------------------------------------------------


def ocrkit_reader(recognizer: Recognizer | str | Path = "ocrkit-fast") -> Reader:
    if not isinstance(recognizer, Recognizer):
        recognizer = Recognizer.load(recognizer)
    return lambda path: read_document(path, recognizer=recognizer).text


def tesseract_reader(languages: Sequence[str] = ("eng", "fra")) -> Reader:
    """Tesseract's command, with those of the languages that are installed.

    Each page starts it anew, as its users do; that is in its time. Raises MissingPartError where
    Tesseract or all of the languages are absent.
    """
    command = shutil.which("tesseract")
    if not command:
        raise MissingPartError(
            "Tesseract is not installed: sudo apt-get install tesseract-ocr tesseract-ocr-fra"
        )
    listed = subprocess.run([command, "--list-langs"], capture_output=True, text=True).stdout
    found = [name for name in languages if name in listed.split()]
    if not found:
        raise MissingPartError(
            f"Tesseract has none of the languages {', '.join(languages)}: sudo apt-get install "
            + " ".join(f"tesseract-ocr-{name}" for name in languages)
        )

    def read(path: Path) -> str:
        done = subprocess.run(
            [command, str(path), "-", "-l", "+".join(found)], capture_output=True, text=True
        )
        if done.returncode:
            raise OcrkitError(f"{path}: Tesseract: {done.stderr.strip()}")
        return done.stdout

    return read


def rapidocr_reader() -> Reader:
    """RapidOCR, whose package brings its weights along; MissingPartError where it is not there."""
    with needs("RapidOCR", "rapidocr_onnxruntime"):
        package = import_module("rapidocr_onnxruntime")
    engine = package.RapidOCR()

    def read(path: Path) -> str:
        pages = (engine(np.stack([page] * 3, axis=2))[0] or [] for page in load_pages(path))
        return "\n".join(text for page in pages for _, text, _ in page)

    return read


def easyocr_reader(languages: Sequence[str] = ("en", "fr")) -> Reader:
    """EasyOCR; MissingPartError where the package or its weights are not there."""
    with needs("EasyOCR", "easyocr"):
        import easyocr
    try:
        engine = easyocr.Reader(list(languages), gpu=False, download_enabled=False, verbose=False)
    except FileNotFoundError as error:
        raise MissingPartError(
            "EasyOCR's weights are not on this disk; easyocr.Reader(['en', 'fr']) fetches them"
        ) from error
    return lambda path: "\n".join(
        text for page in load_pages(path) for text in engine.readtext(page, detail=0)
    )


READERS: dict[str, Callable[[], Reader]] = {
    "Tesseract": tesseract_reader,
    "RapidOCR": rapidocr_reader,
    "EasyOCR": easyocr_reader,
}


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
            "cer": cer([_folded(truths[page])], [_folded(text)]),
            "word_f1": word_f1(truths[page], text)[2],
            "seconds": seconds[page, name],
            "truth": truths[page],
            "text": text,
        }
        for (page, name), text in texts.items()
    ]


def _folded(text: str) -> str:
    return " ".join(text.split())


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


# Both colours of each, or a dark theme would put its own light letters on a light ground.
_MISSED = "color:#7a1f00;background:#ffe3d3;text-decoration:line-through"
_FALSE = "color:#00337a;background:#dce9ff;text-decoration:underline"


# --- the same on anybody's scans ------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m ocrkit.benchmark",
        description="Seconds a file of ocrkit and of Tesseract, taking turns on the same files.",
    )
    parser.add_argument("paths", nargs="+", metavar="FOLDER", help="images, and folders of them")
    parser.add_argument("--recognizer", default="ocrkit-fast", help="weights, a name or a path")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    options = parser.parse_args(arguments)
    try:
        pages = find_images(options.paths)
        readers = {"ocrkit": ocrkit_reader(options.recognizer)}
    except OcrkitError as error:
        parser.error(str(error))
    others, reasons = available({"Tesseract": tesseract_reader})
    print(*reasons.values(), sep="\n", end="\n" if reasons else "")
    readers |= others
    typical: dict[str, list[float]] = {}
    for page in pages:
        runs = {name: partial(read, page) for name, read in readers.items()}
        try:
            for run in runs.values():
                run()
            columns = interleaved(runs, max(options.rounds, 1))
        except OcrkitError as error:
            print(error, file=sys.stderr)
            continue
        if others:
            columns["Tesseract / ocrkit"] = columns["Tesseract"].ratio(columns["ocrkit"])
        shown = ", ".join(f"{name} {spread}" for name, spread in columns.items())
        print(f"{page}: {shown}", flush=True)
        for name, spread in columns.items():
            typical.setdefault(name, []).append(spread.median)
    if not typical:
        parser.exit(1, "no page could be read\n")
    print(f"\nmedian of {len(typical['ocrkit'])} files (lowest-highest), seconds a file:")
    for name, values in typical.items():
        print(f"{name}: {Spread(tuple(values))}")


if __name__ == "__main__":
    main()
