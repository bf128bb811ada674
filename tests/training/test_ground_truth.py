"""Ground truth of others, changed to what the kit's detector should learn."""

from __future__ import annotations

import numpy as np
import pytest

from ocrkit.training.ground_truth import fitted_lines


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


def drawn(*words: tuple[int, int, int, int]) -> np.ndarray:
    """A white page, 100 x 400, with words drawn as black strokes."""
    page = np.full((100, 400), 255, np.uint8)
    for x0, y0, x1, y1 in words:
        page[y0:y1, x0:x1:2] = 0
    return page


def bounds(polygon: np.ndarray) -> list[float]:
    return [*polygon.min(axis=0), *polygon.max(axis=0)]


def test_a_row_of_a_table_becomes_its_cells() -> None:
    page = drawn((20, 40, 150, 60), (300, 40, 360, 60))
    ((left, right),), unmarked = fitted_lines(page, [box(10, 38, 370, 62)], [])
    assert bounds(left) == pytest.approx([20, 38, 150, 62], abs=2)
    assert bounds(right) == pytest.approx([300, 38, 360, 62], abs=2)
    assert unmarked == []


def test_words_with_a_usual_space_stay_one_line() -> None:
    page = drawn((20, 40, 150, 60), (165, 40, 360, 60))
    ((line,),), _ = fitted_lines(page, [box(10, 38, 370, 62)], [])
    assert bounds(line) == pytest.approx([20, 38, 360, 62], abs=2)


def test_a_marked_line_gets_the_height_that_the_detector_gives_it_and_its_neighbours() -> None:
    page = drawn((20, 20, 350, 40), (20, 60, 350, 80))
    marked = [box(20, 15, 350, 33), box(20, 55, 350, 73)]  # cut off below the baseline
    parts, _ = fitted_lines(page, marked, [box(20, 19, 350, 41)])
    ((first,), (second,)) = parts
    assert bounds(first) == pytest.approx([20, 19, 350, 41], abs=1)
    assert bounds(second) == pytest.approx([20, 59, 350, 81], abs=1)


def test_what_nobody_marked_is_named_and_what_is_blank_is_no_line() -> None:
    page = drawn((20, 20, 350, 40))
    marked = [box(20, 18, 350, 42), box(20, 60, 350, 80)]
    parts, unmarked = fitted_lines(page, marked, [box(20, 18, 350, 42), box(180, 85, 220, 97)])
    assert [len(own) for own in parts] == [1, 0]
    assert unmarked == [1]
