from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocrkit.detection.check_boxes import without_check_boxes
from ocrkit.detection.found import Found, box_of
from ocrkit.detection.pieces import find_pieces
from ocrkit.detection.rules import Rules

SIZE = 24  # of the text, px


def form(draw: str) -> list[tuple[int, int]]:
    """The ends of the lines, after a line of text and signs was drawn and cut.

    draw: words, "[]" for an empty box, "[x]" for one that is ticked.
    """
    image = Image.new("L", (900, 120), 240)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    x = 60
    for part in draw.split():
        if part.startswith("["):
            pen.rectangle((x, 46, x + 20, 66), outline=30, width=2)
            if part == "[x]":
                pen.line((x + 3, 49, x + 17, 63), 30, 3)
            x += 20
        else:
            pen.text((x, 66), part, 20, font, anchor="ls")
            x += round(font.getlength(part))
        x += 16
    page = np.asarray(image)
    line = Found(np.array([(56.0, 42), (x, 42), (x, 74), (56, 74)]), 0)
    pieces = find_pieces(page, [line.polygon], Rules(), SIZE)
    parts = without_check_boxes([line], pieces, page)
    return [tuple(box_of(p.polygon)[[0, 2]].round().astype(int).tolist()) for p in parts]


def test_a_line_is_cut_at_its_empty_boxes() -> None:
    assert len(form("[] yes [] no [] not known")) == 3
    ((left, _),) = form("[] yes")
    assert left > 80
    ((_, right),) = form("yes []")
    assert right < 60 + round(ImageFont.load_default(SIZE).getlength("yes")) + 20


def on_page(image: Image.Image, *lines: Found) -> tuple[list[Found], list[tuple[int, int]]]:
    """The parts of the lines on a page, and their ends."""
    page = np.asarray(image)
    pieces = find_pieces(page, [line.polygon for line in lines], Rules(), SIZE)
    parts = without_check_boxes(lines, pieces, page)
    return parts, [(round(p.polygon[:, 0].min()), round(p.polygon[:, 0].max())) for p in parts]


def test_a_box_is_found_in_each_row_of_pixels() -> None:
    font = ImageFont.load_default(30)
    for top in range(40, 49):
        for width in (2, 3):
            image = Image.new("L", (500, 120), 240)
            pen = ImageDraw.Draw(image)
            pen.rectangle((60, top, 84, top + 24), outline=30, width=width)
            pen.text((100, top + 24), "known to the parish", 20, font, anchor="ls")
            polygon = np.array([(56.0, 36), (400, 36), (400, 84), (56, 84)]) * 0.8
            small = image.resize((400, 96), Image.Resampling.BOX)
            _, ((left, _),) = on_page(small, Found(polygon, 0))
            assert left > 60, (top, width)


def test_text_too_faint_for_pieces_is_kept_beside_a_box() -> None:
    image = Image.new("L", (600, 220), 240)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    for y in (120, 160, 200):
        pen.text((60, y), "black print on the same page", 0, font, anchor="ls")
    pen.rectangle((60, 46, 80, 66), outline=0, width=2)
    pen.text((100, 66), "seen by me", 190, font, anchor="ls")
    _, ((left, right),) = on_page(
        image, Found(np.array([(56.0, 42), (240, 42), (240, 74), (56, 74)]), 0)
    )
    assert 80 < left < 100
    assert right == 240


def test_a_bent_line_is_not_cut_at_the_box_of_another_line() -> None:
    image = Image.new("L", (700, 200), 240)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    pen.rectangle((300, 60, 320, 80), outline=30, width=2)  # above the middle of the bent line
    pen.text((340, 80), "yes", 20, font, anchor="ls")
    x = np.array([60.0, 180, 310, 440, 560])
    y = np.array([60.0, 75, 92, 75, 60])
    for at, down in zip(x, y, strict=True):
        pen.text((at, down + 26), "men", 20, font, anchor="ls")
    bent = np.concatenate([np.stack([x, y], 1), np.stack([x, y + 32], 1)[::-1]])
    other = np.array([(296.0, 54), (400, 54), (400, 86), (296, 86)])
    parts, ((left, right), (start, _)) = on_page(image, Found(bent, 0), Found(other, 1))
    assert (left, right) == (60, 560)
    assert parts[0].number == 0
    assert start > 320


def test_a_large_capital_stays_with_the_part_before_a_box() -> None:
    image = Image.new("L", (600, 120), 240)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(SIZE)
    for x, text in ((100, "yes"), (260, "no")):
        pen.text((x, 66), text, 20, font, anchor="ls")
    pen.rectangle((200, 46, 220, 66), outline=30, width=2)
    line = Found(
        np.array([(96.0, 42), (300, 42), (300, 74), (96, 74)]), None, (40.0, 30.0, 90.0, 110.0)
    )
    first, second = on_page(image, line)[0]
    assert (first.initial, second.initial) == (line.initial, None)


def test_an_empty_box_alone_is_no_line() -> None:
    assert form("[]") == []


def test_ticked_boxes_and_letters_stay() -> None:
    for text in ("[x] yes", "DOB O 0 D Q", "no boxes here"):
        ((left, _),) = form(text)
        assert left == 56, text
