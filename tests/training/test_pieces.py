from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ocrkit.image import page_ink
from ocrkit.synth.pages import Sheet
from ocrkit.training.pieces import Mixture, PieceStream


def test_pieces_and_their_maps_come_from_the_same_place(bars) -> None:
    stream = PieceStream(lambda i: bars(), seed=1, side=64, size=4)
    batch = next(iter(stream))
    assert batch.images.shape == (4, 1, 64, 64)
    assert batch.maps.shape == (4, 3, 16, 16)
    for image, maps in zip(batch.images[:, 0], batch.maps[:, 0], strict=True):
        cells = image.reshape(16, 4, 16, 4).mean(dim=(1, 3))
        assert (cells[maps > 0.5] > 0.9).all()  # a core lies on ink
    assert batch.maps[:, 0].sum() > 0


def test_a_page_smaller_than_a_piece_is_padded(bars) -> None:
    stream = PieceStream(lambda i: bars((96, 128)), seed=1, side=160, size=2)
    assert next(iter(stream)).images.shape == (2, 1, 160, 160)


def test_the_stream_begins_at_its_start_number(bars) -> None:
    drawn: list[int] = []

    def make(number: int) -> Sheet:
        drawn.append(number)
        return bars()

    next(iter(PieceStream(make, seed=1, side=64, size=1, start=40)))
    assert drawn == [10, 11]  # four pieces a page, a pool of eight pieces


def test_ink_is_one_and_paper_is_zero(bars) -> None:
    ink = page_ink(bars().scan)
    assert ink[0, 0] == 0
    assert ink[10, 50] == pytest.approx(1)
    assert np.abs(page_ink(np.full((9, 9), 77, np.uint8))).max() == 0


def test_synthetic_and_own_pages_alternate(bars) -> None:
    own = [replace(bars(), kind="first"), replace(bars(), kind="second")]
    mixture = Mixture(lambda i: replace(bars(), kind=f"made {i}"), own)
    kinds = [mixture(i).kind for i in range(6)]
    assert kinds == ["made 0", "first", "made 2", "second", "made 4", "first"]
