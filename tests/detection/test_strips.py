"""White text on black strips, as the detector sees it."""

from __future__ import annotations

import cv2
import numpy as np

from ocrkit.detection.strips import dark_on_light


def written(background: float, letters: float, width: int = 300, height: int = 40) -> np.ndarray:
    """The ink of a strip with a line of text."""
    strip = np.zeros((height, width), np.uint8)
    cv2.putText(strip, "Dry goods, 1847", (12, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    return (background + (letters - background) * (strip / 255)).astype(np.float32)


def page(*parts: tuple[int, np.ndarray]) -> np.ndarray:
    """A page, 300 x 400, with parts at some heights."""
    ink = np.zeros((300, 400), np.float32)
    for y, part in parts:
        ink[y : y + part.shape[0], 50 : 50 + part.shape[1]] = part
    return ink


def test_white_letters_on_black_become_black_on_white() -> None:
    black_on_white, white_on_black = written(0.0, 1.0), written(1.0, 0.0)
    ink = page((40, black_on_white), (150, white_on_black))
    seen = dark_on_light(ink)
    np.testing.assert_array_equal(seen[:150], ink[:150])
    np.testing.assert_allclose(seen[155:185, 55:345], black_on_white[5:35, 5:295], atol=0.01)


def test_a_strip_with_few_letters_is_turned_as_well() -> None:
    few = np.zeros((40, 300), np.uint8)
    cv2.putText(few, "No. 1", (12, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    ink = page((150, (1 - few / 255).astype(np.float32)))
    assert dark_on_light(ink)[155:185, 55:345].mean() < 0.1


def test_a_skewed_strip_is_turned_as_well() -> None:
    ink = page((150, written(1.0, 0.0)))
    turn = cv2.getRotationMatrix2D((200, 150), 4, 1)
    seen = dark_on_light(cv2.warpAffine(ink, turn, (400, 300)))
    straight = cv2.warpAffine(seen, cv2.invertAffineTransform(turn), (400, 300))
    assert straight[155:185, 60:340].mean() < 0.3


def test_other_dark_parts_are_as_they_were() -> None:
    photograph = np.random.default_rng(0).uniform(0.4, 1.0, (90, 200)).astype(np.float32)
    shadow = written(0.65, 1.0)
    rule = np.ones((30, 300), np.float32)
    headline = np.zeros((80, 300), np.uint8)
    cv2.putText(headline, "TIMES", (5, 70), cv2.FONT_HERSHEY_SIMPLEX, 2.6, 255, 18)
    bold = np.zeros((24, 300), np.float32)  # figures 0 that nearly touch
    for x in range(0, 280, 28):
        bold[:, x : x + 23], bold[8:16, x + 9 : x + 14] = 1, 0
    for part in (photograph, shadow, rule, (headline / 255).astype(np.float32), bold):
        ink = page((120, part))
        np.testing.assert_array_equal(dark_on_light(ink), ink)
