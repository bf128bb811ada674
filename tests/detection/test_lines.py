from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from ocrkit import Recognizer, read_page
from ocrkit.detection.lines import LineDetector
from ocrkit.document import Box

PROSE = (
    "The works upon the rock are now so far advanced",
    "that the lantern, which was sent from the north,",
    "will be raised in the course of this week. Judge",
    "Quigley, the engineer, was entertained at dinner",
    "by the harbour board (it is said) last evening.",
)


@cache
def detector() -> LineDetector:
    return LineDetector.load()


def draw_page(
    texts: list[tuple[int, int, str]],
    size: tuple[int, int] = (900, 700),
    height: int = 26,
    ink: int = 30,
    paper: int = 245,
) -> tuple[np.ndarray, list[Box]]:
    """A page (width, height) with texts at (x, y), and the box of each text's ink."""
    page = np.full(size[::-1], paper, np.uint8)
    font, boxes = ImageFont.load_default(height), []
    for x, y, text in texts:
        image = Image.new("L", size, paper)
        ImageDraw.Draw(image).text((x, y), text, ink, font)
        inked = np.argwhere(np.asarray(image) < paper)
        (y0, x0), (y1, x1) = inked.min(axis=0), inked.max(axis=0) + 1
        boxes.append(Box(x0, y0, x1, y1))
        page = np.minimum(page, np.asarray(image))
    return page, boxes


def prose(x: int = 80, y: int = 90, step: int = 44) -> list[tuple[int, int, str]]:
    return [(x, y + i * step, text) for i, text in enumerate(PROSE)]


def found(page: np.ndarray) -> list[Box]:
    polygons = detector()(page)
    assert all(p.shape == (4, 2) and p.dtype == np.float32 for p in polygons)
    return [Box.around(polygon) for polygon in polygons]


def assert_same_lines(boxes: list[Box], truths: list[Box], slack: float = 0.5) -> None:
    """Each box holds the ink of its own line, and little of what is around it."""
    assert len(boxes) == len(truths)
    for box, truth in zip(boxes, truths, strict=True):
        assert box.x0 <= truth.x0 + slack and truth.x1 - slack <= box.x1
        assert box.y0 <= truth.y0 + slack and truth.y1 - slack <= box.y1
        assert box.height < 1.6 * truth.height + 2 * slack
        assert box.width < truth.width + 1.6 * truth.height + 2 * slack


def test_each_line_of_a_page_is_found_whole_and_in_order() -> None:
    page, truths = draw_page(prose())
    assert_same_lines(found(page), truths)


@pytest.mark.parametrize("angle", [-5.0, -2.0, 0.6, 5.0])
def test_lines_of_a_skewed_page_are_found_along_their_slope(angle: float) -> None:
    page, truths = draw_page(prose())
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)
    polygons = detector()(cv2.warpAffine(page, turn, (width, height), borderValue=245))
    assert len(polygons) == len(truths)
    for polygon, truth in zip(polygons, truths, strict=True):
        dx, dy = polygon[1] - polygon[0]
        assert np.degrees(np.arctan2(dy, dx)) == pytest.approx(angle, abs=0.4)
        level = cv2.transform(polygon[None], cv2.invertAffineTransform(turn))[0]
        assert_same_lines([Box.around(level)], [truth], slack=3)


@pytest.mark.parametrize("scale", [0.7, 3.0])
def test_the_size_of_the_scan_makes_no_difference(scale: float) -> None:
    page, truths = draw_page(prose())
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    boxes = found(cv2.resize(page, None, fx=scale, fy=scale, interpolation=interpolation))
    shrunk = [Box(b.x0 / scale, b.y0 / scale, b.x1 / scale, b.y1 / scale) for b in boxes]
    assert_same_lines(shrunk, truths, slack=1)


