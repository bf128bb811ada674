"""The review in JupyterLab in a real browser: by keyboard alone, and outlines with the mouse.

To make the picture for the README:
OCRKIT_SCREENSHOT=data/review.png python -m pytest tests/browser/test_review.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocrkit import load_document
from tests.browser.lab import NEEDS_CHROMIUM, Lab, open_notebook, run_all_cells, serve
from tests.notebook.scans import read_page

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NOTEBOOK = "review.ipynb"
CODE = "from ocrkit.notebook.review import Review\nReview('../read')"
# What the lines of two pages say, and what was read; the confidences rise from line to line.
LINES = (
    ("Es geſchah im Jahre 1848,", "Es gefchah im Iahre 1848,"),
    ("daß der Fluß über die Ufer trat", "das der Flus uber die Ufer trat"),
    ("und die Mühle mit ſich riß.", "und die Muhle mit ſich rik."),
    ("Die Müllerin aber ſaß", "Die Müllerin aber faß"),
    ("auf dem Dache und ſang", "auf dem Dache und fang"),
    ("ein altes Lied von der See.", "ein altcs Lied von der Sce."),
    ("Man hörte ſie bis Köln.", "Man hörte fie bis Koln."),
    ("Das Waſſer ſtieg drei Tage,", "Das Waffer ftieg drei Tage,"),
    ("es kam kein Boot,", "es kam kein Boat,"),
    ("und niemand wußte Rat.", "und niemand wuhte Rat."),
    ("Le dîner fut ſervi à ſept", "Le diner fut fervi à fept"),
    ("heures, et l'on but à la", "heures, et l'on but a la"),
    ("ſanté du Roi. Un œuf", "fanté du Roi. Un ceuf"),
    ("coûtait alors deux ſols;", "coutait alors deux fols;"),
    ("la livre de pain, trois.", "la livre de pain, trais."),
    ("Le 12 mai, il fit 25° à", "Le 12 mai, il fit 25o à"),
    ("l'ombre, & les blés", "l'ombre, & les bles"),
    ("étaient déjà mûrs.", "étaient deja murs."),
    ("On n'avait jamais vu", "On n'avait jarnais vu"),
    ("pareil été.", "pareil eté."),
)

pytestmark = NEEDS_CHROMIUM


def write_pages(folder: Path) -> None:
    rows = [(*pair, 0.85 + i / 200) for i, pair in enumerate(LINES)]
    read_page(folder, "chronicle", rows[:10])
    read_page(folder, "journal", rows[10:])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A notebook with the widget, and two pages that were read with errors."""
    import nbformat

    folder = tmp_path_factory.mktemp("review")
    cell = nbformat.v4.new_code_cell(CODE)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / "notebooks" / NOTEBOOK)
    with serve(folder, NOTEBOOK) as lab:
        yield lab


def opened(page: Page, done: int) -> tuple[Locator, Locator]:
    """Run the notebook; the widget, and its text field with the cursor in it."""
    from playwright.sync_api import expect

    run_all_cells(page)
    widget = page.locator(".ocrkit-review")
    expect(widget.get_by_role("status")).to_contain_text(f"{done} of {len(LINES)} lines done")
    field = widget.get_by_label("What the line says")
    field.focus()
    return widget, field


def key_of_long_s(widget: Locator) -> str:
    """The key of ſ, one of the first letters of the row; no keyboard has it."""
    letters = [button.get_attribute("title") for button in widget.locator(".ocrkit-letter").all()]
    assert letters.index("ſ") < 9
    return f"Alt+{letters.index('ſ') + 1}"


def type_over(page: Page, field: Locator, text: str, long_s: str) -> None:
    """Write a text in the place of the reading."""
    page.keyboard.press("Control+A")
    for i, part in enumerate(text.split("ſ")):
        if i:
            page.keyboard.press(long_s)
        page.keyboard.type(part)
    assert field.input_value() == text


def saved(folder: Path) -> list[str | None]:
    pages = [load_document(folder / f"{name}.json").pages[0] for name in ("chronicle", "journal")]
    return [line.correction for page in pages for line in page.lines]


