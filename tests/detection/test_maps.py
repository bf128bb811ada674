"""Maps of lines, as the detector's network is trained on them, and the lines decoded from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.detection.maps import CORE_REACH, END_INSET, SIDE_MARGIN, STRIDE, UNIT, decode, encode
from ocrkit.metrics import line_f1


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def bent(amplitude: float, x0: float = 40, x1: float = 600, y: float = 100) -> np.ndarray:
    """A line 20 px high, bent down in the middle by `amplitude` px."""
    x = np.linspace(x0, x1, 8)
    middle = y + amplitude * np.sin((x - x0) / (x1 - x0) * np.pi)
    top, bottom = (np.stack([x, middle + side * 10], axis=1) for side in (-1, 1))
    return np.concatenate([top, bottom[::-1]]).astype(np.float32)


def test_maps_of_one_line_are_as_computed_by_hand() -> None:
    # The line is 40 px high with its middle at y = 60. The core is 24 px high, from 48 to 72: six
    # rows of cells. It is 12 px shorter at both ends, from 32 to 168: 34 columns of cells.
    core, height, middle = encode([box(20, 40, 180, 80)], (120, 200))
    assert core.shape == (30, 50)
    inside = np.zeros((30, 50), bool)
    inside[12:18, 8:42] = True
    assert (core == inside).all()
    assert height[inside] == pytest.approx(math.log(40 / UNIT))
    assert (height[~inside] == 0).all()
    # The cells from y = 48 to 52 have their centres at 50, a quarter of the height above 60.
    assert middle[12, 20] == pytest.approx(0.25)
    assert middle[17, 20] == pytest.approx(-0.25)


def test_a_line_smaller_than_a_cell_has_a_core_of_one_cell() -> None:
    assert encode([box(9, 9, 11, 12)], (32, 32))[0].sum() == 1


def test_the_size_of_maps_is_rounded_up() -> None:
    assert encode([], (33, 30)).shape == (3, 9, 8)


def test_lines_that_touch_have_separate_cores() -> None:
    core = encode([box(0, 20, 200, 40), box(0, 40, 200, 60)], (80, 200))[0]
    assert core[:, 25].tolist().count(1) == 2 * round(2 * CORE_REACH * 20 / STRIDE)
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
def test_decoding_gives_the_encoded_lines(rows: list[tuple[int, int, int, int]]) -> None:
    lines = [box(x, 40 * row, x + width, 40 * row + tall) for x, row, width, tall in rows]
    found = decode(encode(lines, (420, 520)))
    assert len(found) == len(lines)
    for line in lines:
        nearest = min(found, key=lambda other, line=line: abs(other - line).max())
        assert abs(nearest[:, 1] - line[:, 1]).max() < 0.5
        assert abs(nearest[:, 0] - line[:, 0]).max() <= STRIDE


@pytest.mark.parametrize("slope", [-0.14, 0.05, 0.14])
def test_a_rotated_line_is_decoded_with_its_slope(slope: float) -> None:
    line = box(60, 200, 500, 224)
    line[:, 1] += slope * (line[:, 0] - 280)
    (found,) = decode(encode([line], (420, 560)))
    assert found.shape == (4, 2)
    assert abs(found - line).max() <= STRIDE
    assert (found[1] - found[0])[1] / (found[1] - found[0])[0] == pytest.approx(slope, abs=0.005)


@pytest.mark.parametrize(("amplitude", "points"), [(2.0, 4), (12.0, 16)])
def test_only_bent_lines_have_more_than_four_points(amplitude: float, points: int) -> None:
    (found,) = decode(encode([bent(amplitude)], (200, 640)))
    assert len(found) == points
    assert line_f1([[bent(amplitude)]], [[found]], iou=0.85)[2] == 1


def test_the_margin_is_measured_in_heights_of_the_line() -> None:
    line = box(100, 40, 300, 60)
    maps = encode([line], (100, 400))
    (bare,), (wide,) = decode(maps), decode(maps, margin=0.25)
    assert abs(np.abs(wide - bare) - (5 * SIDE_MARGIN, 5)).max() < 1e-3


def test_cores_of_low_probability_are_left_out() -> None:
    maps = encode([box(20, 20, 200, 40), box(20, 60, 200, 80)], (100, 240))
    maps[0, :12] *= 0.6
    assert len(decode(maps)) == 2
    maps[0, :12] *= 0.8
    assert len(decode(maps)) == 1
    assert decode(np.zeros((3, 20, 20), np.float32)) == []


def test_the_core_is_shorter_than_the_line() -> None:
    core = encode([box(0, 0, 400, 40)], (40, 400))[0]
    columns = np.flatnonzero(core.any(axis=0)) * STRIDE
    assert columns[0] >= END_INSET * 40 - STRIDE
    assert columns[-1] <= 400 - END_INSET * 40


def test_a_line_with_a_split_core_is_decoded_as_one() -> None:
    line = box(20, 40, 500, 60)
    maps = encode([line], (100, 560))
    maps[:, :, 50:52] = 0  # as if a letter were faint
    (found,) = decode(maps)
    assert abs(found - line).max() <= STRIDE


@pytest.mark.parametrize(
    "other",
    [
        box(215, 40, 400, 60),  # further away than the next word
        box(205, 52, 400, 72),  # not level
        box(100, 60, 300, 80),  # the line below
        box(201, 34, 500, 94),  # of another height
    ],
)
def test_different_lines_are_not_joined(other: np.ndarray) -> None:
    assert len(decode(encode([box(20, 40, 200, 60), other], (120, 560)))) == 2


def test_pieces_of_a_rotated_line_are_joined_across_several_gaps() -> None:
    line = box(60, 200, 700, 224)
    line[:, 1] += 0.14 * (line[:, 0] - 380)
    maps = encode([line, box(60, 400, 700, 424)], (480, 760))
    for column in (40, 90, 141):
        maps[:, :, column : column + 2] = 0
    found = decode(maps)
    assert len(found) == 2
    assert min(abs(other - line).max() for other in found) <= STRIDE
