"""Training data for a detector: square pieces of pages, with the target maps of their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import IterableDataset

from ocrkit.detection.lines import LETTERS, detector_ink
from ocrkit.detection.maps import STRIDE, encode
from ocrkit.image import scaled
from ocrkit.synth.pages import Sheet
from ocrkit.synth.recipes import scan_page
from ocrkit.synth.warp import bent, place_on_scanner
from ocrkit.training.streams import numbers_from

PIECES = 4  # cut out of each page
MAX_BEND = 0.08  # of the shorter side: how far a bent line reaches up or down


@dataclass(frozen=True)
class Mixture:
    """Synthetic pages and own pages in turn: the even numbers from `make`, the odd from `own`.

    Without own pages all are from `make`. bends: the share of pages that are bent, as books are.

    severity: of the damage that is added to each own page, each time in another way: 0 gives the
    page as it is, 1 bends and scans it as a synthetic page.
    """

    make: Callable[[int], Sheet]
    own: Sequence[Sheet] = ()
    severity: float = 0.0
    bends: float = 0.0

    def __call__(self, index: int) -> Sheet:
        rng = np.random.default_rng((index, len(self.own)))
        if index % 2 and self.own:
            page = rescanned(self.own[index // 2 % len(self.own)], rng, self.severity)
        else:
            page = self.make(index)
        return bent_sheet(page, rng) if rng.random() < self.bends else page


def bent_sheet(sheet: Sheet, rng: Generator) -> Sheet:
    """The sheet with a wave of up to MAX_BEND of its width from left to right."""
    height, width = sheet.scan.shape
    rise = rng.uniform(-MAX_BEND, MAX_BEND) * min(width, height)
    turns = np.linspace(0, rng.uniform(0.3, 1.0), width) + rng.random()
    shift = rise * np.sin(2 * np.pi * turns)
    polygons = [*sheet.polygons, *sheet.ignored]
    scan, polygons = bent(sheet.scan, polygons, shift - shift.mean())
    count = len(sheet.polygons)
    return replace(sheet, scan=scan, polygons=polygons[:count], ignored=polygons[count:])


def rescanned(sheet: Sheet, rng: Generator, severity: float) -> Sheet:
    """The sheet printed a little larger or smaller, and scanned once more, with its outlines."""
    if not severity:
        return sheet
    scale = float(np.exp(severity * rng.uniform(-0.25, 0.25)))
    scan = scaled(sheet.scan, scale)
    polygons = [polygon * scale for polygon in (*sheet.polygons, *sheet.ignored)]
    scan, polygons = place_on_scanner(scan, polygons, False, rng, severity)
    scan = scan_page(scan, LETTERS * scale, rng, severity)
    count = len(sheet.polygons)
    return replace(sheet, scan=scan, polygons=polygons[:count], ignored=polygons[count:])


@dataclass(frozen=True, eq=False)
class Pieces:
    """A batch: pieces of pages (N, 1, S, S) float32, and target maps (N, 3, S / 4, S / 4)."""

    images: Tensor
    maps: Tensor


@dataclass(frozen=True, eq=False)
class PieceStream(IterableDataset[Pieces]):
    """Endless batches of pieces of pages.

    make: gives page number i. side: of a piece, in pixels. size: pieces in a batch. start: number
    of the first piece. Each page gives PIECES pieces; they are shuffled, so that the pieces of a
    batch come from different pages.
    """

    make: Callable[[int], Sheet]
    seed: int
    side: int
    size: int
    start: int = 0

    def __iter__(self) -> Iterator[Pieces]:
        numbers = numbers_from(self.start // PIECES)
        pieces = (piece for i in numbers for piece in self._cut(self.make(i), i))
        while pool := list(islice(pieces, 8 * self.size)):
            np.random.default_rng(len(pool)).shuffle(pool)
            for at in range(0, len(pool), self.size):
                images, maps = zip(*pool[at : at + self.size], strict=True)
                yield Pieces(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(maps)))

    def _cut(self, sheet: Sheet, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pieces of a page at random places, and the maps at the same places."""
        rng = np.random.default_rng((self.seed, number, PIECES))
        margins = [(0, max(self.side - side, -side % STRIDE)) for side in sheet.scan.shape]
        page = np.pad(detector_ink(sheet.scan), margins)[None]
        maps = encode(sheet.polygons, page.shape[1:], sheet.ignored)
        cells = self.side // STRIDE
        for _ in range(PIECES):
            y, x = (int(rng.integers(n - cells + 1)) for n in maps.shape[1:])
            piece = page[:, STRIDE * y :, STRIDE * x :][:, : self.side, : self.side]
            yield piece, maps[:, y : y + cells, x : x + cells]
