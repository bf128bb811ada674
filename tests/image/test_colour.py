from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrkit.image.colour import grey_of_colours

# Colours of the same brightness (luma).
RED, GREEN = (200, 60, 60), (40, 130, 80)


def page(ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (400, 200), paper)
    pen = ImageDraw.Draw(image)
    for y in (30, 80, 130):
        pen.text((30, y), "Received with thanks", ink, ImageFont.load_default(28))
    return image


@pytest.mark.parametrize(("ink", "paper"), [(RED, GREEN), (GREEN, RED)])
def test_ink_is_dark_on_light_paper_though_both_are_equally_bright(
    ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    image = page(ink, paper)
    drawn = (np.asarray(image) == ink).all(axis=2)
    blank = (np.asarray(image) == paper).all(axis=2)
    plain = np.asarray(image.convert("L")).astype(int)
    assert abs(plain[drawn].mean() - plain[blank].mean()) < 20
    grey = grey_of_colours(image).astype(int)
    assert grey[blank].mean() - grey[drawn].mean() > 150


@pytest.mark.parametrize("ink", [(0, 0, 0), (180, 30, 30), (30, 40, 160)])
def test_where_brightness_is_enough_it_is_taken_as_it_is(ink: tuple[int, int, int]) -> None:
    image = page(ink, (240, 230, 200))
    assert np.array_equal(grey_of_colours(image), np.asarray(image.convert("L")))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_page_without_colours_is_taken_as_it_is(mode: str) -> None:
    image = page((20, 20, 20), (250, 250, 250)).convert(mode)
    assert np.array_equal(grey_of_colours(image), np.asarray(image.convert("L")))
