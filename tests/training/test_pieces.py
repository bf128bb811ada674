from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ocrkit.image import page_ink
from ocrkit.synth.pages import Sheet
from ocrkit.training.pieces import Mixture, PieceStream, bent_sheet, rescanned


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


def test_a_bent_page_has_its_lines_where_its_ink_is(bars) -> None:
    page = bent_sheet(replace(bars(), ignored=[bars().polygons[0]]), np.random.default_rng(3))
    assert len(page.polygons) == len(bars().polygons)
    np.testing.assert_array_equal(page.ignored[0], page.polygons[0])
    for straight, polygon in zip(bars().polygons, page.polygons, strict=True):
        top, bottom = np.split(polygon, 2)
        middle = (top + bottom[::-1]) / 2
        assert np.ptp(middle[:, 1]) > 1 > np.ptp(straight[:1, 1])
        x, y = middle[2:-2].astype(int).T
        assert (page.scan[y, x] < 100).all()


def test_own_pages_are_damaged_in_another_way_each_time_with_their_outlines(bars) -> None:
    sheet = bars()
    first, second = (rescanned(sheet, np.random.default_rng(i), 1.0) for i in (1, 2))
    assert first.scan.shape != second.scan.shape or (first.scan != second.scan).any()
    assert len(first.polygons) == len(sheet.polygons)
    assert rescanned(sheet, np.random.default_rng(1), 0) is sheet


def test_without_own_pages_all_are_made(bars) -> None:
    mixture = Mixture(lambda i: replace(bars(), kind=f"made {i}"))
    assert [mixture(i).kind for i in range(3)] == ["made 0", "made 1", "made 2"]
