"""Manifests: text files that list line images and their labels."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.files import write
from ocrkit.image import Preprocessing, fit, load_pages


@dataclass(frozen=True)
class Sample:
    """A line image: the path of its file, and its text, the target.

    page: what it was cut out of, so that a set can be split by page; "" if that is unknown.
    line, image: for a line of a whole page, whose file is `path`: its number, from 1, and its crop,
    grey (H, W) uint8.
    """

    path: Path
    text: str
    page: str = ""
    line: int | None = None
    image: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return f"{self.page or self.path}, line {self.line}" if self.line else str(self.path)


@dataclass(frozen=True)
class Refused:
    """A line that cannot be used: what it is called, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class LabelledLines:
    """Lines with their texts, and those that had to be left out."""

    samples: tuple[Sample, ...]
    refused: tuple[Refused, ...] = ()


def read_manifest(path: str | Path) -> list[Sample]:
    """The samples of a UTF-8 text file with a row `image path<TAB>text` for each.

    Image paths are relative to the manifest's folder. Empty rows are skipped. The images are not
    opened. Raises OcrkitError, with the number of the row, for a row of another form, an image that
    is listed twice, and a manifest that is missing or empty.
    """
    path = Path(path)
    try:
        rows = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file can have this name"
        raise OcrkitError(f"{path}: {reason}; a manifest is a text file") from error
    numbers: dict[Path, int] = {}
    samples = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            name, text = _parse_row(row)
        except ValueError as error:
            raise OcrkitError(f"{path}, line {number}: {error}") from error
        sample = Sample(path.parent / name, text)
        # An image that is listed twice could be in the training set and in the test set.
        if (first := numbers.setdefault(sample.path, number)) != number:
            raise OcrkitError(f"{path}, line {number}: {_short(name)} is on line {first} already")
        samples.append(sample)
    if not samples:
        raise OcrkitError(f"{path}: no row with an image's path, a tab and its text")
    return samples


def _parse_row(row: bytes) -> tuple[str, str]:
    """Image path and text of a row; ValueError says what is wrong with it."""
    try:
        decoded = row.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8; save it as UTF-8") from error
    name, _, text = decoded.partition("\t")
    if not (name and text.strip()) or "\t" in text:
        raise ValueError(f"must be an image's path, a tab and its text, not {_short(decoded)}")
    if "\0" in name:
        raise ValueError(
            f"the path {_short(name)} has a NUL byte in it, which no file name can have"
        )
    return name, text.strip()


def _short(text: str) -> str:
    """A text in an error message: on one line, and not too long."""
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def write_manifest(path: str | Path, samples: Iterable[Sample]) -> None:
    """Write a manifest for `read_manifest`; paths of images in its folder are relative to it.

    Raises ValueError for a text that is empty, or a path or text with a tab or a line break.
    """
    path = Path(path)
    folder = path.parent.resolve()
    rows = []
    for sample in samples:
        image = sample.path.resolve()
        name = image.relative_to(folder) if image.is_relative_to(folder) else image
        row = f"{name.as_posix()}\t{sample.text}"
        if not sample.text.strip() or row.count("\t") != 1 or "\n" in row or "\r" in row:
            raise ValueError(f"a row needs a text, without tabs and line breaks, not {row!r}")
        rows.append(row + "\n")
    write(path, "".join(rows).encode())


def load_crops(samples: Sequence[Sample]) -> list[np.ndarray]:
    """The images of the samples, grey (H, W) uint8; ImageError if one cannot be read."""
    return [
        next(load_pages(sample.path)) if sample.image is None else sample.image
        for sample in samples
    ]


def load_strips(samples: Sequence[Sample], preprocessing: Preprocessing) -> list[np.ndarray]:
    """The images of the samples as input of a network, float32 (1, 1, H, W) each."""
    return [fit(crop, preprocessing)[None] for crop in load_crops(samples)]


def split(
    samples: Sequence[Sample], shares: Mapping[str, float], seed: int
) -> dict[str, list[Sample]]:
    """Split samples at random, as in `split(samples, {"train": 0.9, "validation": 0.1}, seed=0)`.

    Each sample is in exactly one part. The split depends on the seed, not on the order of the
    samples. Raises ValueError if the shares do not add up to 1, or a part would be empty.
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
