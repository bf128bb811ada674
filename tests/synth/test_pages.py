"""Synthetic pages: every kind of page has lines, and each polygon contains one line's ink."""

import pickle

import cv2
import numpy as np
import pytest

from ocrkit.synth.fonts import find_fonts
from ocrkit.synth.pages import KINDS, POINTS, PageGenerator, Sheet

# Fonts of the locked packages only, so that the pages are the same on every machine.
FONTS = tuple(f for f in find_fonts() if f.family.startswith(("trdg ", "matplotlib ")))
EMPTY = {"blank", "pictures"}
# Kinds whose clean pages contain nothing but text.
PLAIN = ("typescript", "card")


def page(kind: str | None, index: int = 0, severity: float = 1.0) -> Sheet:
    return PageGenerator(seed=3, severity=severity, kind=kind, fonts=FONTS)(index)


def covered(sheet: Sheet, grow: int = 0) -> np.ndarray:
    """The number of polygons that contain each pixel."""
    count = np.zeros(sheet.scan.shape, np.uint8)
    for polygon in sheet.polygons:
        mask = np.zeros_like(count)
        cv2.fillPoly(mask, [polygon.round().astype(np.int32)], 1)
        count += cv2.dilate(mask, np.ones((2 * grow + 1,) * 2, np.uint8)) if grow else mask
    return count


def ink(sheet: Sheet) -> np.ndarray:
    return np.median(sheet.scan) - sheet.scan.astype(np.float32)


def box(polygon: np.ndarray) -> tuple[int, int, int, int]:
    x0, y0 = polygon.min(axis=0).round().astype(int)
    x1, y1 = polygon.max(axis=0).round().astype(int)
    return x0, y0, x1, y1


def test_a_page_depends_only_on_seed_and_index():
    generator = PageGenerator(seed=5, fonts=FONTS)
    first, other = generator(2), generator(3)
    again = pickle.loads(pickle.dumps(generator))(2)
    np.testing.assert_array_equal(first.scan, again.scan)
    np.testing.assert_array_equal(first.polygons, again.polygons)
    assert (first.texts, first.kind) == (again.texts, again.kind)
    assert first.scan.shape != other.scan.shape or (first.scan != other.scan).any()
    other_seed = PageGenerator(seed=6, fonts=FONTS)(2)
    assert first.scan.shape != other_seed.scan.shape or (first.scan != other_seed.scan).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_sheets_have_the_documented_types_and_shapes(kind, severity):
    for index in range(2):
        sheet = page(kind, index, severity)
        assert sheet.kind == kind
        assert sheet.scan.dtype == np.uint8 and sheet.scan.ndim == 2
        height, width = sheet.scan.shape
        assert 150 < height < 2600 and 250 < width < 2000
        assert len(sheet.polygons) == len(sheet.texts)
        assert bool(sheet.polygons) == (kind not in EMPTY)
        for polygon, text in zip(sheet.polygons, sheet.texts, strict=True):
            assert polygon.shape == (2 * POINTS, 2) and polygon.dtype == np.float32
            assert polygon.min() >= 0 and (polygon.max(axis=0) <= [width, height]).all()
            assert cv2.contourArea(polygon, oriented=True) > 0  # clockwise, as y points down
            assert text == " ".join(text.split()) != ""


def test_unknown_kind_error_lists_the_known_kinds():
    with pytest.raises(ValueError, match="unknown kind 'scroll'; the kinds are letter, typescript"):
        PageGenerator(kind="scroll")


@pytest.mark.parametrize("kind", PLAIN)
def test_all_ink_of_plain_pages_is_inside_a_line(kind):
    for index in range(4):
        sheet = page(kind, index, severity=0)
        dark = ink(sheet) > 40
        assert dark[covered(sheet, grow=4) > 0].sum() > 0.97 * dark.sum()


@pytest.mark.parametrize("kind", ["typescript", "book", "title", "office", "index"])
def test_polygons_fit_tightly_around_the_ink(kind):
    sheet = page(kind, 1, severity=0)
    dark = ink(sheet) > 40
    for polygon, text in zip(sheet.polygons, sheet.texts, strict=True):
        x0, y0, x1, y1 = box(polygon)
        inside = dark[y0:y1, x0:x1]
        assert inside[:, :3].any() and inside[:, -3:].any(), text
        if any(c.isalpha() for c in text):  # a line without letters is at least as high as an x
            assert inside[:4].any() and inside[-4:].any(), text


@pytest.mark.parametrize("kind", sorted(set(KINDS) - EMPTY))
def test_lines_hardly_overlap_and_have_gaps_between_them(kind):
    sheet = page(kind, 2, severity=0)
    count = covered(sheet)
    assert (count > 1).sum() < 0.12 * (count > 0).sum()
    boxes = np.array([box(p) for p in sheet.polygons])
    for x0, y0, x1, y1 in boxes:
        across = np.minimum(y1, boxes[:, 3]) - np.maximum(y0, boxes[:, 1])
        gap = np.maximum(boxes[:, 0] - x1, x0 - boxes[:, 2])
        row = (across > 0.7 * (y1 - y0)) & (gap > -1000)
        others = row & ~((boxes == [x0, y0, x1, y1]).all(axis=1))
        assert (gap[others] > 0.3 * (y1 - y0)).all()


def test_polygons_follow_the_lines_on_bent_pages():
    bent = 0
    for index in range(12):
        sheet = page("typescript", index)
        here, around = covered(sheet) > 0, covered(sheet, grow=3) > 0
        dark = ink(sheet)
        dark = dark > 0.4 * np.quantile(dark, 0.99)
        inside, beside = dark[here].mean(), dark[around & ~here].mean()
        assert inside > 1.5 * beside
        tops = np.array([p[:POINTS, 1] for p in sheet.polygons])
        bent += bool(np.abs(np.diff(tops, n=2, axis=1)).max() > 0.3)
    assert bent >= 3
