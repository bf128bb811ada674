from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ocrkit import load_document
from ocrkit.recognition.reading import EMPTY, Reading, WordReading
from tests.notebook.scans import read_page

pytest.importorskip("ipywidgets")
from ocrkit.notebook.review import Review, unsure_letters  # noqa: E402

ROWS = [("first", "firſt <b>", 0.9), ("second", "sccond", 0.7), ("third", "third", 0.8)]


def read(crops: Sequence[np.ndarray]) -> list[Reading]:
    """Reads "sccond", with its second letter unsure, whatever the crops show."""
    word = WordReading("sccond", 0.7, 0, 1, (0.99, 0.4, 0.99, 0.99, 0.99, 0.99))
    return [Reading("sccond", 0.7, (word,)) for _ in crops]


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(read_page(tmp_path, "a", ROWS), recognizer=read)


def corrections(tmp_path: Path) -> list[str | None]:
    return [line.correction for line in load_document(tmp_path / "a.json").pages[0].lines]


def press(review: Review, action: str, text: str, **more: object) -> None:
    """What the browser sends when a key is pressed."""
    command = {"step": review._step, "action": action, "text": text, "box": [0, 0, 0, 0]} | more
    review._command.value = json.dumps(command)


def test_the_reading_is_in_the_field_and_its_unsure_letters_are_marked(review: Review) -> None:
    assert review.field.value == "sccond"
    assert "s<mark>c</mark>cond" in review.crop.value
    assert review.crop.value.count("<img") == review.context.value.count("<img") == 1


@pytest.mark.parametrize(
    ("text", "unsure"),
    [
        ("an end", [False, False, False, True, False, False]),
        ("on end", [True, False, False, True, False, False]),  # read differently now
        ("a end", [False, False, True, False, False]),
        ("", []),
    ],
)
def test_letters_are_unsure_if_their_confidence_is_low_or_another_is_read_now(
    text: str, unsure: list[bool]
) -> None:
    words = (WordReading("an", 1, 0, 0.4, (0.99, 0.95)), WordReading("end", 1, 0.4, 1, (0.4, 1, 1)))
    assert unsure_letters(text, Reading("an end", 0.9, words)) == unsure


def test_where_letters_are_not_known_the_line_is_marked(tmp_path: Path) -> None:
    review = Review(read_page(tmp_path, "a", ROWS), recognizer=lambda crops: [EMPTY] * len(crops))
    assert "<mark>sccond</mark>" in review.crop.value
    review.buttons["skip"].click()
    review.buttons["skip"].click()
    assert "<mark>" not in review.crop.value  # its confidence is high


def test_a_key_saves_the_text_of_the_field_and_brings_the_next_line(
    review: Review, tmp_path: Path
) -> None:
    press(review, "right", "second")
    assert corrections(tmp_path) == [None, "second", None]
    assert review.field.value == "third"
    assert "1 of 3 lines done" in review.status.value
    assert "1 were found where 2 were expected" in review.status.value


def test_a_key_that_is_pressed_before_the_next_line_is_there_does_nothing(
    review: Review, tmp_path: Path
) -> None:
    press(review, "right", "second")
    press(review, "right", "second", step=review._step - 1)
    assert corrections(tmp_path) == [None, "second", None]


def test_skip_no_text_and_undo(review: Review, tmp_path: Path) -> None:
    review.buttons["skip"].click()
    assert review.field.value == "third"
    press(review, "no text", "third")
    assert corrections(tmp_path) == [None, None, ""]
    review.buttons["undo"].click()
    review.buttons["undo"].click()
    assert corrections(tmp_path) == [None, None, None] and review.field.value == "sccond"
    review.buttons["undo"].click()
    assert "there is no step to take back" in review.status.value


def test_a_new_outline_is_read_and_an_impossible_one_is_answered(
    review: Review, tmp_path: Path
) -> None:
    assert [number.value for number in review.sides] == [20, 70, 720, 100]
    picture = review.context.value
    review.sides[2].value = 300
    assert review.context.value != picture  # the outline is drawn before it is used
    review.buttons["redraw"].click()
    line = load_document(tmp_path / "a.json").pages[0].lines[1]
    assert line.box.x1 == 300 and line.text == "sccond"
    press(review, "redraw", "", box=[20, 70, 5000, 100])
    assert 'role="alert"' in review.status.value and "inside the page" in review.status.value
    assert load_document(tmp_path / "a.json").pages[0].lines[1] == line
    review.buttons["delete"].click()
    assert len(load_document(tmp_path / "a.json").pages[0].lines) == 2


def test_the_picture_says_its_place_on_the_page_and_shows_more_if_asked(review: Review) -> None:
    """The line is 700 x 30 pixels from (20, 70), on a page of 740 x 190."""
    assert 'data-place="0 34 740 102"' in review.context.value
    review.wider.click()
    assert 'data-place="0 0 740 190"' in review.context.value
    review.field.value = "a text that is not saved yet"
    review.wider.click()
    assert review.field.value == "a text that is not saved yet"
    press(review, "redraw", "", box=[0, 0, 740, 190])  # the whole picture is a possible outline
    assert 'role="alert"' not in review.status.value
    review.buttons["right"].click()
    assert 'data-place="0 84 740 102"' in review.context.value  # of the next line


def test_more_of_the_page_shows_the_same_outline(review: Review) -> None:
    sloping = [(20.0, 70.0), (720.0, 90.0), (720.0, 120.0), (20.0, 100.0)]
    review._draw_context(sloping)
    review.wider.click()
    picture = review.context.value
    review._draw_context(sloping)
    assert review.context.value == picture


def test_at_the_end_everything_but_undo_is_off(review: Review, tmp_path: Path) -> None:
    for _ in ROWS:
        review.buttons["right"].click()
    assert corrections(tmp_path) == ["firſt <b>", "sccond", "third"]
    assert "There is no line left" in review.status.value and review.crop.value == ""
    assert review.field.disabled and review.buttons["right"].disabled
    press(review, "right", "")
    review.buttons["undo"].click()
    assert review.field.value == "firſt <b>" and not review.field.disabled


def test_without_its_scan_a_line_can_only_be_skipped(tmp_path: Path) -> None:
    file = read_page(tmp_path, "a", ROWS)
    (tmp_path / "a.png").unlink()
    review = Review(file, recognizer=read)
    assert "its scan" in review.status.value
    press(review, "right", "second")
    assert "can only be skipped" in review.status.value
    assert corrections(tmp_path) == [None, None, None]
    review.buttons["skip"].click()
    assert review.field.value == "third"


def test_texts_are_escaped(review: Review) -> None:
    review.buttons["skip"].click()
    review.buttons["skip"].click()
    assert "&lt;b&gt;" in review.crop.value and "<b>" not in review.crop.value


def test_every_control_has_a_label_and_every_picture_a_text(review: Review) -> None:
    controls = [review.field, *review.sides, *review.buttons.values(), review.wider]
    controls += review.letters
    assert all(control.description for control in controls)
    assert 'alt="' in review.crop.value and 'alt="' in review.context.value


def test_a_letter_is_added_without_the_keys_script_too(review: Review) -> None:
    review.letters[0].click()
    assert review.field.value == f"sccond{review.letters[0].tooltip}"
    assert review.letters[0].tooltip == "ſ"
