"""Real lines as training data: drawn at random, and each time cut and damaged in another way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from ocrkit.image import Preprocessing, fit
from ocrkit.synth import degrade
from ocrkit.synth.degrade import Scan
from ocrkit.training.batches import Strip
from ocrkit.training.packing import PackedLines

# A source is drawn with a probability in proportion to its lines ** 0.5 * its books ** 0.3: a large
# source more often than a small one, and more often if its lines come from many books.
_LINES, _BOOKS = 0.5, 0.3
_PAPER = 0.8  # quantile of a crop's grey levels that is taken as the paper's


def book_of(name: str) -> str:
    """The book of a line, whose name is `SET-SOURCE-BOOK-PAGE-LINE`: `SET-SOURCE-BOOK`."""
    return "-".join(Path(name).stem.split("-")[:3])


def source_of(name: str) -> str:
    """The source of a line, whose name is `SET-SOURCE-BOOK-PAGE-LINE`: `SET-SOURCE`."""
    return "-".join(Path(name).stem.split("-")[:2])


def held_out_books(names: Sequence[str], share: float = 0.09, min_books: int = 4) -> set[str]:
    """The books of the validation set: the smallest ones of each source of `min_books` or more.

    Together they have at most `share` of their source's lines. The split is by book, because lines
    of one book are so much alike that they would make the validation set too easy.
    """
    sizes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name in names:
        sizes[source_of(name)][book_of(name)] += 1
    kept = set()
    for books in sizes.values():
        room = share * sum(books.values()) if len(books) >= min_books else 0
        for name, lines in sorted(books.items(), key=lambda item: (item[1], item[0])):
            room -= lines
            if room < 0:
                break
            kept.add(name)
    return kept


@dataclass(eq=False)
class RealLines:
    """The packed lines with the indices `lines`, as strips for training."""

    packed: PackedLines
    lines: Sequence[int]
    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        names = self.packed.names
        self.without_trim = replace(self.preprocessing, trim=False)
        self.by_source: defaultdict[str, list[int]] = defaultdict(list)
        self.with_gaps: defaultdict[str, list[int]] = defaultdict(list)  # by book
        for i in self.lines:
            self.by_source[source_of(names[i])].append(i)
            if i in self.packed.gaps:
                self.with_gaps[book_of(names[i])].append(i)
        weights = [
            len(part) ** _LINES * len({book_of(names[i]) for i in part}) ** _BOOKS
            for part in self.by_source.values()
        ]
        self.chances = np.array(weights) / sum(weights)

    def plain(self, index: int) -> Strip:
        """A line as it is read: tightened, without any damage."""
        return fit(self.packed.crop(index), self.without_trim), self.packed.texts[index]

    def draw(self, rng: Generator) -> Strip:
        """A random line, cut and printed a little differently; sometimes made of two."""
        sources = list(self.by_source)
        pool = self.by_source[sources[rng.choice(len(sources), p=self.chances)]]
        index = pool[rng.integers(len(pool))]
        text = self.packed.texts[index]
        if index in self.packed.gaps and rng.random() < 0.35:
            crop, text = self._joined(index, rng)
        else:
            crop = self.packed.crop(index, tight=bool(rng.random() < 0.85))
        if rng.random() < 0.5:
            crop = _recut(crop, rng)
        if rng.random() < 0.12:
            crop = _with_neighbour(crop, self.packed.crop(pool[rng.integers(len(pool))]), rng)
        if rng.random() < 0.06:
            crop = _ruled(crop, rng)
        crop = degrade.apply_randomly(crop, _damage(crop, rng), rng, 1.0)
        strip = fit(crop, self.without_trim)
        return varied(strip, rng) if rng.random() < 0.85 else strip, text

    def _joined(self, index: int, rng: Generator) -> tuple[Scan, str]:
        """The first words of a line, then the last of another of the same book; or one of both."""
        pool = self.with_gaps[book_of(self.packed.names[index])]
        other = pool[rng.integers(len(pool))]
        left, first = self._words(index, end=int(rng.integers(1, self._word_count(index))))
        right, last = self._words(other, start=int(rng.integers(1, self._word_count(other))))
        if rng.random() < 0.2:
            return (left, first) if rng.random() < 0.5 else (right, last)
        height = left.shape[0]
        width = max(1, round(right.shape[1] * height / right.shape[0]))
        resized = cv2.resize(right, (width, height), interpolation=cv2.INTER_AREA)
        return np.hstack([left, _same_grey(resized.astype(np.uint8), left)]), f"{first} {last}"

    def _word_count(self, index: int) -> int:
        return len(self.packed.gaps[index]) + 1

    def _words(self, index: int, start: int = 0, end: int | None = None) -> tuple[Scan, str]:
        """Some of a line's words: the part of its crop that they fill, and their text."""
        crop, words = self.packed.crop(index), self.packed.texts[index].split(" ")
        edges = [0, *self.packed.gaps[index], crop.shape[1]]
        columns = slice(edges[start], None if end is None else edges[end])
        return crop[:, columns], " ".join(words[start:end])