def test_twenty_lines_are_corrected_by_keyboard_with_a_pause(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    write_pages(lab.folder / "read")
    truths = [truth for truth, _ in LINES]
    with open_notebook(lab, tmp_path) as page:
        widget, field = opened(page, done=0)
        long_s = key_of_long_s(widget)
        for done, (truth, reading) in enumerate(LINES[:12], start=1):
            expect(field).to_have_value(reading)
            type_over(page, field, truth, long_s)
            if done == 3 and (picture := os.environ.get("OCRKIT_SCREENSHOT")):
                shot = Image.open(BytesIO(widget.screenshot()))
                shot.quantize(256).save(picture, optimize=True)
            page.keyboard.press("Enter")
            expect(widget.get_by_role("status")).to_contain_text(f"{done} of 20 lines done")
        expect(field).to_be_focused()
    assert saved(lab.folder / "read") == [*truths[:12], *[None] * 8]

    with open_notebook(lab, tmp_path) as page:  # on another day
        widget, field = opened(page, done=12)
        long_s = key_of_long_s(widget)
        for done, (truth, reading) in enumerate(LINES[12:], start=13):
            expect(field).to_have_value(reading)
            type_over(page, field, truth, long_s)
            page.keyboard.press("Enter")
            expect(widget.get_by_role("status")).to_contain_text(f"{done} of 20 lines done")
        expect(widget.get_by_role("status")).to_contain_text("There is no line left")
    assert saved(lab.folder / "read") == truths


def test_each_key_does_what_it_says(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    folder = lab.folder / "read"
    write_pages(folder)
    with open_notebook(lab, tmp_path) as page:
        widget, field = opened(page, done=0)
        status = widget.get_by_role("status")
        page.keyboard.press("Escape")  # skip
        expect(field).to_have_value(LINES[1][1])
        page.keyboard.press("Control+Delete")  # no text
        expect(status).to_contain_text("1 of 20")
        expect(field).to_have_value(LINES[2][1])
        page.keyboard.press("PageUp")  # undo
        expect(status).to_contain_text("0 of 20")
        expect(field).to_have_value(LINES[1][1])
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        page.keyboard.press("Delete")  # in an empty field: no text
        expect(field).to_have_value(LINES[2][1])
        assert saved(folder)[:3] == [None, "", None]

        # A letter is put where the cursor is, by keyboard or by the mouse.
        page.keyboard.press("Home")
        page.keyboard.press(key_of_long_s(widget))
        page.keyboard.press("End")
        widget.get_by_title("ß", exact=True).click()
        assert field.input_value() == f"ſ{LINES[2][1]}ß"
        expect(field).to_be_focused()

        # The outline: drawn anew by numbers, and read again.
        page.keyboard.press("Alt+O")
        expect(widget.get_by_label("Left", exact=True)).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("120")
        page.keyboard.press("Enter")
        expect(field).to_have_value("und die")
        line = load_document(folder / "chronicle.json").pages[0].lines[2]
        assert (line.box.x0, line.box.x1) == (20, 120)
        assert line.text == "und die"
        page.keyboard.press("Escape")  # from the outline to the text
        expect(field).to_be_focused()

        widget.get_by_role("button", name="Delete the outline").click()
        expect(field).to_have_value(LINES[3][1])
        assert len(load_document(folder / "chronicle.json").pages[0].lines) == 9
        page.keyboard.press("Enter")  # right as it is
        expect(status).to_contain_text("3 of 20")


def drag(
    page: Page, picture: Locator, start: tuple[float, float], end: tuple[float, float]
) -> None:
    """Draw a box on a picture; the corners are shares of its width and height."""
    picture.scroll_into_view_if_needed()
    place = picture.bounding_box()
    assert place
    (x0, y0), (x1, y1) = (
        (place["x"] + x * place["width"], place["y"] + y * place["height"]) for x, y in (start, end)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    page.mouse.move(x1, y1)
    page.mouse.up()


def test_a_box_that_is_drawn_with_the_mouse_is_the_outline_of_the_line(
    lab: Lab, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    folder = lab.folder / "read"
    write_pages(folder)
    with open_notebook(lab, tmp_path) as page:
        widget, field = opened(page, done=0)
        for _, reading in LINES[1:3]:
            page.keyboard.press("Escape")
            expect(field).to_have_value(reading)
        picture = widget.locator(".ocrkit-strip img")
        left, top, width, height = map(
            int, (picture.locator("..").get_attribute("data-place") or "").split()
        )
        # The line "und die Mühle ..." begins at (20, 120); the box is around its first two words,
        # drawn from below to above.
        corners = [((x - left) / width, (y - top) / height) for x, y in ((120, 150), (18, 118))]
        drag(page, picture, *corners)
        expect(field).to_have_value("und die")
        expect(field).to_be_focused()
        box = load_document(folder / "chronicle.json").pages[0].lines[2].box
        drawn = (box.x0, box.y0, box.x1, box.y1)
        assert drawn == pytest.approx((18, 118, 120, 150), abs=2)
        expect(widget.locator(".ocrkit-drawn")).to_have_count(0)

        # A click is no box. A line that the strip does not show is reached on the whole page.
        picture.click()
        for _ in range(3):
            widget.get_by_role("button", name="More of the page").click()
        expect(picture.locator("..")).to_have_attribute("data-place", "0 0 740 540")
        if shot := os.environ.get("OCRKIT_DRAWN"):
            widget.screenshot(path=shot)
        corners = [(x / 740, y / 540) for x, y in ((10, 66), (730, 104))]
        drag(page, picture, *corners)
        expect(field).to_have_value(re.compile("^da. der Flu. über die Ufer trat$"))
        page.keyboard.press("PageUp")
        expect(field).to_have_value("und die")
