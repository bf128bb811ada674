from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrkit.detection.direction import View, skew, straightened, upright_view
from ocrkit.recognition.reading import Reading, WordReading


def text_page(angle: float = 0) -> np.ndarray:
    """A page of text whose lines fall by an angle (degrees) to the right."""
    image = Image.new("L", (700, 600), 240)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(24)
    for y in range(120, 480, 40):
        pen.text((130, y), "The names of those who had paid", 20, font)
    return np.asarray(image.rotate(-angle, fillcolor=240, resample=Image.Resampling.BICUBIC))


@pytest.mark.parametrize("angle", [-45, -20, -7, 0, 3, 12, 30, 45])
def test_the_skew_of_a_page_is_measured(angle: float) -> None:
    assert skew(text_page(angle)) == pytest.approx(angle, abs=0.6)


@pytest.mark.parametrize("page", [np.full((80, 60), 255, np.uint8), np.zeros((2, 2), np.uint8)])
def test_a_page_without_text_is_not_skewed(page: np.ndarray) -> None:
    assert skew(page) == 0


@pytest.mark.parametrize("angle", [-30.0, 10.0, 45.0])
def test_what_is_straightened_keeps_its_place_on_the_page(angle: float) -> None:
    page = np.full((300, 500), 255, np.uint8)
    page[100:104, 200:204] = 0
    straight, matrix = straightened(page, angle)
    y, x = np.argwhere(straight < 100).mean(axis=0) + 0.5
    view = View(straight, matrix, [])
    np.testing.assert_allclose(view.on_page(np.array([[x, y]])), [[202, 102]], atol=1)


class Reader:
    """Reads all lines with one confidence and counts them."""

    def __init__(self, confidence: float) -> None:
        self.confidence, self.count = confidence, 0

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        self.count += len(crops)
        return [Reading("some text of a line", self.confidence) for _ in crops]


class Detector:
    """Finds level lines, and counts the pixels that it has seen."""

    def __init__(self, lines: int) -> None:
        self.lines, self.pixels = lines, 0

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        self.pixels += page.size
        boxes = [(100, 130 + 40 * i, 500, 155 + 40 * i) for i in range(self.lines)]
        return [np.array([(a, b), (c, b), (c, d), (a, d)], np.float32) for a, b, c, d in boxes]


def test_a_page_that_is_read_well_is_looked_at_once() -> None:
    page, detector, reader = text_page(), Detector(9), Reader(0.99)
    view = upright_view(page, detector, reader, reader, lambda stage: None)
    assert detector.pixels == page.size
    assert reader.count == len(view.readings) == 9


def test_a_page_that_is_read_badly_but_has_level_lines_is_searched_for_lines_once() -> None:
    page, detector, reader = text_page(), Detector(9), Reader(0.7)
    view = upright_view(page, detector, reader, reader, lambda stage: None)
    assert detector.pixels == page.size
    assert reader.count <= 18  # as it lies, and upside down
    assert np.array_equal(view.page, page)


def test_only_a_part_of_a_page_is_tried_on_its_side() -> None:
    page = np.full((3000, 2000), 240, np.uint8)
    detector = Detector(2)
    reader = Reader(0.7)
    upright_view(page, detector, reader, reader, lambda stage: None)
    assert detector.pixels <= 1.25 * page.size


def test_dots_that_are_read_with_little_confidence_do_not_turn_a_page() -> None:
    title = WordReading("Of the situation of the town and of its walls", 0.97, 0, 0.5)
    dots = WordReading("." * 60, 0.8, 0.5, 1)
    line = Reading(f"{title.text} {dots.text}", 0.87, (title, dots))
    count = 0

    def read(crops: Sequence[np.ndarray]) -> list[Reading]:
        nonlocal count
        count += len(crops)
        return [line for _ in crops]

    upright_view(text_page(), Detector(8), read, read, lambda stage: None)
    assert count == 8