def test_a_large_scan_is_looked_at_smaller_and_reported_at_its_own_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, truths = draw_page(prose())
    monkeypatch.setattr("ocrkit.detection.lines.MAX_PIXELS", page.size // 4)
    assert_same_lines([Box.around(p) for p in detector()(page)], truths, slack=3)


def test_uneven_light_stains_and_grain_do_not_hide_or_add_lines() -> None:
    page, truths = draw_page(prose(), ink=70)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    light = 0.55 + 0.45 * x / page.shape[1]
    stain = 1 - 0.25 * np.exp(-((x - 300) ** 2 + (y - 500) ** 2) / 120**2)
    worn = page * light * stain + rng.normal(0, 4, page.shape)
    assert_same_lines(found(np.clip(worn, 0, 255).astype(np.uint8)), truths, slack=3)


def test_a_dark_border_and_specks_are_no_lines() -> None:
    page, truths = draw_page(prose())
    page = page.copy()
    page[:, :40] = page[-30:] = 8
    rng = np.random.default_rng(1)
    page[rng.integers(0, 650, 60), rng.integers(50, 900, 60)] = 60
    assert_same_lines(found(page), truths, slack=3)


def test_the_rules_of_a_ledger_are_not_read_and_part_its_columns() -> None:
    rows = ["Jan", "Feb", "Mar", "Apr"]
    cells = [
        (x, 105 + 60 * i, text)
        for i, row in enumerate(rows)
        for x, text in ((60, row), (140, "Candles, oil"), (360, "14"))
    ]
    page, truths = draw_page(cells, (480, 400))
    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    for y in range(90, 331, 60):
        draw.line((40, y, 440, y), 60, 2)
    for x in (40, 125, 340, 440):
        draw.line((x, 90, x, 330), 60, 2)
    assert_same_lines(found(np.asarray(image)), truths, slack=3)


def test_an_underline_stays_out_of_the_way() -> None:
    page, truths = draw_page(prose())
    page = page.copy()
    for truth in truths:
        page[int(truth.y1) + 2 : int(truth.y1) + 5, int(truth.x0) : int(truth.x1)] = 40
    assert_same_lines(found(page), truths, slack=3)


def test_columns_are_read_one_after_the_other_below_their_heading() -> None:
    left = [(60, 150 + 40 * i, f"left column with words {i}") for i in range(6)]
    right = [(500, 150 + 40 * i, f"right column with words {i}") for i in range(6)]
    page, truths = draw_page([(250, 60, "A HEADING OVER BOTH OF THEM"), *left, *right])
    assert_same_lines(found(page), truths)


def test_a_receipt_is_read_row_by_row() -> None:
    names = ["Paint brush and roller", "Tape", "Wood screws, a box of", "Padlock", "Bulb"]
    rows = [
        [(60, 100 + 40 * i, name), (560, 100 + 40 * i, f"{i}2.50")] for i, name in enumerate(names)
    ]
    page, truths = draw_page([cell for row in rows for cell in row])
    assert_same_lines(found(page), truths)


def test_a_spaced_out_heading_is_one_line() -> None:
    page, truths = draw_page([(200, 40, "T O W N   C O U N C I L"), *prose()])
    assert_same_lines(found(page), truths)


def test_headings_and_small_print_are_found_on_one_page() -> None:
    page, truths = draw_page(prose(y=200))
    big, (heading,) = draw_page([(100, 50, "HARBOUR GAZETTE")], height=64)
    small, (note,) = draw_page([(100, 500, "printed for the author, at the corner")], height=17)
    assert_same_lines(found(np.minimum.reduce([page, big, small])), [heading, *truths, note])


def test_commas_and_full_stops_belong_to_the_line() -> None:
    page, truths = draw_page([(100, 100, ", and, so, it, ended. . ."), *prose(y=180)])
    assert_same_lines(found(page), truths, slack=1)


@pytest.mark.parametrize("text", ["Word", "A", "7"])
def test_a_page_of_one_word_has_one_line(text: str) -> None:
    page, truths = draw_page([(300, 300, text)])
    assert_same_lines(found(page), truths)


def test_a_tall_narrow_strip_of_paper_is_read_to_its_end() -> None:
    page, truths = draw_page([(20, 30 + 60 * i, f"item {i}") for i in range(80)], (160, 5000))
    assert_same_lines(found(page), truths)


def test_a_crop_of_one_line_is_one_line() -> None:
    page, truths = draw_page([(6, 3, PROSE[0])], (640, 36))
    assert_same_lines(found(page), truths)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 300), (300, 1), (6, 6), (7, 900), (900, 7)])
@pytest.mark.parametrize("grey", [0, 255])
def test_scraps_have_no_lines(shape: tuple[int, int], grey: int) -> None:
    assert detector()(np.full(shape, grey, np.uint8)) == []


def test_blank_paper_has_no_lines_and_a_picture_gives_no_text() -> None:
    rng = np.random.default_rng(0)
    paper = np.clip(rng.normal(230, 3, (800, 600)), 0, 255).astype(np.uint8)
    assert detector()(paper) == []
    for _ in range(3):
        blur = cv2.GaussianBlur(rng.normal(0, 1, (800, 600)), (0, 0), 3)
        picture = np.clip(128 + 60 * blur / blur.std(), 0, 255).astype(np.uint8)
        # The detector may mark some blots; the reader then says that they are no text.
        assert len(detector()(picture)) <= 8
        assert read_page(picture, detector(), Recognizer.load()).lines == ()


@settings(max_examples=30)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(0, 2**32 - 1))
def test_any_pixels_are_answered_with_finite_polygons(h: int, w: int, seed: int) -> None:
    page = np.random.default_rng(seed).integers(0, 256, (h, w)).astype(np.uint8)
    for polygon in detector()(page):
        assert polygon.shape in [(4, 2), (16, 2)]
        assert np.isfinite(polygon).all()
