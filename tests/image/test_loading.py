from __future__ import annotations

import os
import socket
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ocrkit.errors import ImageError
from ocrkit.image import (
    MAX_PIXELS,
    count_pages,
    find_images,
    load_pages,
    load_scans,
    search_folders,
)

EXIF_ORIENTATION = 0x0112


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


def test_webp_is_read(tmp_path, scan) -> None:
    Image.fromarray(scan).save(tmp_path / "scan.webp", quality=95)
    assert np.abs(page(tmp_path / "scan.webp").astype(int) - scan).max() < 12
    Image.fromarray(scan).save(tmp_path / "scan.webp", lossless=True)
    assert np.array_equal(page(tmp_path / "scan.webp"), scan)


def test_of_an_animation_the_first_picture_is_read(tmp_path, scan) -> None:
    sheets = [Image.fromarray(scan), Image.fromarray(255 - scan)]
    path = tmp_path / "scan.webp"
    sheets[0].save(path, save_all=True, append_images=sheets[1:], lossless=True)
    assert np.array_equal(page(path), scan)


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


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
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
    stored = Image.fromarray(np.ascontiguousarray(as_stored))
    stored.save(path, exif=exif, quality=100, lossless=suffix == "webp")
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
    assert "not a PDF, PNG, JPEG, TIFF" in refusal(tmp_path / "text.png")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("jpg", {}),
        ("jpg", {"progressive": True}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("webp", {}),
        ("webp", {"lossless": True}),
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
    assert "the limit of 180 megapixels" in refusal(path)


def test_a_webp_that_claims_too_many_pixels_is_refused(tmp_path) -> None:
    still = tmp_path / "still.webp"
    Image.new("RGB", (8, 8)).save(still, lossless=True)
    canvas = struct.pack("<4sII", b"VP8X", 10, 2) + (16_382).to_bytes(3, "little") * 2
    box = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4)  # a frame of 8 x 8 pixels at 0, 0
    frame = box + still.read_bytes()[12:]
    chunks = canvas + struct.pack("<4sI6x", b"ANIM", 6) + struct.pack("<4sI", b"ANMF", len(frame))
    data = b"WEBP" + chunks + frame
    (tmp_path / "bomb.webp").write_bytes(b"RIFF" + struct.pack("<I", len(data)) + data)
    assert "too many pixels" in refusal(tmp_path / "bomb.webp")


def test_other_riff_files_are_no_images(tmp_path) -> None:
    (tmp_path / "sound.webp").write_bytes(b"RIFF\x10\0\0\0WAVEfmt " + bytes(8))
    assert "not a PDF, PNG, JPEG, TIFF" in refusal(tmp_path / "sound.webp")


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


# --- other kinds of files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "exact"),
    [("jp2", True), ("bmp", True), ("gif", True), ("pgm", True), ("avif", False)],
)
@pytest.mark.parametrize("name", ["scan.{}", "scan", "scan.jpg", "scan.txt"])
def test_every_kind_is_known_by_its_content(tmp_path, scan, suffix, exact, name) -> None:
    kind = Image.registered_extensions()[f".{suffix}"]
    path = tmp_path / name.format(suffix)
    Image.fromarray(scan).save(path, kind)
    assert np.abs(page(path).astype(int) - scan).max() <= (0 if exact else 12)


@pytest.mark.parametrize("kind", ["P1", "P2", "P4", "P5", "P6"])
def test_every_kind_of_pnm_is_read(tmp_path, kind) -> None:
    head = f"{kind}\n# a comment\n4 2\n" + ("" if kind in ("P1", "P4") else "255\n")
    body = {
        "P1": b"1 1 0 0\n1 1 0 0\n",
        "P2": b"0 0 255 255\n0 0 255 255\n",
        "P4": b"\xc0\xc0",
        "P5": b"\0\0\xff\xff" * 2,
        "P6": (b"\0" * 6 + b"\xff" * 6) * 2,
    }[kind]
    (tmp_path / "scan").write_bytes(head.encode() + body)
    assert page(tmp_path / "scan").tolist() == [[0, 0, 255, 255]] * 2


