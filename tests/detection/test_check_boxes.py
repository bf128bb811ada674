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


def test_an_empty_box_alone_is_no_line() -> None:
    assert form("[]") == []


def test_ticked_boxes_and_letters_stay() -> None:
    for text in ("[x] yes", "DOB O 0 D Q", "no boxes here"):
        ((left, _),) = form(text)
        assert left == 56, text
