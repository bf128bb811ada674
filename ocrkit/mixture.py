"""Real lines and synthetic lines in one stream of training batches.

Real lines are packed once into two files: decoding and levelling them takes longer than a training
step. Synthetic lines are drawn while training runs; a reservoir keeps some of them, so that each is
seen a few times, damaged in another way each time.

    python -m ocrkit.mixture MANIFEST FOLDER      packs the lines of a manifest
    python -m ocrkit.mixture --words FOLDER [WEIGHTS]
                                                  finds the gaps between words with a first reader,
                                                  so that new lines can be made of two halves
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from torch.utils.data import IterableDataset

from ocrkit.alphabet import Alphabet, normalized
from ocrkit.data import Batch, Sample, fitting_batches, load_crops, numbers_from, read_manifest
from ocrkit.errors import OcrkitError
from ocrkit.files import write
from ocrkit.image import Preprocessing, fit, tighten
from ocrkit.metrics import cer
from ocrkit.model import ModelConfig
from ocrkit.progress import progress
from ocrkit.recognize import Recognizer
from ocrkit.synth import degrade
from ocrkit.synth.degrade import Scan
from ocrkit.synth.lines import Crop, LineGenerator

Strip = tuple[np.ndarray, str]  # a fitted line (1, H, W) float32, and its text
# A source is drawn from in proportion to its lines and to its books, each to a power: large sources
# more often than small ones, and those of many books, which teach more, more often than of few.
_LINES, _BOOKS = 0.5, 0.3
_STEPS = 170  # levels of grey in which the reservoir keeps a strip


def book(name: str) -> str:
    """The book that a line is from: the first three parts of `SET-SOURCE-BOOK-PAGE-LINE`."""
    return "-".join(Path(name).stem.split("-")[:3])


def source(name: str) -> str:
    """The set that a line is from: `SET-SOURCE`."""
    return "-".join(Path(name).stem.split("-")[:2])


def held_out_books(names: Sequence[str], share: float = 0.09, least: int = 4) -> set[str]:
    """Books kept apart for validation: of each set of at least `least` books the smallest ones.

    They hold at most `share` of the set's lines together.
    """
    sizes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name in names:
        sizes[source(name)][book(name)] += 1
    kept = set()
    for books in sizes.values():
        room = share * sum(books.values()) if len(books) >= least else 0
        for name, lines in sorted(books.items(), key=lambda item: (item[1], item[0])):
            room -= lines
            if room < 0:
                break
            kept.add(name)
    return kept


# --- packing ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PackedLines:
    """Line crops in one array of bytes, as cut (even index) and tightened (odd index).

    names, texts: of each line. shapes (2n, 2) and starts (2n,): of each crop in `pixels`.
    """

    pixels: np.ndarray
    shapes: np.ndarray
    starts: np.ndarray
    names: tuple[str, ...]
    texts: tuple[str, ...]
    gaps: dict[int, list[int]]  # of some lines: the columns (tight) at which one word ends

    def __len__(self) -> int:
        return len(self.names)

    def crop(self, index: int, tight: bool = True) -> Scan:
        """A line's crop, grey uint8 (h, w)."""
        which = 2 * index + tight
        (h, w), start = self.shapes[which], self.starts[which]
        return self.pixels[start : start + int(h) * int(w)].reshape(h, w)

    @classmethod
    def load(cls, folder: str | Path) -> PackedLines:
        """The lines of a folder that `pack` wrote; the pixels stay in the file until used."""
        folder = Path(folder)
        try:
            pixels = np.load(folder / "pixels.npy", mmap_mode="r")
            rows = (folder / "lines.tsv").read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise OcrkitError(
                f"{folder}: {error.strerror}; "
                f"`python -m ocrkit.mixture MANIFEST {folder}` packs the lines of a manifest"
            ) from error
        table = [row.split("\t") for row in rows]
        sides = np.array([row[:4] for row in table], np.int64)
        shapes = sides.reshape(-1, 2)
        starts = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))[:-1]])
        names, texts = (tuple(row[column] for row in table) for column in (4, 5))
        gaps = {}
        if (folder / "gaps.tsv").is_file():
            for row in (folder / "gaps.tsv").read_text(encoding="utf-8").splitlines():
                index, *columns = map(int, row.split())
                gaps[index] = columns
        return cls(pixels, shapes, starts, names, texts, gaps)


