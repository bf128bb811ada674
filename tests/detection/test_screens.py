from __future__ import annotations

import numpy as np

from ocrkit.detection.screens import screens


def lines(*boxes: tuple[float, float, float, float]) -> list[np.ndarray]:
    return [np.array([(a, b), (c, b), (c, d), (a, d)], np.float32) for a, b, c, d in boxes]


def test_the_dots_of_a_picture_are_known_and_an_ornament_beside_text_is_not() -> None:
    picture = [(100.0, 100.0 + 12 * n, 400.0, 110.0 + 12 * n) for n in range(6)]
    page = lines((100, 40, 500, 60), *picture, (100, 200, 500, 220), (200, 300, 300, 320))
    texts = ["A title", *["*** ...***"] * 6, "Below the picture", "* * *"]
    assert screens(page, texts) == [1, 2, 3, 4, 5, 6]


def test_a_few_rows_of_marks_are_no_picture() -> None:
    assert (
        screens(lines(*((0.0, 20.0 * n, 90.0, 20.0 * n + 15) for n in range(4))), ["***"] * 4) == []
    )


def test_long_rows_of_marks_on_a_page_without_letters_are_a_texture() -> None:
    polygons = [
        np.array([(0, y), (900, y), (900, y + 20), (0, y + 20)], np.float32) for y in (0, 300, 600)
    ]
    assert screens(polygons, ["*" * 36, "", ". ."]) == [0, 2]
    assert screens(polygons, ["*" * 36, "The end", ". ."]) == []
    assert screens(polygons, ["* * *", "", "—"]) == []