def _same_grey(crop: Scan, other: Scan) -> Scan:
    """A crop with the grey levels of ink and paper that another crop has."""
    (ink, paper), (own_ink, own_paper) = (
        np.quantile(part[:, ::4], (0.03, 0.7)) for part in (other, crop)
    )
    gain = (paper - ink) / max(float(own_paper - own_ink), 8.0)
    return np.clip(ink + gain * (crop - own_ink), 0, 255).astype(np.uint8)


def _recut(crop: Scan, rng: Generator) -> Scan:
    """A crop cut a little closer or with more paper, on each side."""
    height, width = crop.shape
    # Short lines may have much more paper above and below: `tighten` leaves them as they are.
    most = 0.9 if width < 5 * height and rng.random() < 0.3 else 0.1
    top, bottom = (round(height * float(rng.uniform(-most, 0.07))) for _ in range(2))
    left, right = (round(height * float(rng.uniform(-0.35, 0.02))) for _ in range(2))
    crop = crop[max(0, top) : height - max(0, bottom), max(0, left) : width - max(0, right)]
    paper = int(np.quantile(crop[:, :: max(1, width // 200)], _PAPER))
    added = (max(0, -top), max(0, -bottom)), (max(0, -left), max(0, -right))
    return np.pad(crop, added, constant_values=paper)


def _with_neighbour(crop: Scan, other: Scan, rng: Generator) -> Scan:
    """A crop in which the edge of another line shows, above or below."""
    height, width = crop.shape
    seen, gap = round(height * float(rng.uniform(0.05, 0.22))), round(0.1 * height)
    neighbour = np.full((height, width), np.quantile(crop[:, ::8], _PAPER), np.uint8)
    resized = cv2.resize(other, (other.shape[1], height))[:, :width]
    neighbour[:, : resized.shape[1]] = resized
    if rng.random() < 0.6:
        return np.vstack([crop, neighbour[gap : gap + seen]])
    return np.vstack([neighbour[height - gap - seen : height - gap], crop])


def _ruled(crop: Scan, rng: Generator) -> Scan:
    """A tightened crop with a line below the letters or, less often, through them."""
    height, width = crop.shape
    y = height * float(rng.uniform(0.5, 0.65) if rng.random() < 0.3 else rng.uniform(0.78, 0.98))
    start, end = np.sort(rng.uniform(0, width, 2)) if rng.random() < 0.5 else (0.0, float(width))
    tilt = float(rng.normal(0, 0.03)) * height
    thickness = max(1, round(height * float(rng.uniform(0.02, 0.07))))
    ink = int(np.quantile(crop[:, ::8], 0.05))
    ends = (round(start), round(y)), (round(end), round(y + tilt))
    return np.asarray(cv2.line(crop.copy(), *ends, ink, thickness, cv2.LINE_AA), np.uint8)


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


def varied(strip: np.ndarray, rng: Generator) -> np.ndarray:
    """A strip (1, H, W) with another width, slant, shape, stroke width, ink and noise, a little."""
    u = rng.uniform
    ink = degrade.stretch(strip[0], float(np.exp(u(-0.15, 0.15))))
    ink = degrade.shear(ink, slant=u(-0.25, 0.25), slope=u(-0.02, 0.02))
    if rng.random() < 0.6:
        ink = degrade.elastic(ink, u(0.2, 1.5), u(0.3, 0.8) * ink.shape[0], rng)
    ink = degrade.thicken(ink, u(-0.5, 0.5)) * np.float32(1 - u(0, 0.3))
    noise = rng.standard_normal(ink.shape, dtype=np.float32)
    return (ink + np.float32(u(0, 0.1)) * noise)[None]