@pytest.mark.parametrize("text", ["BM, 14 March", "P1 is a road", "P5\nNo. 4\n", "GIF89 is old"])
def test_a_text_that_begins_like_an_image_is_none(tmp_path, text) -> None:
    (tmp_path / "a").write_text(text)
    assert "the content is not a PDF, PNG" in refusal(tmp_path / "a")
    assert find_images([tmp_path]) == []


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["tif", "png", "pgm"])
def test_values_of_10_to_14_bits_in_16_are_not_taken_for_black(tmp_path, bits, suffix) -> None:
    if suffix == "pgm" and bits < 16:
        pytest.skip("PGM says its largest value")
    white = 2**bits - 1
    deep = np.array([[0, white // 2, white]] * 2, np.uint16)
    Image.fromarray(deep).save(tmp_path / f"scan.{suffix}")
    assert page(tmp_path / f"scan.{suffix}")[0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("ink", [0, 40, 210, 255])
def test_ink_on_nothing_is_dark_on_white_whatever_its_colour(tmp_path, ink) -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[20:40, 10:50] = (ink, ink, ink, 255)
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    read = page(tmp_path / "scan.png")
    assert read[0, 0] == 255
    assert read[30, 30] < 60


def test_paper_with_a_transparent_edge_stays_paper(tmp_path) -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[5:55, 5:55] = (235, 230, 220, 255)
    pixels[20:40, 20:25] = (30, 30, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    read = page(tmp_path / "scan.png")
    assert (read[0, 0], read[10, 10] > 220, read[30, 22]) == (255, True, 30)


def swapped_profile() -> bytes:
    """A profile of RGB whose red is shown as blue, and whose blue as red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = bytearray(srgb.replace(b"rXYZ", b"tmp1").replace(b"bXYZ", b"rXYZ"))
    data = data.replace(b"tmp1", b"bXYZ").replace(b"sRGB", b"self").replace(b"s\0R\0G\0B", b"s" * 7)
    return bytes(data.replace(b"R\0G\0B", b"X\0X\0X"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_a_colour_profile_is_respected(tmp_path, suffix) -> None:
    image = Image.new("RGB", (32, 32), (255, 0, 0))
    image.save(tmp_path / f"a.{suffix}", lossless=True, quality=100)
    image.save(tmp_path / f"b.{suffix}", lossless=True, quality=100, icc_profile=swapped_profile())
    assert page(tmp_path / f"a.{suffix}")[9, 9] == pytest.approx(76, abs=3)  # red
    assert page(tmp_path / f"b.{suffix}")[9, 9] == pytest.approx(29, abs=3)  # blue


@pytest.mark.parametrize("profile", [b"nonsense", b"", swapped_profile()[:200]])
def test_a_colour_profile_that_makes_no_sense_is_passed_over(tmp_path, scan, profile) -> None:
    Image.fromarray(scan).convert("RGB").save(tmp_path / "scan.png", icc_profile=profile)
    assert np.array_equal(page(tmp_path / "scan.png"), scan)


# --- resolution ----------------------------------------------------------------------------------


def dpi(path: Path) -> float | None:
    (only,) = load_scans(path)
    return only.dpi


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_the_resolution_is_known_if_the_file_says_it(tmp_path, scan, suffix) -> None:
    Image.fromarray(scan).save(tmp_path / f"scan.{suffix}", dpi=(200, 200))
    assert dpi(tmp_path / f"scan.{suffix}") == pytest.approx(200, abs=0.1)
    Image.fromarray(scan).save(tmp_path / f"none.{suffix}")
    # BMP always has one; Pillow writes 96.
    assert dpi(tmp_path / f"none.{suffix}") == (96.01 if suffix == "bmp" else None)


@pytest.mark.parametrize("stated", [1, 9999])
def test_a_resolution_that_cannot_be_is_not_believed(tmp_path, scan, stated) -> None:
    Image.fromarray(scan).save(tmp_path / "scan.png", dpi=(stated, stated))
    assert dpi(tmp_path / "scan.png") is None


def test_of_a_page_that_was_turned_the_resolution_is_turned_too(tmp_path, scan) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.fromarray(scan).save(tmp_path / "scan.tif", dpi=(204, 98), exif=exif)
    assert dpi(tmp_path / "scan.tif") == 98


def test_a_photograph_without_a_resolution_has_none(tmp_path, scan) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(scan).save(tmp_path / "scan.jpg", exif=exif)  # for which Pillow says 72 dpi
    assert dpi(tmp_path / "scan.jpg") is None


def test_pages_are_counted_without_being_decoded(tmp_path, scan, monkeypatch) -> None:
    sheets = [Image.fromarray(scan)] * 3
    sheets[0].save(tmp_path / "a.tif", save_all=True, append_images=sheets[1:])
    Image.fromarray(scan).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert count_pages(tmp_path / "a.tif") == 3
    assert count_pages(tmp_path / "a.png") == 1


# --- folders, and what is no file ----------------------------------------------------------------


def test_images_of_any_suffix_are_found_and_the_other_files_listed(tmp_path, scan) -> None:
    for name in ("a.png", "b", "c.dat"):
        Image.fromarray(scan).save(tmp_path / name, "png")
    for name in ("broken.tif", "notes.txt", "empty"):
        (tmp_path / name).write_bytes(b"" if name == "empty" else b"text")
    (tmp_path / ".hidden.png").touch()
    found = search_folders([tmp_path])
    assert [path.name for path in found.images] == ["a.png", "b", "broken.tif", "c.dat"]
    assert [path.name for path in found.others] == ["empty", "notes.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only on POSIX")
def test_pipes_sockets_devices_and_circles_of_links_are_one_line_and_no_hang(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.png"))
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert refusal(tmp_path / "pipe.png") == "is a named pipe (FIFO), not a file"
    assert refusal(tmp_path / "socket.png") == "is a socket, not a file"
    assert refusal(Path("/dev/null")) == "is a device, not a file"
    assert "symbolic links" in refusal(tmp_path / "a.png")
    found = search_folders([tmp_path])
    assert [path.name for path in found.images] == ["a.png", "b.png", "pipe.png", "socket.png"]
    assert [path.name for path in found.others] == ["pipe"]
    with pytest.raises(ImageError, match="symbolic links"):
        find_images([tmp_path / "a.png"])


def tiff(path: Path, *heights: int) -> Path:
    pages = [Image.effect_noise((200, height), 50) for height in heights]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def test_pages_before_the_first_that_is_wanted_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiff(tmp_path / "a.tif", 50, 60, 70)
    decoded = []
    pictures = sys.modules["ocrkit.image.pictures"]
    load = pictures.load
    monkeypatch.setattr(
        pictures, "load", lambda image: (decoded.append(image.size[1]), load(image))
    )
    scans = list(load_scans(path, first=2))
    assert [(scan.number, scan.pixels.shape[0]) for scan in scans] == [(2, 60), (3, 70)]
    assert decoded == [60, 70]
    assert list(load_scans(path, first=4)) == []


def test_pages_are_counted_by_their_headers(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", 50, 60, 70)
    assert count_pages(path) == 3
    whole = path.read_bytes()
    for size in range(12_000, len(whole), 500):
        path.write_bytes(whole[:size])
        readable = 0
        with pytest.raises(ImageError):
            for _ in load_scans(path):
                readable += 1
        # The first page that cannot be read is counted, so that somebody reads why.
        assert readable < count_pages(path) <= 3
