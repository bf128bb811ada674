from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from ocrkit.image import (
    Preprocessing,
    fit,
    fitted_width,
    tighten,
    without_blank_rows,
)

PREP = Preprocessing(trim=False)


def written(height: int = 40, width: int = 400, paper: int = 220, ink: int = 40) -> np.ndarray:
    """A crop with strokes on about a fifth of it, as text has them."""
    crop = np.full((height, width), paper, np.uint8)
    for x in range(20, width - 20, 20):
        crop[height // 5 : -height // 5, x : x + 6] = ink
    return crop


def test_a_strip_has_the_models_height_and_the_crops_aspect() -> None:
    strip = fit(written(64, 600), PREP)
    assert strip.dtype == np.float32
    assert strip.shape == (1, 32, 320)
    assert fitted_width(written(64, 600), PREP) == (300, 320)
    other = Preprocessing(height=48, bucket=10, max_width=100, trim=False)
    assert fit(written(40, 50), other).shape == (1, 48, 60)
    assert fit(written(40, 400), other).shape == (1, 48, 100)


@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        ((32, 280), (280, 288)),
        ((32, 288), (288, 288)),
        ((64, 2), (8, 32)),
        ((1, 1), (32, 32)),
        ((32, 99_999), (2048, 2048)),
        ((0, 0), (8, 32)),
        ((0, 50), (8, 32)),
        ((300, 0), (8, 32)),
        ((50, 0), (8, 32)),
    ],
)
def test_widths_are_kept_within_bounds_and_padded_to_a_bucket(shape, widths) -> None:
    assert fitted_width(np.zeros(shape, np.uint8), PREP) == widths
    assert fit(np.zeros(shape, np.uint8), PREP).shape == (1, 32, widths[1])


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (220, 40), (120, 70), (90, 20)])
def test_paper_becomes_0_and_ink_1_however_dark_they_are(paper, ink) -> None:
    strip = fit(written(paper=paper, ink=ink), PREP)[0, :, :320]
    assert np.median(strip) == 0
    assert strip[10:22, 18].mean() == pytest.approx(1, abs=0.05)
    assert -0.25 <= strip.min() <= strip.max() <= 1.25


def test_faded_and_strong_text_look_alike() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (40, 400))
    strong = np.clip(written() + noise * 4, 0, 255).astype(np.uint8)
    faded = np.clip(150 + (written() - 150.0) / 4 + noise, 0, 255).astype(np.uint8)
    assert np.abs(fit(strong, PREP) - fit(faded, PREP)).mean() < 0.05


def test_light_text_on_dark_looks_as_dark_on_light() -> None:
    assert np.allclose(fit(255 - written(), PREP), fit(written(), PREP), atol=0.02)


def test_the_noise_of_blank_paper_is_not_made_into_text() -> None:
    noise = np.random.default_rng(0).normal(200, 3, (40, 400)).astype(np.uint8)
    assert np.abs(fit(noise, PREP)).max() < 0.5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_crop_is_blank_paper(level) -> None:
    assert (fit(np.full((40, 400), level, np.uint8), PREP) == 0).all()


def test_a_speck_of_a_full_stop_is_still_ink() -> None:
    crop = np.full((40, 60), 220, np.uint8)
    crop[26:32, 20:26] = 30
    assert fit(crop, PREP).max() > 0.9


def test_padding_is_paper() -> None:
    content, padded = fitted_width(written(40, 410), PREP)
    assert content < padded
    assert (fit(written(40, 410), PREP)[0, :, content:] == 0).all()
    reference = Preprocessing(normalize="reference", trim=False)
    assert (fit(written(40, 410), reference)[0, :, content:] == 1).all()


def test_the_reference_normalisation_maps_black_to_minus_1_and_white_to_1() -> None:
    crop = np.repeat(np.array([[0, 51, 255, 255]], np.uint8), 8, axis=1).repeat(32, axis=0)
    row = fit(crop, Preprocessing(normalize="reference"))[0, 16, :32]
    assert row[[2, 12, 20]] == pytest.approx([-1, -0.6, 1])


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=80)))
def test_any_crop_is_answered_within_range_and_left_unchanged(crop) -> None:
    before = crop.copy()
    strip = fit(crop, PREP)
    assert strip.shape == (1, 32, fitted_width(crop, PREP)[1])
    assert np.isfinite(strip).all()
    assert -0.25 <= strip.min() <= strip.max() <= 1.25
    assert np.array_equal(crop, before)


def test_a_view_into_a_page_is_fitted_as_its_copy() -> None:
    page = np.random.default_rng(0).integers(0, 256, (100, 300), dtype=np.uint8)
    for view in (page[10:60, 20:200], page[::2, ::-1], page.T):
        assert np.array_equal(fit(view, PREP), fit(view.copy(), PREP))


def bars(height: int, width: int, *bands: tuple[int, int]) -> np.ndarray:
    """White paper with bands of upright strokes, from row to row: lines of letters' bodies."""
    crop = np.full((height, width), 255, np.uint8)
    for top, bottom in bands:
        crop[top:bottom, 4 : width - 4 : 6] = 0
        crop[top:bottom, 5 : width - 4 : 6] = 0
    return crop


