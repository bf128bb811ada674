"""Training data for a detector: square pieces of pages, with the target maps of their lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ocrkit.detection.maps import STRIDE, encode
from ocrkit.image import page_ink
from ocrkit.synth.pages import Sheet
from ocrkit.training.streams import numbers_from

PIECES = 4  # cut out of each page


@dataclass(frozen=True)
class Mixture:
    """Synthetic pages and own pages in turn: the even numbers from `make`, the odd from `own`."""

    make: Callable[[int], Sheet]
    own: Sequence[Sheet]

    def __call__(self, index: int) -> Sheet:
        return self.own[index // 2 % len(self.own)] if index % 2 else self.make(index)


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
        page = np.pad(page_ink(sheet.scan), margins)[None]
        maps = encode(sheet.polygons, page.shape[1:])
        cells = self.side // STRIDE
        for _ in range(PIECES):
            y, x = (int(rng.integers(n - cells + 1)) for n in maps.shape[1:])
            piece = page[:, STRIDE * y :, STRIDE * x :][:, : self.side, : self.side]
            yield piece, maps[:, y : y + cells, x : x + cells]
