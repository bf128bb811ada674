"""What a detector learns from: pieces of synthetic pages, with the maps of their lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ocrkit.detection.lines import page_scale
from ocrkit.detection.maps import STRIDE, encode
from ocrkit.document import Document, Line
from ocrkit.errors import OcrkitError
from ocrkit.image import load_pages, page_ink, scaled
from ocrkit.synth.pages import Sheet
from ocrkit.training.streams import numbers_from

PIECES = 4  # cut out of each page


def own_sheets(folder: str | Path) -> list[Sheet]:
    """The pages of all documents (.json, as `Document.save` writes them) in a folder.

    Each is scaled as a detector sees it. A scan is looked for where the document says it came from,
    and beside the .json. Raises OcrkitError, naming the file, where there is no document, one
    cannot be read, its scan is neither here nor there or has other pages, or a page lies on its
    side or its head, as all that the network learns from stands upright.
    """
    sheets = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            document = Document.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OcrkitError(f"{path} is not a document that ocrkit saved: {error!r}") from error
        source = Path(document.source)
        source = source if source.is_file() else path.with_name(source.name)
        scans = list(load_pages(source))
        if len(scans) != len(document.pages):
            raise OcrkitError(
                f"{path} has {len(document.pages)} pages, but {source} has {len(scans)}; read the "
                "scan again, or give the one that the document was read from"
            )
        for page, scan in zip(document.pages, scans, strict=True):
            if not all(_is_upright(line) for line in page.lines):
                raise OcrkitError(
                    f"{path}, page {page.number}: its lines do not run from left to right; "
                    "turn the scan upright and read it again"
                )
            scale = page_scale(scan)
            polygons = [np.array(line.polygon, np.float32) * scale for line in page.lines]
            texts = [line.text for line in page.lines]
            sheets.append(Sheet(scaled(scan, scale), polygons, texts, "own"))
    if not sheets:
        raise OcrkitError(f"{folder} has no documents; `ocrkit read --format json` writes them")
    return sheets


def _is_upright(line: Line) -> bool:
    (x0, y0), (x1, y1) = line.polygon[0], line.polygon[len(line.polygon) // 2 - 1]
    return x1 - x0 > abs(y1 - y0)


@dataclass(frozen=True)
class Mixture:
    """Every second page from `make`, the others from `own`, one after the other."""

    make: Callable[[int], Sheet]
    own: Sequence[Sheet]

    def __call__(self, index: int) -> Sheet:
        return self.own[index // 2 % len(self.own)] if index % 2 else self.make(index)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of pages, (N, 1, S, S) float32, and the maps of their lines, (N, 3, S / 4, S / 4)."""

    images: Tensor
    maps: Tensor


@dataclass(frozen=True, eq=False)
class PieceStream(IterableDataset[Pieces]):
    """Pieces of `side` x `side` pixels without end, `size` a batch, from number `start` on.

    `make` gives page number i. A page gives PIECES of them; those of a batch are of different
    pages, as a pool is shuffled.
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
        rng = np.random.default_rng((self.seed, number, PIECES))
        lack = [(0, max(self.side - side, -side % STRIDE)) for side in sheet.scan.shape]
        page = np.pad(page_ink(sheet.scan), lack)[None]
        maps = encode(sheet.polygons, page.shape[1:])
        cells = self.side // STRIDE
        for _ in range(PIECES):
            y, x = (int(rng.integers(n - cells + 1)) for n in maps.shape[1:])
            piece = page[:, STRIDE * y :, STRIDE * x :][:, : self.side, : self.side]
            yield piece, maps[:, y : y + cells, x : x + cells]