def test_a_loose_crop_is_cut_to_its_text_with_room_for_ascenders_and_descenders() -> None:
    loose = bars(100, 600, (40, 60))
    tight = tighten(loose)
    assert tight.shape[1] == 600
    assert len(tight) == pytest.approx(20 * (1 + 0.75 + 0.55), abs=6)
    above = int((tight < 128).any(axis=1).argmax())
    assert above == pytest.approx(0.75 * 20, abs=4)
    assert (tight < 128).any(axis=1).sum() == 20


def test_neighbours_at_the_edges_of_a_crop_are_cut_off() -> None:
    neighbours = bars(100, 600, (0, 12), (40, 60), (90, 100))
    assert np.array_equal(tighten(neighbours), tighten(bars(100, 600, (40, 60))))


@pytest.mark.parametrize("rise", [-30, -12, 12, 30])
def test_a_sloping_line_is_made_level(rise) -> None:
    level = bars(100, 600, (40, 60))
    slope = np.float32([[1, 0, 0], [rise / 600, 1, -rise / 2]])
    sloping = cv2.warpAffine(level, slope, (600, 100), borderMode=cv2.BORDER_REPLICATE)
    tight = tighten(sloping)
    assert len(tight) == pytest.approx(len(tighten(level)), abs=6)
    inked = (tight < 128).any(axis=1).sum()
    assert inked <= 20 + 4  # spread over 20 + |rise| rows before


def figures(height: int, width: int, top: int, bottom: int) -> np.ndarray:
    """White paper with sevens: the bars on their thin stems are the densest rows."""
    crop = np.full((height, width), 255, np.uint8)
    for x in range(20, width - 40, 40):
        crop[top : top + 6, x : x + 26] = 0
        crop[top:bottom, x + 20 : x + 23] = 0
    return crop


def ink_rows(crop: np.ndarray) -> int:
    return int((crop < 128).any(axis=1).sum())


@pytest.mark.parametrize("upside_down", [False, True])
def test_figures_with_dense_bars_are_not_cut(upside_down) -> None:
    crop = figures(60, 400, 14, 44)
    crop = crop[::-1].copy() if upside_down else crop
    tight = tighten(crop)
    assert ink_rows(tight) == ink_rows(crop) == 30


@pytest.mark.parametrize("gap", [2, 6, 14])
@pytest.mark.parametrize("thickness", [2, 5])
def test_the_letters_of_an_underlined_line_are_not_cut(gap, thickness) -> None:
    crop = bars(90, 600, (30, 50))
    crop[50 + gap : 50 + gap + thickness, 10:590] = 0
    tight = tighten(crop)
    assert (tight < 128).sum() >= (bars(90, 600, (30, 50)) < 128).sum()
    assert ink_rows(tight) <= 20 + thickness


def test_the_neighbours_of_an_underlined_line_are_cut_off() -> None:
    crop = bars(100, 600, (0, 9), (40, 60), (94, 100))
    crop[63:66, 10:590] = 0
    assert ink_rows(tighten(crop)) == 23


def test_a_level_line_is_not_sheared() -> None:
    loose = bars(100, 600, (40, 60))
    rows = [row.tobytes() for row in loose]
    assert all(row.tobytes() in rows for row in tighten(loose))


def test_a_loose_crop_is_shown_as_large_as_a_tight_one() -> None:
    loose = bars(100, 600, (40, 60))
    assert np.array_equal(fit(loose, Preprocessing()), fit(tighten(loose), PREP))
    assert fitted_width(loose, Preprocessing()) == fitted_width(tighten(loose), PREP)


@pytest.mark.parametrize(
    "crop",
    [
        bars(40, 400, (10, 32)),  # a tight crop
        bars(100, 390, (40, 60)),  # too few letters for rows to tell
        np.full((40, 400), 255, np.uint8),
        np.zeros((11, 400), np.uint8),
        np.zeros((0, 0), np.uint8),
    ],
)
def test_rows_that_may_be_text_are_kept(crop) -> None:
    assert len(tighten(crop)) == len(crop)


@pytest.mark.parametrize(
    "wrong", [{"normalize": "none"}, {"height": 0}, {"bucket": 0}, {"max_width": 4}]
)
def test_preprocessing_that_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="must be|choose"):
        Preprocessing(**wrong)


def signs(height: int, top: int, bottom: int, count: int, width: int = 200) -> np.ndarray:
    """Paper (height, width) with `count` black bars, 6 px wide and 12 px apart."""
    crop = np.full((height, width), 240, np.uint8)
    for i in range(count):
        crop[top:bottom, 20 + 12 * i : 26 + 12 * i] = 20
    return crop


def test_a_short_line_is_cut_to_its_ink_and_a_little_room():
    # The ink is 20 rows high, and 15 % of that is left above and below it.
    assert without_blank_rows(signs(60, 30, 50, count=6)).shape == (26, 200)
    assert (without_blank_rows(signs(60, 30, 50, count=6))[3:23] < 100).any(axis=1).all()


@pytest.mark.parametrize(
    ("crop", "why"),
    [
        (signs(60, 30, 50, count=1), "a single sign"),
        (signs(60, 30, 36, count=6), "low ink, as of dashes"),
        (signs(60, 30, 50, count=6, width=480), "a long line"),
        (np.full((60, 200), 240, np.uint8), "no ink"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_look_like_something_else_keeps_its_blank_rows(crop, why):
    assert without_blank_rows(crop) is crop
