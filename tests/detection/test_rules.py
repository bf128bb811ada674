from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrkit.detection.rules import find_rules


def drawn(*rules: tuple[int, int, int, int], text: bool = False) -> np.ndarray:
    image = Image.new("L", (600, 400), 240)
    pen = ImageDraw.Draw(image)
    for rule in rules:
        pen.line(rule, 30, 3)
    if text:
        for y in range(20, 380, 30):
            pen.text(
                (20, y), "Hill Hill million illicit words in a line", 20, ImageFont.load_default(22)
            )
    return np.asarray(image)


def test_rules_are_found_where_they_are() -> None:
    rules = find_rules(drawn((300, 40, 300, 360), (50, 200, 550, 200)), 20)
    np.testing.assert_allclose(rules.vertical, [[300, 40, 300, 360]], atol=6)
    np.testing.assert_allclose(rules.horizontal, [[50, 200, 550, 200]], atol=6)


def test_a_rule_that_leans_is_one_rule() -> None:
    rules = find_rules(drawn((300, 20, 308, 380)), 20)
    np.testing.assert_allclose(rules.vertical, [[300, 20, 308, 380]], atol=8)


def test_lines_of_text_are_no_rules() -> None:
    rules = find_rules(drawn(text=True), 22)
    assert not len(rules.vertical)
    assert not len(rules.horizontal)


@pytest.mark.parametrize("page", [np.full((1, 1), 9, np.uint8), np.full((50, 60), 255, np.uint8)])
def test_a_page_without_rules_has_none(page: np.ndarray) -> None:
    rules = find_rules(page, 20)
    assert len(rules.vertical) == len(rules.horizontal) == 0
