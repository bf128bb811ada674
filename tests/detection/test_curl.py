from __future__ import annotations

import warnings

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrkit.detection.curl import curl, flattened, is_curled, on_curled


def page_of_text() -> np.ndarray:
    sheet = Image.new("L", (900, 700), 235)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(26)
    text = "of the water and the bread that was bought in the year when a boat sank"
    words = text.split(" ")
    for n, y in enumerate(range(160, 560, 44)):
        line = words[4 * n % 15 :] + words[: 4 * n % 15]
        pen.text((60, y), " ".join(line)[:58], 20, font)
    return np.asarray(sheet)


def bent(page: np.ndarray, depth: float) -> tuple[np.ndarray, np.ndarray]:
    shifts = depth * np.sin(np.pi * np.arange(page.shape[1]) / page.shape[1])
    return flattened(page, -shifts), shifts


def test_the_curl_of_a_page_is_measured_to_a_few_pixels() -> None:
    for depth in (-110, 60, 110):
        page, shifts = bent(page_of_text(), depth)
        inked = slice(80, 700)
        error = (curl(page) - shifts)[inked]
        assert np.ptp(error) < 8


def test_a_flat_page_and_an_empty_one_have_no_curl() -> None:
    assert np.ptp(curl(page_of_text())) < 4
    assert np.ptp(curl(np.full((300, 400), 240, np.uint8))) == 0


def test_a_page_that_is_too_narrow_or_has_ink_in_few_places_has_no_curl() -> None:
    narrow = np.full((300, 40), 240, np.uint8)
    narrow[::7] = 20
    assert not curl(narrow).any()
    column = np.full((700, 900), 240, np.uint8)
    column[100:600:30, 400:430] = 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(curl(column)).all()


def test_a_high_page_is_flattened_as_its_parts_are() -> None:
    page = np.random.default_rng(0).integers(0, 256, (3000, 60), dtype=np.uint8)
    flat = flattened(page, np.full(60, 7.0))
    np.testing.assert_array_equal(flat[:-7], page[7:])


def test_lines_of_a_flattened_page_follow_the_curl_of_the_page() -> None:
    shifts = 50 * np.sin(np.pi * (np.arange(400) + 0.5) / 400)
    line = np.array([(0, 100), (400, 100), (400, 130), (0, 130)], np.float32)
    polygon = on_curled(line, shifts)
    assert polygon.dtype == np.float32
    top, bottom = np.split(polygon, 2)
    np.testing.assert_allclose(top[:, 1], 100 + 50 * np.sin(np.pi * top[:, 0] / 400), atol=0.5)
    np.testing.assert_allclose(bottom[::-1] - top, [(0, 30)] * len(top), atol=1e-3)


def test_steep_lines_tell_a_curled_page_and_a_few_do_not() -> None:
    flat = np.array([(0, 0), (300, 5), (300, 35), (0, 30)], np.float32)
    steep = np.array([(0, 0), (100, 25), (100, 55), (0, 30)], np.float32)
    assert is_curled([flat] * 6 + [steep] * 3)
    assert not is_curled([flat] * 6 + [steep] * 2)
    assert not is_curled([flat] * 60 + [steep] * 3)
    assert not is_curled([])
