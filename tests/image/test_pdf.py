"""PDF in: scans pixel by pixel, other pages drawn, and the text that is there already."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from fpdf import FPDF
from PIL import Image

from ocrkit import read_document
from ocrkit.errors import ImageError
from ocrkit.image import Scan, count_pages, load_pages, load_scans


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (height, width), np.uint8) * 255


def pdf_of(path: Path, *pages: np.ndarray | str, points: float = 200) -> Path:
    """A PDF with a page for each array (a scan, `points` wide) or text (A4)."""
    made = FPDF(unit="pt")
    for page in pages:
        if isinstance(page, str):
            made.add_page(format="A4")
            made.set_font("Helvetica", size=12)
            made.text(72, 100, page)
        else:
            size = points, points * page.shape[0] / page.shape[1]
            made.add_page(format=size)
            made.image(Image.fromarray(page), 0, 0, *size)
    made.output(path)
    return path


def scans(path: Path, *options: object) -> list[Scan]:
    return list(load_scans(path, *options))  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(40, 60), (777, 333), (1001, 1237)])
@pytest.mark.parametrize("points", [100, 213.37])
def test_a_scan_has_the_pixels_that_are_in_the_pdf(tmp_path, size, turn, points) -> None:
    pixels = noise(*size)
    path = pdf_of(tmp_path / "a.pdf", pixels, points=points)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].Rotate = turn
        pdf.save()
    (scan,) = scans(path)
    assert np.array_equal(scan.pixels, np.rot90(pixels, -turn // 90))
    if size[1] / points * 72 > 30:
        assert scan.dpi == pytest.approx(size[1] / points * 72, rel=0.01)
    assert scan.lines is None


def test_a_scan_within_a_form_has_its_pixels_too(tmp_path) -> None:
    pixels = noise(400, 300)
    inner = pdf_of(tmp_path / "inner.pdf", pixels, points=100)
    with pikepdf.open(inner) as scanned, pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(150, 200))
        pdf.pages[0].add_overlay(scanned.pages[0], pikepdf.Rectangle(0, 0, 150, 200), expand=True)
        pdf.save(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert scan.dpi == pytest.approx(144)
    assert np.array_equal(scan.pixels, pixels)


def test_a_page_that_is_no_scan_is_drawn_at_300_dpi(tmp_path) -> None:
    (scan,) = scans(pdf_of(tmp_path / "a.pdf", "Anno 1726"), "redo")
    assert scan.pixels.shape == (3508, 2481)
    assert scan.dpi == 300
    assert scan.pixels.min() < 50
    assert scan.pixels[0, 0] == 255


def test_a_scan_with_different_resolutions_gets_square_pixels(tmp_path) -> None:
    made = FPDF(unit="pt")
    made.add_page(format=(200, 200))
    made.image(Image.fromarray(noise(100, 200)), 0, 0, 200, 200)  # a fax
    made.output(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert scan.pixels.shape == (200, 200)


# --- pages that have text


def test_the_text_of_a_page_is_kept_with_its_places(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", "Anno 1726, «à Paris»", noise(50, 90))
    first, second = scans(path)
    assert second.lines is None
    assert first.lines is not None
    (line,) = first.lines
    assert line.text == "Anno 1726, «à Paris»"
    assert [word.text for word in line.words] == ["Anno", "1726,", "«à", "Paris»"]
    assert line.confidence == 1
    # From 1 inch from the left; the baseline is 100 points from the top.
    assert line.box.x0 == pytest.approx(300, abs=5)
    assert line.box.y0 < 100 / 72 * 300 < line.box.y1
    ink = np.argwhere(first.pixels < 128)
    assert line.box.x0 - 5 <= ink[:, 1].min() < line.box.x0 + 10
    assert line.box.y0 <= ink[:, 0].min() < ink[:, 0].max() <= line.box.y1


def test_pages_with_text_can_be_read_again_or_skipped(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", noise(50, 90), "printed", noise(50, 90))
    assert [(scan.number, scan.lines is None) for scan in scans(path, "redo")] == [
        (1, True),
        (2, True),
        (3, True),
    ]
    assert [scan.number for scan in scans(path, "skip")] == [1, 3]
    assert [scan.lines is None for scan in scans(path, "keep")] == [True, False, True]
    assert len(list(load_pages(path))) == count_pages(path) == 3


def test_pages_can_be_loaded_from_any_number_on(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", *(noise(40, 60 + i) for i in range(4)))
    assert [scan.number for scan in scans(path, "keep", 3)] == [3, 4]


@pytest.mark.parametrize(("hidden", "lines"), [(True, ["typed below"]), (False, None)])
def test_a_stamp_over_a_scan_is_no_text_of_its_own_but_a_hidden_layer_is(
    tmp_path, hidden, lines
) -> None:
    made = FPDF(unit="pt")
    made.add_page(format=(200, 100))
    made.set_font("Helvetica", size=9)
    made.image(Image.fromarray(noise(100, 200)), 0, 0, 200, 100)
    with made.local_context(text_mode="INVISIBLE" if hidden else "FILL"):
        made.text(10, 20, "typed below")
    made.output(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert (scan.lines and [line.text for line in scan.lines]) == lines


def test_long_text_over_a_picture_is_the_text_of_the_page(tmp_path) -> None:
    made = FPDF(unit="pt")
    made.add_page(format=(400, 400))
    made.set_font("Helvetica", size=9)
    made.image(Image.fromarray(noise(100, 100)), 0, 0, 400, 400)
    for row in range(12):
        made.text(10, 20 + 12 * row, f"row {row} of a page with a picture behind it")
    made.output(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert scan.lines is not None
    assert len(scan.lines) == 12


def test_a_page_with_no_more_than_spaces_is_read(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", "  ", "text")
    assert [scan.lines is None for scan in scans(path)] == [True, False]
    assert [scan.number for scan in scans(path, "skip")] == [1]


def test_text_that_the_scan_covers_is_kept(tmp_path) -> None:
    made = FPDF(unit="pt")
    made.add_page(format=(200, 100))
    made.set_font("Helvetica", size=9)
    made.text(10, 20, "typed below")
    made.image(Image.fromarray(noise(100, 200)), 0, 0, 200, 100)
    made.output(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert scan.lines and scan.lines[0].text == "typed below"


def test_a_document_says_what_was_kept_and_at_what_resolution(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", "printed", np.full((50, 90), 255, np.uint8))
    document = read_document(path)
    assert [(page.number, page.text, page.dpi) for page in document.pages] == [
        (1, "printed", 300),
        (2, "", 32.4),
    ]
    skipped = read_document(path, pages_with_text="skip")
    assert [page.number for page in skipped.pages] == [2]


# --- what cannot be read


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as refused:
        scans(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_an_encrypted_pdf_is_one_line_and_one_without_a_password_is_read(tmp_path) -> None:
    plain = pdf_of(tmp_path / "a.pdf", noise(50, 90))
    with pikepdf.open(plain) as pdf:
        pdf.save(tmp_path / "b.pdf", encryption=pikepdf.Encryption(owner="o", user="u"))
        pdf.save(tmp_path / "c.pdf", encryption=pikepdf.Encryption(owner="o", user=""))
    assert "encrypted; open it with its password" in refusal(tmp_path / "b.pdf")
    assert len(scans(tmp_path / "c.pdf")) == 1


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj"])
def test_a_broken_pdf_is_one_line(tmp_path, data) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    assert "the PDF is damaged" in refusal(tmp_path / "a.pdf")


def test_a_bomb_in_a_pdf_is_refused_before_it_is_decoded(tmp_path) -> None:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(200, 200))
    image = pdf.make_stream(b"\0" * 99)
    image.update(
        pikepdf.Dictionary(
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=100_000,
            Height=100_000,
            BitsPerComponent=1,
            ColorSpace=pikepdf.Name.DeviceGray,
        )
    )
    pdf.pages[0].Contents = pdf.make_stream(b"q 200 0 0 200 0 0 cm /I Do Q")
    pdf.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=image))
    pdf.save(tmp_path / "a.pdf")
    assert "page 1: 100000 x 100000 pixels are more than the limit" in refusal(tmp_path / "a.pdf")


def test_a_page_of_any_size_fits_into_the_limit(tmp_path) -> None:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(14_400, 14_400))  # 200 inches
    pdf.save(tmp_path / "a.pdf")
    (scan,) = scans(tmp_path / "a.pdf")
    assert scan.pixels.size <= 180_000_000
    assert scan.dpi is not None and 60 < scan.dpi < 70


def test_several_threads_may_load_pdfs_at_once(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", *(noise(200, 300, seed) for seed in range(6)))
    wanted = [scan.pixels for scan in scans(path)]
    wrong: list[int] = []

    def load() -> None:
        for scan, pixels in zip(scans(path), wanted, strict=True):
            if not np.array_equal(scan.pixels, pixels):
                wrong.append(scan.number)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_pdf_may_begin_after_other_bytes(tmp_path) -> None:
    path = pdf_of(tmp_path / "a", noise(50, 90))
    path.write_bytes(b"\r\n" * 20 + path.read_bytes())
    assert len(scans(path)) == 1


def test_a_name_that_is_not_utf_8_is_no_matter(tmp_path) -> None:
    path = pdf_of(tmp_path / "a.pdf", noise(50, 90))
    data = BytesIO(path.read_bytes())
    odd = Path(str(tmp_path) + "/m\udce9.pdf")
    odd.write_bytes(data.getvalue())
    assert len(scans(odd)) == 1