def pack(samples: Sequence[Sample], folder: str | Path, alphabet: Alphabet | None = None) -> int:
    """Write the samples' crops, and texts as `alphabet.normalized` has them; returns how many.

    Lines with characters outside the alphabet, and empty ones, are left out.
    """
    alphabet, folder = alphabet or Alphabet(), Path(folder)
    pixels, rows = [], []
    for sample in progress(samples, "packing"):
        text = normalized(sample.text)
        if not text or alphabet.missing(text):
            continue
        (crop,) = load_crops([sample])
        if min(crop.shape) < 8:
            continue
        tight = tighten(crop)
        pixels += [crop.ravel(), tight.ravel()]
        rows.append("\t".join([*map(str, crop.shape + tight.shape), sample.path.stem, text]) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", np.concatenate(pixels))
    write(folder / "lines.tsv", "".join(rows).encode())
    return len(rows)


def find_gaps(folder: str | Path, read: Recognizer) -> int:
    """Find where the words of packed lines end, and write that beside them; returns in how many.

    A line counts where the reader finds as many words as it has and misreads few characters. The
    cut is at the palest column between the two words.
    """
    packed, rows = PackedLines.load(folder), []
    indices = range(len(packed))
    for start in progress(range(0, len(packed), 256), "finding gaps"):
        part = indices[start : start + 256]
        for i, reading in zip(part, read([packed.crop(i) for i in part]), strict=True):
            text = packed.texts[i]
            if len(reading.words) == text.count(" ") + 1 > 1 and cer([text], [reading.text]) < 0.15:
                columns = packed.crop(i).mean(axis=0)
                width = len(columns)
                cuts = []
                for word, following in zip(reading.words, reading.words[1:], strict=False):
                    low, high = int(word.end * width), int(following.start * width) + 1
                    room = columns[max(0, low - 3) : max(high + 3, low + 4)]
                    pale = np.flatnonzero(room >= room.max() - 1)
                    cuts.append(max(0, low - 3) + int(pale[len(pale) // 2]))
                rows.append(" ".join(map(str, (i, *cuts))) + "\n")
    write(Path(folder) / "gaps.tsv", "".join(rows).encode())
    return len(rows)


# --- drawing ------------------------------------------------------------------------------------


def varied(strip: np.ndarray, rng: Generator, amount: float = 1.0) -> np.ndarray:
    """A strip (1, H, W), stretched, slanted and inked a little otherwise, of another width."""

    def between(low: float, high: float) -> float:
        return amount * float(rng.uniform(low, high))

    ink = degrade.stretch(strip[0], float(np.exp(between(-0.15, 0.15))))
    ink = degrade.shear(ink, slant=between(-0.2, 0.2), slope=between(-0.02, 0.02))
    ink = degrade.thicken(ink, between(-0.5, 0.5)) * np.float32(1 - between(0, 0.3))
    grains = rng.standard_normal(ink.shape, dtype=np.float32)
    return (ink + np.float32(between(0, 0.1)) * grains)[None]


@dataclass(eq=False)
class RealLines:
    """Real lines, drawn at random and damaged a little: `lines` of the packed ones."""

    packed: PackedLines
    lines: Sequence[int]
    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        self.prep = replace(self.preprocessing, trim=False)
        self.by_source: dict[str, list[int]] = {}
        for i in self.lines:
            self.by_source.setdefault(source(self.packed.names[i]), []).append(i)
        shares = [
            len(part) ** _LINES * len({book(self.packed.names[i]) for i in part}) ** _BOOKS
            for part in self.by_source.values()
        ]
        self.chances = np.array(shares) / sum(shares)
        self.by_book: dict[str, list[int]] = {}
        for i in self.lines:
            if i in self.packed.gaps:
                self.by_book.setdefault(book(self.packed.names[i]), []).append(i)

    def plain(self, index: int) -> Strip:
        """A line as it is read: tightened, undamaged."""
        return fit(self.packed.crop(index), self.prep), self.packed.texts[index]

    def draw(self, rng: Generator) -> Strip:
        """A line, cut and printed a little otherwise."""
        names = list(self.by_source)
        pool = self.by_source[names[rng.choice(len(names), p=self.chances)]]
        index = pool[rng.integers(len(pool))]
        text = self.packed.texts[index]
        if index in self.packed.gaps and rng.random() < 0.35:
            crop, text = self._joined(index, rng)
        else:
            crop = self.packed.crop(index, tight=bool(rng.random() < 0.85))
        if rng.random() < 0.5:
            crop = _recut(crop, rng)
        if rng.random() < 0.12:
            neighbour = self.packed.crop(pool[rng.integers(len(pool))])
            crop = _crowded(crop, neighbour, rng)
        crop = degrade.sometimes(crop, _damage(crop, rng), rng, 1.0)
        strip = fit(crop, self.prep)
        return varied(strip, rng) if rng.random() < 0.85 else strip, text

    def _joined(self, index: int, rng: Generator) -> tuple[Scan, str]:
        """The first words of a line, and the last of another of the same book; or some alone."""
        pool = self.by_book[book(self.packed.names[index])]
        other = pool[rng.integers(len(pool))]
        first = self._words(index, end=int(rng.integers(1, len(self.packed.gaps[index]) + 1)))
        start = int(rng.integers(1, len(self.packed.gaps[other]) + 1))
        second = self._words(other, start=start)
        if rng.random() < 0.2:
            return first if rng.random() < 0.5 else second
        height = first[0].shape[0]
        width = max(1, round(second[0].shape[1] * height / second[0].shape[0]))
        right = cv2.resize(second[0], (width, height), interpolation=cv2.INTER_AREA)
        levels = [np.quantile(part[:, ::4], (0.03, 0.7)) for part in (first[0], right)]
        (ink, paper), (its_ink, its_paper) = levels
        gain = (paper - ink) / max(float(its_paper - its_ink), 8.0)
        right = np.clip(ink + gain * (right - its_ink), 0, 255).astype(np.uint8)
        return np.hstack([first[0], right]), f"{first[1]} {second[1]}"

    def _words(self, index: int, start: int = 0, end: int | None = None) -> tuple[Scan, str]:
        """Some of a line's words: the columns that they fill, and their text."""
        crop, words = self.packed.crop(index), self.packed.texts[index].split(" ")
        cuts = [0, *self.packed.gaps[index], crop.shape[1]]
        columns = slice(cuts[start], cuts[end] if end is not None else None)
        return crop[:, columns], " ".join(words[start:end])


def _recut(crop: Scan, rng: Generator) -> Scan:
    """A crop cut a little closer or looser above and below, and at its sides."""
    height, width = crop.shape
    # Short lines may be cut far looser: `tighten` leaves them as they are.
    loosest = -0.9 if width < 5 * height and rng.random() < 0.3 else -0.1
    top, bottom = (round(height * float(rng.uniform(loosest, 0.07))) for _ in range(2))
    left, right = (round(height * float(rng.uniform(-0.35, 0.02))) for _ in range(2))
    crop = crop[max(0, top) : height - max(0, bottom), max(0, left) : width - max(0, right)]
    paper = int(np.quantile(crop[:, :: max(1, width // 200)], 0.8))
    edges = ((max(0, -top), max(0, -bottom)), (max(0, -left), max(0, -right)))
    return np.pad(crop, edges, constant_values=paper)


def _crowded(crop: Scan, other: Scan, rng: Generator) -> Scan:
    """A crop with the edge of another line in view, above or below."""
    height, width = crop.shape
    seen = round(height * float(rng.uniform(0.05, 0.22)))
    rows = np.full((height, width), np.quantile(crop[:, ::8], 0.8), np.uint8)
    scaled = cv2.resize(other, (other.shape[1], height))[:, :width]
    rows[:, : scaled.shape[1]] = scaled
    gap = round(0.1 * height)
    if rng.random() < 0.6:  # the heads of the line below
        return np.vstack([crop, rows[gap : gap + seen]])
    return np.vstack([rows[height - gap - seen : height - gap], crop])


def _damage(crop: Scan, rng: Generator) -> degrade.Steps:
    u, height = rng.uniform, crop.shape[0]
    return [
        (0.15, lambda scan: degrade.blur(scan, u(0.3, 1.1) * height / 40)),
        (0.15, lambda scan: degrade.low_resolution(scan, u(1.1, max(1.2, height / 18)))),
        (0.06, lambda scan: degrade.light(scan, u(0.05, 0.3), rng)),
        (0.10, lambda scan: degrade.noise(scan, u(2, 14), rng)),
        (0.10, lambda scan: degrade.sharpen(scan, u(0.6, 2.5) * height / 40, u(1, 5))),
        (0.12, lambda scan: degrade.black_and_white(scan, 0.6, rng)),
        (0.06, lambda scan: degrade.pepper(scan, u(0.002, 0.03), rng)),
        (0.10, lambda scan: degrade.jpeg(scan, int(rng.integers(20, 80)))),
        (0.02, lambda scan: 255 - scan),
    ]


class Reservoir:
    """Synthetic lines: new ones, and old ones damaged anew. A share `fresh` of them are new."""

    def __init__(
        self, make: LineGenerator, prep: Preprocessing, start: int, fresh: float, size: int = 12_000
    ) -> None:
        self.make, self.prep, self.numbers = make, prep, numbers_from(start)
        self.fresh, self.size = fresh, size
        self.kept: list[tuple[np.ndarray, str]] = []

    def draw(self, rng: Generator) -> Strip:
        if len(self.kept) < 200 or rng.random() < self.fresh:
            crop: Crop = self.make(next(self.numbers))
            strip = fit(crop.image, self.prep)
            packed = np.clip((strip + 0.25) * (_STEPS / 1.5), 0, 255).astype(np.uint8), crop.text
            if len(self.kept) < self.size:
                self.kept.append(packed)
            else:
                self.kept[rng.integers(self.size)] = packed
            return strip, crop.text
        levels, text = self.kept[rng.integers(len(self.kept))]
        return varied(levels.astype(np.float32) * np.float32(1.5 / _STEPS) - 0.25, rng), text


@dataclass(frozen=True, eq=False)
class MixedStream(IterableDataset[Batch]):
    """Batches without end, from crop `start` on: a share `real` of the lines are real ones."""

    lines: RealLines
    make: LineGenerator
    alphabet: Alphabet
    model: ModelConfig
    columns: int
    seed: int
    start: int = 0
    real: float = 0.5
    fresh: float = 0.5

    def __iter__(self) -> Iterator[Batch]:
        prep, rng = self.lines.preprocessing, np.random.default_rng((self.seed, self.start))
        synthetic = Reservoir(self.make, prep, self.start, self.fresh)

        def strips() -> Iterator[Strip]:
            while True:
                drawn = self.lines if rng.random() < self.real else synthetic
                yield drawn.draw(rng)

        return fitting_batches(strips(), self.alphabet, prep, self.columns, steps=self.model.steps)


def main() -> None:
    """Packs the lines of a manifest."""
    first, folder, *weights = sys.argv[1:]
    if first == "--words":
        reader = Recognizer.load(weights[0] if weights else "ocrkit-fast", decoder="greedy")
        print(find_gaps(folder, reader), "lines")
    else:
        print(pack(read_manifest(first), folder), "lines")


if __name__ == "__main__":
    main()
