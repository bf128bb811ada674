"""Manifests: text files that list line images and their labels."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.files import write
from ocrkit.image import Preprocessing, fit, load_pages


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
