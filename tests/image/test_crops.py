from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ocrkit.image import crop_polygon, magnified, moved, slanted


def upright(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def test_an_upright_crop_is_the_pixels_unchanged(scan) -> None:
    assert np.array_equal(crop_polygon(scan, upright(3, 4, 23, 10)), scan[4:10, 3:23])
    assert np.array_equal(crop_polygon(scan, upright(0, 0, 30, 20)), scan)


@pytest.mark.parametrize("turns", range(4))
def test_the_first_corner_is_the_top_left_of_the_crop(scan, turns) -> None:
    corners = np.roll(upright(3, 4, 23, 10), -turns, axis=0)
    assert np.array_equal(crop_polygon(scan, corners), np.rot90(scan[4:10, 3:23], turns))


@pytest.mark.parametrize("angle", [-30, 5, 80])
def test_a_tilted_line_is_straightened(angle) -> None:
    page = np.full((400, 400), 255, np.uint8)
    across = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    down = np.array([-across[1], across[0]])
    corners = np.array([200, 200]) + [
        -100 * across - 15 * down,
        100 * across - 15 * down,
        100 * across + 15 * down,
        -100 * across + 15 * down,
    ]
    cv2.fillPoly(page, [np.round(corners).astype(np.int32)], 0)
    crop = crop_polygon(page, corners)
    assert crop.shape == (30, 200)
    assert crop[3:-3, 3:-3].max() == 0
    wider = crop_polygon(page, corners + 6 * np.array([-down, -down, down, down]))
    assert wider.shape == (42, 200)
    assert wider[[0, -1]].min() == 255


def test_a_bent_line_is_straightened() -> None:
    # A bar 20 high along an arc: cut out along its edges it is a black strip, in white as straight.
    x = np.arange(400, dtype=np.float32)
    middle = 150 + 40 * np.sin(x / 400 * np.pi)
    page = np.full((300, 400), 255, np.uint8)
    page[np.abs(np.arange(300)[:, None] + 0.5 - middle) <= 10] = 0
    at = np.linspace(20, 380, 16)
    arc = 150 + 40 * np.sin(at / 400 * np.pi)
    top, bottom = (np.stack([at, arc + side * 20], axis=1) for side in (-1, 1))
    crop = crop_polygon(page, np.concatenate([top, bottom[::-1]]))
    assert crop.shape[0] == 40
    assert 360 < crop.shape[1] < 400  # an arc is longer than its chord
    assert crop[12:28].max() == 0
    assert crop[:8].min() == crop[-8:].min() == 255


def test_more_points_on_straight_edges_change_nothing(scan) -> None:
    at = np.linspace(3, 23, 5)
    points = [*((x, 4) for x in at), *((x, 10) for x in at[::-1])]
    assert np.array_equal(crop_polygon(scan, np.array(points)), scan[4:10, 3:23])


def test_outside_the_page_lies_the_colour_of_its_nearest_edge(scan) -> None:
    crop = crop_polygon(scan, upright(-4, -3, 5, 8))
    assert np.array_equal(crop, np.pad(scan[:8, :5], ((3, 0), (4, 0)), mode="edge"))
    beyond = crop_polygon(scan, upright(100, 100, 110, 105))
    assert (beyond == scan[-1, -1]).all()


def test_a_page_wider_than_cv2_warps_is_cropped() -> None:
    page = np.zeros((30, 40_000), np.uint8)
    page[:, 39_000:] = 255
    crop = crop_polygon(page, upright(38_990, 5, 39_020, 15))
    assert np.array_equal(crop, page[5:15, 38_990:39_020])


@given(arrays(np.float64, (4, 2), elements=st.floats(-300, 300)))
def test_any_four_corners_give_a_crop(corners) -> None:
    crop = crop_polygon(np.full((20, 30), 7, np.uint8), corners)
    assert crop.dtype == np.uint8
    assert crop.ndim == 2
    assert min(crop.shape) >= 1


@pytest.mark.parametrize("shape", [(2, 2), (9, 1), (64, 200), (1, 9)])
def test_a_closer_look_has_fewer_rows_and_more_columns(shape) -> None:
    height, width = shape
    rows = round(0.06 * height)
    assert magnified(np.zeros(shape, np.uint8), 0.06, 1.25).shape == (
        height - 2 * rows,
        max(1, round(1.25 * width)),
    )


def test_a_moved_crop_has_its_rows_elsewhere_and_paper_where_they_were() -> None:
    crop = np.full((50, 80), 230, np.uint8)
    crop[20:30, 10:70] = 10
    up, down = moved(crop, -0.1), moved(crop, 0.1)
    assert (up[15:25] == crop[20:30]).all() and (up[25:] == 230).all()
    assert (down[25:35] == crop[20:30]).all() and (down[:25] == 230).all()


def test_an_upright_stroke_leans_to_the_right_and_nothing_is_cut_off() -> None:
    crop = np.full((41, 60), 230, np.uint8)
    crop[:, :2] = 10
    leaning = slanted(crop, 0.2)
    assert leaning.shape == (41, 60 + 2 * 5)  # 0.2 * 41 / 2 = 4.1, rounded up
    columns = [int(row.argmin()) for row in leaning]
    assert columns[0] - columns[-1] == pytest.approx(0.2 * 40, abs=1)
    assert ((leaning < 200).sum(axis=1) >= 2).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (9, 2)])
def test_the_smallest_crops_can_be_moved_and_slanted(shape) -> None:
    crop = np.zeros(shape, np.uint8)
    assert moved(crop, -0.06).shape == shape
    assert len(slanted(crop, 0.2)) == len(crop)
