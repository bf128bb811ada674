from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.random import Generator, default_rng

from ocrkit.synth import degrade

HEIGHT, WIDTH, EM = 40, 120, 24.0

INK: dict[str, Callable[[np.ndarray, Generator], np.ndarray]] = {
    "thicken": lambda ink, rng: degrade.thicken(ink, 0.7),
    "thin": lambda ink, rng: degrade.thicken(ink, -0.7),
    "uneven": lambda ink, rng: degrade.uneven(ink, EM, 0.35, rng),
    "broken": lambda ink, rng: degrade.broken(ink, EM, 0.2, rng),
    "dots": lambda ink, rng: degrade.dots(ink, 3.0, (rng.random(), rng.random())),
    "stripes": lambda ink, rng: degrade.stripes(ink, 6.0, 0.5, rng),
    "gaps": lambda ink, rng: degrade.gaps(ink, EM, 2, rng),
    "shear": lambda ink, rng: degrade.shear(ink, 0.2, 0.05),
    "wave": lambda ink, rng: degrade.wave(ink, 1.0, 6 * EM, rng),
}
SCAN: dict[str, Callable[[np.ndarray, Generator], np.ndarray]] = {
    "stain": lambda scan, rng: degrade.stain(scan, 40.0, 70.0, rng),
    "show_through": lambda scan, rng: degrade.show_through(scan, strokes(), 40.0),
    "light": lambda scan, rng: degrade.light(scan, 0.4, rng),
    "blur": lambda scan, rng: degrade.blur(scan, 1.2),
    "noise": lambda scan, rng: degrade.noise(scan, 12.0, rng),
    "low_resolution": lambda scan, rng: degrade.low_resolution(scan, 2.5),
    "sharpen": lambda scan, rng: degrade.sharpen(scan, 1.5, 2.0),
    "pepper": lambda scan, rng: degrade.pepper(scan, 0.05, rng),
    "jpeg": lambda scan, rng: degrade.jpeg(scan, 20),
    "otsu": lambda scan, rng: degrade.otsu(scan),
    "sauvola": lambda scan, rng: degrade.sauvola(scan),
}


def strokes() -> np.ndarray:
    """Vertical strokes on the left, a horizontal bar on the right: ink 1, elsewhere 0."""
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    ink[8:32, 10:60:8] = ink[8:32, 11:60:8] = ink[8:32, 12:60:8] = 1
    ink[24:28, 70:110] = 1
    return ink


def page() -> np.ndarray:
    return degrade.print_on_paper(strokes(), default_rng(0), 230, 30, 0)


def detail(scan: np.ndarray) -> float:
    return float(np.abs(cv2.Laplacian(scan.astype(np.float32), cv2.CV_32F)).mean())


# --- all functions


@pytest.mark.parametrize("name", INK)
def test_ink_functions_keep_type_shape_and_range(name):
    damaged = INK[name](strokes(), default_rng(0))
    assert damaged.dtype == np.float32
    assert damaged.shape == (HEIGHT, WIDTH)
    assert damaged.min() >= 0
    assert damaged.max() <= 1
    assert not np.array_equal(damaged, strokes())


@pytest.mark.parametrize("name", SCAN)
def test_scan_functions_keep_type_and_shape(name):
    damaged = SCAN[name](page(), default_rng(0))
    assert damaged.dtype == np.uint8
    assert damaged.shape == (HEIGHT, WIDTH)
    assert not np.array_equal(damaged, page())


