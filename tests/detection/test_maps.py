"""The maps that a detector is taught, and the way back from them to lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.detection.maps import ASIDE, CORE, ENDS, STRIDE, UNIT, decode, encode
from ocrkit.metrics import line_f1


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def bent(amplitude: float, x0: float = 40, x1: float = 600, y: float = 100) -> np.ndarray:
    """A line 20 high whose middle rises and falls by `amplitude`."""
    x = np.linspace(x0, x1, 8)
    middle = y + amplitude * np.sin((x - x0) / (x1 - x0) * np.pi)
    top, bottom = (np.stack([x, middle + side * 10], axis=1) for side in (-1, 1))
    return np.concatenate([top, bottom[::-1]]).astype(np.float32)


def test_the_maps_of_a_line_drawn_by_hand() -> None:
    # 40 px high, its middle at y = 60: the core is 24 px high, from 48 to 72, six rows of cells,
    # and 12 px shorter at either end, from 32 to 168, 34 columns of them.
    core, height, middle = encode([box(20, 40, 180, 80)], (120, 200))
    assert core.shape == (30, 50)
    inside = np.zeros((30, 50), bool)
    inside[12:18, 8:42] = True
    assert (core == inside).all()
    assert height[inside] == pytest.approx(math.log(40 / UNIT))
    assert (height[~inside] == 0).all()
    # The row of cells from 48 to 52 has its centres at 50, a quarter of the height above.
    assert middle[12, 20] == pytest.approx(0.25)
    assert middle[17, 20] == pytest.approx(-0.25)


def test_a_line_smaller_than_a_cell_still_has_a_core() -> None:
    assert encode([box(9, 9, 11, 12)], (32, 32))[0].sum() == 1


def test_a_page_that_is_no_multiple_of_a_cell_is_rounded_up() -> None:
    assert encode([], (33, 30)).shape == (3, 9, 8)


def test_lines_that_nearly_touch_have_cores_apart() -> None:
    core = encode([box(0, 20, 200, 40), box(0, 40, 200, 60)], (80, 200))[0]
    assert core[:, 25].tolist().count(1) == 2 * round(2 * CORE * 20 / STRIDE)
    assert len(decode(np.concatenate([core[None], np.zeros((2, 20, 50))]))) == 2


@given(
    st.lists(
        st.tuples(
            st.integers(10, 200), st.integers(0, 9), st.integers(60, 300), st.integers(14, 30)
        ),
        max_size=8,
        unique_by=lambda row: row[1],
    )
)
@settings(max_examples=60, deadline=None)
def test_lines_come_back_from_their_maps(rows: list[tuple[int, int, int, int]]) -> None:
    lines = [box(x, 40 * row, x + width, 40 * row + tall) for x, row, width, tall in rows]
    found = decode(encode(lines, (420, 520)))
    assert len(found) == len(lines)
    for line in lines:
        nearest = min(found, key=lambda other, line=line: abs(other - line).max())
        assert abs(nearest[:, 1] - line[:, 1]).max() < 0.5
        assert abs(nearest[:, 0] - line[:, 0]).max() <= STRIDE


@pytest.mark.parametrize("slope", [-0.14, 0.05, 0.14])
def test_a_tilted_line_comes_back_tilted(slope: float) -> None:
    line = box(60, 200, 500, 224)
    line[:, 1] += slope * (line[:, 0] - 280)
    (found,) = decode(encode([line], (420, 560)))
    assert found.shape == (4, 2)
    assert abs(found - line).max() <= STRIDE
    assert (found[1] - found[0])[1] / (found[1] - found[0])[0] == pytest.approx(slope, abs=0.005)


@pytest.mark.parametrize(("amplitude", "points"), [(2.0, 4), (12.0, 16)])
def test_only_a_line_that_bends_has_more_than_four_corners(amplitude: float, points: int) -> None:
    (found,) = decode(encode([bent(amplitude)], (200, 640)))
    assert len(found) == points
    assert line_f1([[bent(amplitude)]], [[found]], iou=0.85)[2] == 1


def test_the_margin_is_in_heights_of_the_line() -> None:
    line = box(100, 40, 300, 60)
    maps = encode([line], (100, 400))
    (bare,), (wide,) = decode(maps), decode(maps, margin=0.25)
    assert abs(np.abs(wide - bare) - (5 * ASIDE, 5)).max() < 1e-3


def test_cores_that_are_unsure_are_left_out() -> None:
    maps = encode([box(20, 20, 200, 40), box(20, 60, 200, 80)], (100, 240))
    maps[0, :12] *= 0.6
    assert len(decode(maps)) == 2
    maps[0, :12] *= 0.8
    assert len(decode(maps)) == 1
    assert decode(np.zeros((3, 20, 20), np.float32)) == []


def test_the_core_stops_short_of_the_ends() -> None:
    core = encode([box(0, 0, 400, 40)], (40, 400))[0]
    columns = np.flatnonzero(core.any(axis=0)) * STRIDE
    assert columns[0] >= ENDS * 40 - STRIDE
    assert columns[-1] <= 400 - ENDS * 40


def test_a_line_whose_core_is_broken_is_one_line() -> None:
    line = box(20, 40, 500, 60)
    maps = encode([line], (100, 560))
    maps[:, :, 50:52] = 0  # where a letter is faint
    (found,) = decode(maps)
    assert abs(found - line).max() <= STRIDE


@pytest.mark.parametrize(
    "other",
    [
        box(215, 40, 400, 60),  # further than words are apart
        box(205, 52, 400, 72),  # not level
        box(100, 60, 300, 80),  # the next line, beneath
        box(201, 34, 500, 94),  # of another size
    ],
)
def test_lines_beside_one_another_stay_two(other: np.ndarray) -> None:
    assert len(decode(encode([box(20, 40, 200, 60), other], (120, 560)))) == 2


def test_pieces_join_along_a_sloping_line_and_across_several_breaks() -> None:
    line = box(60, 200, 700, 224)
    line[:, 1] += 0.14 * (line[:, 0] - 380)
    maps = encode([line, box(60, 400, 700, 424)], (480, 760))
    for column in (40, 90, 141):
        maps[:, :, column : column + 2] = 0
    found = decode(maps)
    assert len(found) == 2
    assert min(abs(other - line).max() for other in found) <= STRIDE
