"""White gutters through lines: two columns whose lines were taken for one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.polynomial import Polynomial

from ocrkit.detection.gutters import white_gutters
from ocrkit.detection.maps import LineShape

HEIGHT, STEP, LEFT, RIGHT, SPACE = 20, 26, 10, 600, 11


def lines(count: int, slope: float = 0.0) -> list[LineShape]:
    """Lines one below the other over the whole width of a page."""
    return [
        LineShape(
            LEFT, RIGHT, HEIGHT, Polynomial([30.0 + STEP * i, slope]), Polynomial([HEIGHT]), None
        )
        for i in range(count)
    ]


def printed(shapes: list[LineShape], gutter: tuple[int, int] | None, seed: int = 0) -> np.ndarray:
    """A page whose words end anywhere, with a gutter from x to x, or without.

    On a page that is not level, the gutter stands at a right angle to the lines.
    """
    rng = np.random.default_rng(seed)
    page = np.full((80 + STEP * (len(shapes) + 2), 620), 255, np.uint8)
    for shape in shapes:
        slope = float(shape.centre(1.0) - shape.centre(0.0))
        lean = round(slope * float(shape.centre(300.0)))
        edges = [LEFT, *(x - lean for x in gutter or ()), RIGHT]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            print_words(page, shape, first, last, rng)
    return page


def print_words(
    page: np.ndarray, shape: LineShape, first: int, last: int, rng: np.random.Generator
) -> None:
    """Fill a line from x to x with words, which end anywhere except for the last one."""
    x = first
    while x < last:
        end = x + int(rng.integers(30, 90))
        end = last if end > last - 50 else end
        for column in range(x, end):
            y = round(float(shape.centre(column)))
            page[y - 7 : y + 7, column] = 0 if (column - x) % 3 == 0 or column == end - 1 else 255
        x = end + SPACE


def test_a_gutter_that_all_lines_have_is_found() -> None:
    shapes = lines(12)
    found = white_gutters(shapes, printed(shapes, (300, 318)))
    assert sorted(found) == list(range(12))
    for ((start, end),) in found.values():
        assert 288 <= start <= 301
        assert 317 <= end <= 330


def test_a_gutter_on_a_skewed_page_leans_with_it() -> None:
    shapes = lines(14, slope=0.05)
    found = white_gutters(shapes, printed(shapes, (300, 318)))
    assert len(found) == 14
    starts = [found[i][0][0] for i in range(14)]
    assert starts[0] > starts[-1] + 8


def test_word_spaces_below_each_other_by_chance_are_no_gutter() -> None:
    shapes = lines(30)
    for seed in range(5):
        assert white_gutters(shapes, printed(shapes, None, seed=seed)) == {}


def test_the_dots_of_wide_leaders_have_no_gutters_between_them() -> None:
    shapes = lines(12)
    page = printed(shapes, None)
    for shape in shapes:
        y = int(shape.centre(0.0))
        page[y - 8 : y + 8, 250:500] = 255
        for left, right in pairwise(range(260, 490, 20)):
            page[y + 3 : y + 6, left : right - 17] = 0
    assert white_gutters(shapes, page) == {}


def test_a_few_lines_do_not_show_a_gutter() -> None:
    shapes = lines(5)
    assert white_gutters(shapes, printed(shapes, (300, 318))) == {}
