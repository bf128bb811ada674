from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from ocrkit.errors import ImageError
from ocrkit.image import (
    MAX_PIXELS,
    Preprocessing,
    crop_polygon,
    find_images,
    fit,
    fitted_width,
    load_pages,
    magnified,
    tighten,
)

PREP = Preprocessing(trim=False)
EXIF_ORIENTATION = 0x0112


@pytest.fixture
def scan() -> np.ndarray:
    """A grey picture (20, 30) that looks different whichever way it is turned."""
    return np.add.outer(np.arange(20) * 2, np.arange(30) * 7).astype(np.uint8)


def page(path: Path) -> np.ndarray:
    (only,) = load_pages(path)
    assert only.dtype == np.uint8
    assert only.ndim == 2
    return only


def png_header(path: Path, width: int, height: int) -> Path:
    """The start of a grey PNG of any size, with hardly any pixels behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))
    return path


# --- every kind of pixel ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "TIF"])
def test_grey_is_read_as_it_is(tmp_path, scan, suffix) -> None:
    Image.fromarray(scan).save(tmp_path / f"scan.{suffix}")
    assert np.array_equal(page(tmp_path / f"scan.{suffix}"), scan)


def test_jpeg_is_read(tmp_path, scan) -> None:
    Image.fromarray(scan).save(tmp_path / "scan.jpg", quality=95)
    assert np.abs(page(tmp_path / "scan.jpg").astype(int) - scan).max() < 8


def test_the_contents_count_and_not_the_suffix(tmp_path, scan) -> None:
    Image.fromarray(scan).save(tmp_path / "scan.jpg", format="png")
    assert np.array_equal(page(tmp_path / "scan.jpg"), scan)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "I;16", "1"])
def test_black_white_and_grey_mean_the_same_in_every_mode(tmp_path, mode, suffix) -> None:
    if (mode, suffix) == ("CMYK", "png"):
        pytest.skip("PNG has no CMYK")
    levels = np.repeat(np.array([[0, 255, 0, 255, 128]], np.uint8), 4, axis=0)
    if mode == "1":
        levels[levels == 128] = 255
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(levels).convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE)
    assert image.mode == mode
    image.save(tmp_path / f"scan.{suffix}")
    assert np.abs(page(tmp_path / f"scan.{suffix}").astype(int) - levels).max() <= 1


def test_cmyk_jpeg_is_read_with_white_as_white(tmp_path) -> None:
    ink = np.zeros((16, 32, 4), np.uint8)
    ink[:, :16, 3] = 255
    Image.fromarray(ink, "CMYK").save(tmp_path / "scan.jpg", quality=95)
    read = page(tmp_path / "scan.jpg")
    assert read[:, :12].max() < 20
    assert read[:, 20:].min() > 235


def test_colours_weigh_as_the_eye_sees_them(tmp_path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]] * 2, np.uint8)
    Image.fromarray(colours).save(tmp_path / "scan.png")
    assert page(tmp_path / "scan.png")[0].tolist() == [76, 150, 29]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path, mode) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[:, :, 3] = [0, 128, 255]
    Image.fromarray(pixels).convert(mode).save(tmp_path / "scan.png")
    assert page(tmp_path / "scan.png")[0].tolist() == [255, 127, 0]


def test_a_transparent_palette_colour_is_laid_over_white(tmp_path) -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 90, 90, 90])
    image.putpixel((0, 0), 1)
    image.save(tmp_path / "scan.png", transparency=0)
    read = page(tmp_path / "scan.png")
    assert (read[0, 0], read[3, 3]) == (90, 255)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_a_transparent_colour_does_not_stop_a_picture_from_being_read(tmp_path, mode) -> None:
    clear = (0, 0, 0) if mode == "RGB" else 0
    Image.new(mode, (4, 4), clear).save(tmp_path / "scan.png", transparency=clear)
    assert page(tmp_path / "scan.png").shape == (4, 4)


def test_sixteen_bits_of_either_byte_order_are_read(tmp_path) -> None:
    deep = np.array([[0, 257, 32_768, 65_535]] * 2, np.uint16)
    Image.fromarray(deep).save(tmp_path / "little.tif")
    Image.frombytes("I;16B", (4, 2), deep.astype(">u2").tobytes()).save(tmp_path / "big.tif")
    for name in ("little.tif", "big.tif"):
        assert page(tmp_path / name)[0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("depth", ["1", "I;16"])
def test_tiffs_where_white_is_zero_are_read(tmp_path, depth) -> None:
    white, black = Image.new(depth, (9, 4), 0), Image.new(depth, (9, 4), 65_535)
    white.save(tmp_path / "white.tif", tiffinfo={262: 0})
    black.save(tmp_path / "black.tif", tiffinfo={262: 0})
    if depth == "1":  # here Pillow turns the pixels over when it writes them
        white, black = black, white
    assert {page(tmp_path / f"{n}.tif").mean() for n in ("white", "black")} == {0, 255}


def test_pixels_of_32_bits_are_stretched_from_the_darkest_to_the_lightest(tmp_path) -> None:
    Image.fromarray(np.array([[-1.0, 0, 1]] * 2, np.float32)).save(tmp_path / "scan.tif")
    assert page(tmp_path / "scan.tif")[0].tolist() == [0, 128, 255]
    Image.new("F", (4, 4), 0.5).save(tmp_path / "even.tif")
    assert np.ptp(page(tmp_path / "even.tif")) == 0


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path, scan, suffix, orientation) -> None:
    as_stored = {
        1: scan,
        2: scan[:, ::-1],
        3: scan[::-1, ::-1],
        4: scan[::-1],
        5: scan.T,
        6: np.rot90(scan),  # to be turned clockwise
        7: scan[::-1, ::-1].T,
        8: np.rot90(scan, -1),
    }[orientation]
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(np.ascontiguousarray(as_stored)).save(path, exif=exif, quality=100)
    read = page(path)
    assert read.shape == scan.shape
    assert np.abs(read.astype(int) - scan).max() <= (4 if suffix == "jpg" else 0)


@pytest.mark.parametrize(
    "exif",
    [
        b"nonsense",
        b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, EXIF_ORIENTATION, 2, 3, b"up\0", 0),
        b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, EXIF_ORIENTATION, 3, 1, 99, 0, 0),
    ],
)
def test_an_exif_orientation_that_makes_no_sense_is_passed_over(tmp_path, scan, exif) -> None:
    Image.fromarray(scan).save(tmp_path / "scan.png", exif=b"Exif\0\0" + exif)
    assert np.array_equal(page(tmp_path / "scan.png"), scan)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_every_page_of_a_tiff_is_read_in_order(tmp_path, compression) -> None:
    sheets = [Image.new("L", (10 + i, 5), 40 * i) for i in range(3)]
    sheets.append(Image.new("1", (20, 5), 1))
    path = tmp_path / "letter.tif"
    sheets[0].save(path, save_all=True, append_images=sheets[1:], compression=compression)
    read = list(load_pages(path))
    assert [sheet.shape for sheet in read] == [(5, 10), (5, 11), (5, 12), (5, 20)]
    assert [sheet[0, 0] for sheet in read] == [0, 40, 80, 255]


def test_reduced_copies_within_a_tiff_are_no_pages(tmp_path, scan) -> None:
    full, copy = Image.fromarray(scan), Image.fromarray(scan[::2, ::2].copy())
    copy.encoderinfo = {"tiffinfo": {254: 1}}
    full.save(tmp_path / "scan.tif", save_all=True, append_images=[copy, full])
    assert [sheet.shape for sheet in load_pages(tmp_path / "scan.tif")] == [(20, 30)] * 2


# --- what cannot be read ------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as refused:
        list(load_pages(path))
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_what_is_no_image_is_refused_with_the_reason(tmp_path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("Dear Sir,")
    assert refusal(tmp_path / "none.png") == "No such file or directory"
    assert refusal(tmp_path) == "Is a directory"
    assert refusal(tmp_path / "empty.png") == "the file is empty"
    assert "not a PNG, JPEG or TIFF image" in refusal(tmp_path / "text.png")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("jpg", {}),
        ("jpg", {"progressive": True}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on a TIFF's tags cut short
def test_a_truncated_image_is_refused_and_never_half_read(tmp_path, suffix, options) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    path = tmp_path / f"scan.{suffix}"
    Image.fromarray(noise).save(path, **options)
    whole, data = page(path), path.read_bytes()
    lengths = {*np.linspace(8, len(data) - 1, 50, dtype=int), *range(len(data) - 30, len(data))}
    for length in sorted(lengths):
        path.write_bytes(data[:length])
        try:
            read = page(path)
        except ImageError as refused:
            assert str(refused).startswith(f"{path}: ")
        else:  # what is missing came after the last pixel
            assert length > len(data) - 30
            assert np.array_equal(read, whole)


def test_pages_before_a_damaged_one_are_read(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    first, second = Image.fromarray(noise), Image.fromarray(noise[::-1].copy())
    path = tmp_path / "letter.tif"
    first.save(path, save_all=True, append_images=[second])
    path.write_bytes(path.read_bytes()[:-50])
    pages = load_pages(path)
    assert np.array_equal(next(pages), noise)
    with pytest.raises(ImageError, match=r"letter\.tif: damaged or cut short"):
        next(pages)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (9, 1), (0, 0), (0, 9), (9, 0)])
def test_an_image_without_room_for_text_is_refused(tmp_path, width, height) -> None:
    reason = f"{width} x {height} pixels are too few" if width * height else "has no pixels"
    assert reason in refusal(png_header(tmp_path / "small.png", width, height))


@pytest.mark.parametrize("size", [(18_001, 10_000), (2**31 - 1, 2**31 - 1), (180_000_001, 1)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch, size) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    path = png_header(tmp_path / "bomb.png", *size)
    assert "more than the 180 megapixels" in refusal(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_up_to_the_limit_pages_are_read_with_pillows_own_limit_left_alone(tmp_path, suffix) -> None:
    pillows_limit = Image.MAX_IMAGE_PIXELS
    assert pillows_limit is not None
    assert 2 * pillows_limit < MAX_PIXELS  # where Pillow itself would refuse
    options = {"compression": "group4"} if suffix == "tif" else {}
    Image.new("1", (12_000, 15_000), 1).save(tmp_path / f"large.{suffix}", **options)
    assert page(tmp_path / f"large.{suffix}").shape == (15_000, 12_000)
    assert pillows_limit == Image.MAX_IMAGE_PIXELS


# --- finding files ------------------------------------------------------------------------------


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folders_images_are_found_to_its_depth_in_order(tmp_path) -> None:
    images = [tmp_path / name for name in ("a.TIF", "b/1.png", "b/c/2.jpeg", "z.jpg")]
    touch(*images, tmp_path / "notes.txt", tmp_path / "._a.tif", tmp_path / ".trash/x.png")
    assert find_images([tmp_path]) == images


def test_named_files_are_taken_whatever_their_suffix_and_each_once(tmp_path) -> None:
    named, image = tmp_path / "scan.dat", tmp_path / "a.png"
    touch(named, image)
    assert find_images([str(named), image, tmp_path, named]) == [named, image]
    assert find_images([]) == []


def test_a_missing_path_is_refused_by_name(tmp_path) -> None:
    with pytest.raises(ImageError, match=r"nowhere: no such file or folder$"):
        find_images([tmp_path, tmp_path / "nowhere"])


@pytest.fixture
def locked(tmp_path, monkeypatch) -> Path:
    """A folder that cannot be searched, even where the tests run as root."""
    folder = tmp_path / "scans" / "locked"
    touch(folder / "a.png", tmp_path / "scans" / "b.png")
    scandir = os.scandir

    def guarded(path):
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    return folder


def test_an_unreadable_folder_is_refused_by_name(locked) -> None:
    with pytest.raises(ImageError, match="locked: the folder cannot be read: Permission denied$"):
        find_images([locked])


def test_an_unreadable_folder_further_down_is_found_so_that_reading_reports_it(locked) -> None:
    assert find_images([locked.parent]) == [locked.parent / "b.png", locked]
    assert refusal(locked)


# --- cropping -----------------------------------------------------------------------------------


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


# --- the model's input --------------------------------------------------------------------------


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


@pytest.mark.parametrize("shape", [(2, 2), (9, 1), (64, 200), (1, 9)])
def test_a_closer_look_has_fewer_rows_and_more_columns(shape) -> None:
    height, width = shape
    rows = round(0.06 * height)
    assert magnified(np.zeros(shape, np.uint8), 0.06, 1.25).shape == (
        height - 2 * rows,
        max(1, round(1.25 * width)),
    )


@pytest.mark.parametrize(
    "wrong", [{"normalize": "none"}, {"height": 0}, {"bucket": 0}, {"max_width": 4}]
)
def test_preprocessing_that_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="must be|choose"):
        Preprocessing(**wrong)
