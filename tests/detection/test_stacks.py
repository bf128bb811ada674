from __future__ import annotations

import numpy as np

from ocrkit.detection.stacks import stacks


def box(x: float, y: float, width: float = 20, height: float = 24) -> np.ndarray:
    x1, y1 = x + width, y + height
    return np.array([(x, y), (x1, y), (x1, y1), (x, y1)], np.float32)


def test_capitals_below_each_other_are_words_that_are_read_downwards() -> None:
    letters = "ROYALINN"
    y = [0, 40, 80, 120, 160, 240, 280, 320]
    polygons = [box(100, at) for at in y]
    (stack,) = stacks(polygons, list(letters))
    assert stack.letters == tuple(range(8))
    assert ["".join(letters[i] for i in word) for word in stack.words] == ["ROYAL", "INN"]
    np.testing.assert_allclose(stack.polygon(polygons)[:2], [(120, 0), (120, 344)])


def test_letters_of_a_table_figures_and_initials_are_no_stacked_words() -> None:
    column = [box(100, 40.0 * n) for n in range(4)]
    labels = [box(0, 40.0 * n, 60) for n in range(4)]
    assert stacks([*column, *labels], [*"ABCD", "Tea", "Salt", "Rope", "Oil"]) == []
    assert stacks(column, list("1234")) == []
    assert stacks(column, list("0000")) == []
    assert stacks(column[:2], list("AB")) == []
    assert stacks([], []) == []
