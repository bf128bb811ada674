"""What is learned from: manifests of labelled images, and endless synthetic lines in batches."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from operator import itemgetter
from pathlib import Path
from threading import current_thread, main_thread
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ocrkit.alphabet import Alphabet
from ocrkit.errors import OcrkitError
from ocrkit.files import write
from ocrkit.image import Preprocessing, fit, load_pages
from ocrkit.model import ModelConfig
from ocrkit.synth.lines import Crop, LineGenerator
from ocrkit.synth.words import reference_words

T = TypeVar("T")
_STEPS = ModelConfig().steps  # time steps of a network of the usual kind, by columns


@dataclass(frozen=True)
class Sample:
    """An image file, and the text that it shows."""

    path: Path
    text: str


def read_manifest(path: str | Path) -> list[Sample]:
    """The samples of a UTF-8 text file with a row `image path<TAB>text` for each.

    Image paths are relative to the manifest's folder. Blank rows are passed over. The images are
    not opened. Raises OcrkitError, naming the line, for what is not such a row, an image that is
    listed twice, and a manifest that is missing or empty.
    """
    path = Path(path)
    try:
        rows = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise OcrkitError(f"{path}: {error.strerror}; a manifest is a text file") from error
    lines: dict[Path, int] = {}
    samples = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            name, tab, text = row.decode("utf-8").rstrip("\r").partition("\t")
        except UnicodeDecodeError as error:
            raise OcrkitError(f"{path}, line {number}: not UTF-8; save it as UTF-8") from error
        if not (name and text.strip()) or "\t" in text:
            raise OcrkitError(
                f"{path}, line {number}: must be an image's path, a tab and its text, "
                f"not {name + tab + text!r}"
            )
        sample = Sample(path.parent / name, text.strip())
        # An image listed twice could be learned from and tested on.
        if (first := lines.setdefault(sample.path, number)) != number:
            raise OcrkitError(f"{path}, line {number}: {name} is on line {first} already")
        samples.append(sample)
    if not samples:
        raise OcrkitError(f"{path}: no row with an image's path, a tab and its text")
    return samples


def write_manifest(path: str | Path, samples: Iterable[Sample]) -> None:
    """Write a manifest that `read_manifest` reads; images in its folder are named relative to it.

    Raises ValueError for a path or text that is empty or has a tab or a line break in it.
    """
    path = Path(path)
    folder = path.parent.resolve()
    rows = []
    for sample in samples:
        image = sample.path.resolve()
        name = image.relative_to(folder) if image.is_relative_to(folder) else image
        row = f"{name.as_posix()}\t{sample.text}"
        if not sample.text.strip() or row.count("\t") != 1 or "\n" in row or "\r" in row:
            raise ValueError(f"a manifest holds texts without tabs and line breaks, not {row!r}")
        rows.append(row + "\n")
    write(path, "".join(rows).encode())


def load_crops(samples: Sequence[Sample]) -> list[np.ndarray]:
    """The samples' images, grey (H, W) uint8; ImageError names one that cannot be read."""
    return [next(load_pages(sample.path)) for sample in samples]


def load_strips(samples: Sequence[Sample], preprocessing: Preprocessing) -> list[np.ndarray]:
    """The samples' images as a network takes them, float32 (1, 1, 32, W) each."""
    return [fit(crop, preprocessing)[None] for crop in load_crops(samples)]


def split(
    samples: Sequence[Sample], shares: Mapping[str, float], seed: int
) -> dict[str, list[Sample]]:
    """Part samples at random, as in `split(samples, {"train": 0.9, "validation": 0.1}, seed=0)`.

    Each sample is in one part; which one depends on the seed, not on the order of the samples.
    Raises ValueError if the shares do not add up to 1 or leave a part without samples.
    """
    if min(shares.values(), default=0) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"shares must be above 0 and add up to 1, not {dict(shares)}")
    pool = sorted(samples, key=lambda sample: (sample.path.as_posix(), sample.text))
    random.Random(seed).shuffle(pool)
    parts: dict[str, list[Sample]] = {}
    start, total = 0, 0.0
    for name, share in shares.items():
        total += share
        end = round(total * len(pool))
        if end == start:
            raise ValueError(f"{len(pool)} samples are too few for a part {name!r} of {share}")
        parts[name] = pool[start:end]
        start = end
    return parts


@dataclass(frozen=True)
class Batch:
    """Lines of one width: what CTC training needs, and the texts themselves.

    images: (N, 1, 32, W) float32. targets: all labels one after the other, 1-D. lengths: (N,).
    """

    images: Tensor
    targets: Tensor
    lengths: Tensor
    texts: tuple[str, ...]


def reference_data(
    folder: str | Path, quick: bool = False, seed: int = 0, progress: bool = True
) -> dict[str, list[Sample]]:
    """The tutorial's data set, made in `folder` where it is not there yet, in its five parts.

    "train", "validation" and "calibration" share 3,256 images (85, 10 and 5 %), as many as the
    reference kit trained on; "test" has 100, as its test, "test1000" 1,000 more of the kind. The
    recipe is its own, the words are others. `quick` makes fewer images, 600 and 100 and 200, in a
    folder of their own.
    """
    folder, sizes = Path(folder), {}
    if quick:
        folder, sizes = folder.with_name(f"{folder.name}-quick"), {"train": 600, "extra_test": 200}
    reference_words(folder, **sizes, seed=seed, progress=progress)
    shares = {"train": 0.85, "validation": 0.10, "calibration": 0.05}
    parts = split(read_manifest(folder / "train.txt"), shares, seed)
    tests = {name: read_manifest(folder / f"{name}.txt") for name in ("test", "test1000")}
    return parts | tests