@pytest.mark.parametrize("name", [*INK, *SCAN])
def test_results_depend_only_on_the_generator_and_inputs_do_not_change(name):
    function, image = (INK[name], strokes()) if name in INK else (SCAN[name], page())
    before = image.copy()
    first, again = (function(image, default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", [*INK, *SCAN])
@pytest.mark.parametrize("shape", [(4, 4), (3, 200), (60, 5)])
def test_very_small_images_work(name, shape):
    rng = default_rng(0)
    if name == "show_through":
        damaged = degrade.show_through(
            np.full(shape, 200, np.uint8), rng.random(shape, np.float32), 9
        )
    elif name in INK:
        damaged = INK[name](rng.random(shape, np.float32), rng)
    else:
        damaged = SCAN[name](rng.integers(0, 256, shape, dtype=np.uint8), rng)
    assert damaged.shape == shape


def test_steps_are_applied_in_order_by_their_probability():
    steps = [(1.0, lambda x: x + 1), (0.0, lambda x: x * 0), (1.0, lambda x: x * 10)]
    assert degrade.apply_randomly(np.ones(1), steps, default_rng(0), 1.0) == 20
    assert degrade.apply_randomly(np.ones(1), steps, default_rng(0), 0.0) == 1


# --- ink


def test_smooth_noise_has_mean_0_and_changes_slowly():
    noise = degrade.smooth_noise((200, 300), 20, default_rng(0))
    assert noise.shape == (200, 300)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.3
    assert 0.5 < noise.std() < 1.2
    assert np.abs(np.diff(noise)).mean() < 0.1 * np.abs(noise).mean()
    fine = degrade.smooth_noise((200, 300), 3, default_rng(0))
    assert np.abs(np.diff(fine)).mean() > 3 * np.abs(np.diff(noise)).mean()


def test_thicken_grows_or_shrinks_strokes_by_up_to_a_pixel():
    ink = np.zeros((9, 9), np.float32)
    ink[3:6, 3:6] = 1
    assert degrade.thicken(ink, 1.0).sum() == 9 + 12
    assert degrade.thicken(ink, -1.0).sum() == 1
    assert degrade.thicken(ink, 0.5).sum() == pytest.approx(9 + 12 / 2)
    assert degrade.thicken(ink, 7.0).sum() == 9 + 12
    np.testing.assert_array_equal(degrade.thicken(ink, 0.0), ink)


def test_uneven_ink_varies_and_adds_none_to_the_paper():
    ink = strokes() * 0.6
    result = degrade.uneven(ink, EM, 0.3, default_rng(1))
    assert result[ink > 0].std() > 0.02
    assert (result[ink == 0] == 0).all()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_broken_strokes_lose_about_the_given_share_of_the_ink(share):
    solid = np.ones((200, 400), np.float32)
    left = degrade.broken(solid, EM, share, default_rng(0))
    assert 1 - left.mean() == pytest.approx(share, abs=0.1)
    assert (left == 0).any()


def test_dots_repeat_at_their_pitch():
    dotted = degrade.dots(np.ones((40, 40), np.float32), 5.0)
    np.testing.assert_allclose(dotted[5:], dotted[:-5], atol=1e-4)
    np.testing.assert_allclose(dotted[:, 5:], dotted[:, :-5], atol=1e-4)
    assert dotted[0, 0] == dotted[5, 10] == 1
    assert dotted[2, 2] < 0.1


def test_stripes_are_pale_rows_at_their_pitch():
    striped = degrade.stripes(np.ones((60, 20), np.float32), 10.0, 0.5, default_rng(0))
    np.testing.assert_array_equal(striped, np.repeat(striped[:, :1], 20, axis=1))
    np.testing.assert_allclose(striped[10:], striped[:-10], atol=1e-4)
    assert striped.min() == pytest.approx(0.5, abs=0.02)
    assert striped.max() == pytest.approx(1.0, abs=0.02)


def centre(ink: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(ink > 0.5)
    return float(y.mean()), float(x.mean())


def test_positive_slant_moves_the_top_of_strokes_to_the_right():
    ink = np.zeros((41, 81), np.float32)
    ink[:, 39:42] = 1
    slanted = degrade.shear(ink, 0.25, 0.0)
    top, bottom = centre(slanted[:5])[1], centre(slanted[-5:])[1]
    assert top - bottom == pytest.approx(0.25 * 36, abs=1)
    assert centre(slanted)[1] == pytest.approx(40, abs=1)


def test_slope_tilts_the_baseline():
    ink = np.zeros((41, 81), np.float32)
    ink[19:22] = 1
    tilted = degrade.shear(ink, 0.0, 0.1)
    left, right = centre(tilted[:, :5])[0], centre(tilted[:, -5:])[0]
    assert right - left == pytest.approx(0.1 * 76, abs=1)


def test_wave_moves_columns_only_up_and_down():
    ink = np.zeros((41, 400), np.float32)
    ink[18:23] = 1
    wavy = degrade.wave(ink, 4.0, 100.0, default_rng(0))
    heights = np.array([centre(wavy[:, x : x + 1])[0] for x in range(400)])
    assert np.ptp(heights) > 2
    assert np.abs(np.diff(heights)).max() <= 1
    np.testing.assert_allclose(wavy.sum(axis=0), 5, atol=0.1)


# --- scans


def test_print_has_the_given_tones():
    scan = degrade.print_on_paper(strokes(), default_rng(0), paper=220, tone=50, grain=0)
    assert scan.dtype == np.uint8
    assert set(np.unique(scan)) == {50, 220}
    assert (scan[strokes() == 1] == 50).all()


def test_stronger_grain_gives_rougher_paper():
    blank = np.zeros((100, 100), np.float32)
    spreads = [
        degrade.print_on_paper(blank, default_rng(0), 200, 40, grain).std() for grain in (0, 3, 9)
    ]
    assert spreads[0] == 0
    assert 2 < spreads[1] < spreads[2]


def test_stains_darken_a_part_of_the_paper_by_at_most_their_depth():
    blank = np.full((200, 200), 220, np.uint8)
    darker = 220 - degrade.stain(blank, 40.0, 30.0, default_rng(0)).astype(int)
    assert darker.min() == 0
    assert 5 < darker.max() <= 30
    assert 0.05 < (darker > 0).mean() < 0.6


def test_bleed_through_is_mirrored_and_faint():
    ink = np.zeros((40, 100), np.float32)
    ink[10:30, 10:20] = 1
    blank = np.full((40, 100), 220, np.uint8)
    darker = 220 - degrade.show_through(blank, ink, 30.0).astype(int)
    assert darker[20, 100 - 15] == pytest.approx(30, abs=1)
    assert darker[:, :70].max() == 0
    assert 0 < darker[20, 79] < 30  # soft edges


def test_light_changes_slowly_and_by_at_most_twice_its_strength():
    blank = np.full((60, 200), 200, np.uint8)
    for seed in range(20):
        lit = degrade.light(blank, 0.3, default_rng(seed)).astype(int)
        assert lit.max() >= 199
        assert lit.min() >= 200 * (1 - 2 * 0.3) - 1
        assert np.abs(np.diff(lit, axis=1)).max() <= 1
        assert np.abs(np.diff(lit, axis=0)).max() <= 2
        weak = degrade.light(blank, 0.1, default_rng(seed)).astype(int)
        assert np.ptp(weak) < np.ptp(lit)


@pytest.mark.parametrize(
    "soften",
    [
        lambda strength: degrade.blur(page(), 0.6 * strength),
        lambda strength: degrade.low_resolution(page(), 1.0 + strength),
    ],
    ids=["blur", "low_resolution"],
)
def test_stronger_blur_or_lower_resolution_removes_more_detail(soften):
    details = [detail(page()), *(detail(soften(strength)) for strength in (1, 2, 3))]
    assert details == sorted(details, reverse=True)
    assert details[-1] < 0.5 * details[0]


def test_noise_has_its_strength_and_is_uncorrelated():
    grey = np.full((200, 200), 128, np.uint8)
    noisy = degrade.noise(grey, 8.0, default_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(8, abs=0.3)
    assert noisy.mean() == pytest.approx(127.5, abs=0.3)  # values are rounded down
    assert np.abs(np.corrcoef(noisy[:, 1:].ravel(), noisy[:, :-1].ravel())[0, 1]) < 0.05


def test_lower_jpeg_quality_gives_larger_errors():
    def error(quality: int) -> float:
        return float(np.abs(degrade.jpeg(page(), quality).astype(int) - page()).mean())

    assert error(10) > error(40) > error(95)
    assert error(95) < 3


def test_otsu_separates_ink_from_paper():
    scan = degrade.noise(page(), 8.0, default_rng(0))
    binary = degrade.otsu(scan)
    assert set(np.unique(binary)) == {0, 255}
    np.testing.assert_array_equal(binary == 0, strokes() == 1)


def test_sauvola_separates_ink_from_paper_under_a_shadow():
    shadow = np.linspace(1.0, 0.2, WIDTH)[None]
    scan = (page() * shadow).astype(np.uint8)
    binary = degrade.sauvola(scan)
    assert set(np.unique(binary)) == {0, 255}
    wrong = (binary == 0) != (strokes() == 1)
    assert wrong.mean() < 0.05 < ((degrade.otsu(scan) == 0) != (strokes() == 1)).mean()


def test_gaps_are_vertical_and_change_nothing_else():
    ink = np.ones((HEIGHT, WIDTH), np.float32)
    damaged = degrade.gaps(ink, EM, 3, default_rng(1))
    assert (damaged == damaged[0]).all()
    streaks = damaged[0] < 1
    assert 1 <= streaks.sum() <= 3 * EM / 4
    assert damaged[0][streaks].max() <= 0.3
    assert (ink == 1).all()


def test_an_unsharp_mask_makes_paper_beside_ink_lighter_and_changes_even_paper_not():
    scan = np.full((HEIGHT, WIDTH), 180, np.uint8)
    scan[:, 40:60] = 60
    sharp = degrade.sharpen(scan, 1.5, 2.0)
    assert sharp[20, 62] > 180 and sharp[20, 57] < 60
    assert (sharp[:, :20] == 180).all()


@pytest.mark.parametrize("seed", range(4))
def test_pepper_is_as_dark_as_the_ink_and_on_about_its_share_of_the_paper(seed):
    scan = np.full((100, 200), 200, np.uint8)
    scan[50:60, :100] = 20
    damaged = degrade.pepper(scan, 0.05, default_rng(seed))
    specks = (damaged == 20) & (scan == 200)
    assert specks.sum() == pytest.approx(0.05 * (scan == 200).sum(), rel=0.3)
    assert set(np.unique(damaged)) == {20, 200}