def steps_needed(label: Sequence[int]) -> int:
    """Time steps CTC needs for a label: one a character, and a blank between equal neighbours."""
    return len(label) + sum(a == b for a, b in zip(label, label[1:], strict=False))


def padding(widths: Sequence[int], batch_size: int) -> float:
    """Share of the columns that only fill up, of strips dealt into batches in this order."""
    groups = [widths[i : i + batch_size] for i in range(0, len(widths), batch_size)]
    return 1 - float(sum(widths) / sum(max(group) * len(group) for group in groups))


def collate(strips: Sequence[np.ndarray], texts: Sequence[str], alphabet: Alphabet) -> Batch:
    """A batch of fitted strips (1, 32, W), all of one width."""
    labels = [alphabet.encode(text) for text in texts]
    return Batch(
        torch.from_numpy(np.stack(strips)),
        torch.tensor([i for label in labels for i in label], dtype=torch.long),
        torch.tensor([len(label) for label in labels], dtype=torch.long),
        tuple(texts),
    )


def bucketed(
    crops: Iterator[Crop],
    alphabet: Alphabet,
    preprocessing: Preprocessing,
    columns: int,
    pool: int = 512,
    steps: Callable[[int], int] = _STEPS,
) -> Iterator[Batch]:
    """Batches of about `columns` pixel columns each, whatever their width, in a stable order.

    Takes `pool` crops at a time, sorts them by width and cuts batches of one padded width, so that
    almost nothing is spent on padding. Lines too narrow for their label are left out: `steps` says
    how many time steps a network makes of a width.
    """
    strips = ((fit(crop.image, preprocessing), crop.text) for crop in crops)
    return fitting_batches(strips, alphabet, preprocessing, columns, pool, steps)


def fitting_batches(
    strips: Iterator[tuple[np.ndarray, str]],
    alphabet: Alphabet,
    preprocessing: Preprocessing,
    columns: int,
    pool: int = 512,
    steps: Callable[[int], int] = _STEPS,
) -> Iterator[Batch]:
    """As `bucketed`, of strips (1, H, W) and their texts; any width, padded to the bucket's."""
    bucket, paper = preprocessing.bucket, preprocessing.paper
    while drawn := list(islice(strips, pool)):
        fitted = []
        for strip, text in drawn:
            lacking = -strip.shape[2] % bucket
            if lacking:
                edges = ((0, 0), (0, 0), (0, lacking))
                strip = np.pad(strip, edges, constant_values=paper)
            if steps_needed(alphabet.encode(text)) <= steps(strip.shape[2]):
                fitted.append((strip.shape[2], strip, text))
        batches = []
        fitted.sort(key=itemgetter(0))
        for width, group in groupby(fitted, itemgetter(0)):
            while part := list(islice(group, max(4, columns // width))):
                _, images, texts = zip(*part, strict=True)
                batches.append(collate(images, texts, alphabet))
        # Narrow and wide must alternate: a run of one width pulls the weights to and fro.
        order = np.random.default_rng(len(fitted)).permutation(len(batches))
        yield from (batches[i] for i in order)


@dataclass(frozen=True)
class Curriculum:
    """Short clean words first, longer and dirtier lines over the first `ramp` crops.

    From random weights CTC finds the alignment of a word in far fewer crops than that of a line.
    """

    seed: int = 0
    ramp: int = 60_000
    max_chars: int = 56

    def __call__(self, index: int) -> Crop:
        share = min(1.0, index / self.ramp) if self.ramp else 1.0
        chars = round(6 + share * (self.max_chars - 6))
        return LineGenerator(self.seed, chars, 0.3 + 0.7 * share)(index)


@dataclass(frozen=True, eq=False)
class Stream(IterableDataset[Batch]):
    """Batches without end, from crop `start` on."""

    make: Callable[[int], Crop]
    alphabet: Alphabet
    preprocessing: Preprocessing
    columns: int
    start: int = 0
    model: ModelConfig = ModelConfig()

    def __iter__(self) -> Iterator[Batch]:
        crops = map(self.make, numbers_from(self.start))
        return bucketed(
            crops, self.alphabet, self.preprocessing, self.columns, steps=self.model.steps
        )


def numbers_from(start: int) -> Iterator[int]:
    """Numbers without end; of n workers each takes every n-th."""
    worker = get_worker_info()
    if worker is None:
        return count(start)
    cv2.setNumThreads(1)  # the other cores belong to training
    return count(start + worker.id, worker.num_workers)


def stream_batches(stream: IterableDataset[T], workers: int = 1) -> Iterator[T]:
    """Batches made by `workers` processes ahead of time; 0 makes them here."""
    if workers == 0:
        return iter(stream)
    # Spawned, not forked: forking a process that has used OpenMP can leave its threads hung.
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn",
        prefetch_factor=8,
    )
    # torch leaves a handler for the end of any child behind, and in a process that has compiled an
    # OpenVINO model a child's end then is a segmentation fault (OpenVINO 2026.4). Dead workers are
    # noticed without it.
    handler = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    if current_thread() is main_thread():  # no other may set one, and nor does torch there
        signal.signal(signal.SIGCHLD, handler)
    return batches
