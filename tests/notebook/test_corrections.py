from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit import load_document, save, search
from ocrkit.document import Document, Line
from ocrkit.errors import DocumentError, ImageError, OutputError
from ocrkit.notebook.corrections import Corrections, expectation, rectangle
from ocrkit.recognition.reading import Reading
from tests.archive.helpers import page_of
from tests.archive.test_search import catalogue_of
from tests.notebook.scans import outline, read_page

ROWS = [("first", "firſt", 0.9), ("second", "sccond", 0.7), ("third", "third", 0.8)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return read_page(tmp_path, "a", ROWS)


def saved(file: Path) -> Document:
    return load_document(file)


def corrections_in(file: Path) -> list[str | None]:
    return [line.correction for page in saved(file).pages for line in page.lines]


def test_the_least_certain_line_comes_first_and_each_is_saved_at_once(file: Path) -> None:
    review = Corrections(file)
    assert [task.line.text for task in review.tasks] == ["sccond", "third", "firſt"]
    review.correct("second")
    assert corrections_in(file) == [None, "second", None]
    assert saved(file).pages[0].lines[1].text == "sccond"  # the reading stays beside it
    review.correct("third")
    assert corrections_in(file) == [None, "second", "third"]
    assert (review.done, review.total) == (2, 3)


def test_the_lines_that_teach_most_can_come_first(tmp_path: Path) -> None:
    # Twice the same, the same words at more length, and something else that is more certain.
    rows = [("", "the mill", 0.5), ("", "the mill", 0.5), ("", "quick fox", 0.7)]
    file = read_page(tmp_path, "a", rows)
    by_use = [task.line.text for task in Corrections(file, order="use").tasks]
    assert by_use == ["the mill", "quick fox", "the mill"]
    with pytest.raises(ValueError, match="choose one of doubt, use"):
        Corrections(file, order="size")  # type: ignore[arg-type]


def test_a_review_that_is_opened_again_goes_on_where_it_was(file: Path) -> None:
    Corrections(file).correct("second")
    review = Corrections(file)
    assert [task.line.text for task in review.tasks] == ["third", "firſt"]
    assert (review.done, review.total) == (1, 3)


def test_all_pages_of_a_folder_are_one_list(tmp_path: Path) -> None:
    read_page(tmp_path / "x", "a", ROWS)
    other = read_page(tmp_path / "x" / "y", "b", [("fourth", "fourt", 0.75)])
    (tmp_path / "x" / "figures.json").write_text('{"cer": 0.1}')
    review = Corrections(tmp_path / "x")
    assert [task.line.confidence for task in review.tasks] == [0.7, 0.75, 0.8, 0.9]
    review.skip()
    review.correct("fourth")
    assert corrections_in(other) == ["fourth"]


def test_a_skipped_line_comes_again_after_the_others(file: Path) -> None:
    before = file.read_bytes()
    review = Corrections(file)
    review.skip()
    assert [task.line.text for task in review.tasks] == ["third", "firſt", "sccond"]
    assert file.read_bytes() == before


def test_no_text_is_saved_as_an_empty_correction(file: Path) -> None:
    Corrections(file).correct("  ")
    assert corrections_in(file) == [None, "", None]
    assert saved(file).text == "firſt\nthird"


@given(steps=st.lists(st.sampled_from(["right", "skip", "delete", "redraw"]), max_size=6))
def test_every_step_can_be_taken_back(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = read_page(tmp_path_factory.mktemp("undo"), "a", ROWS, [("four", "fonr", 0.4)])
    review = Corrections(file)
    states = []
    for step in steps:
        if review.current is None:
            break
        states.append((review.tasks, saved(file)))
        if step == "right":
            review.correct("text")
        elif step == "redraw":
            review.redraw(outline(0, 300), Reading("new", 0.6))
        else:
            getattr(review, step)()
    for state in reversed(states):
        assert review.undo()
        assert (review.tasks, saved(file)) == state
    assert not review.undo()


def test_a_deleted_outline_is_kept_as_left_out_and_the_blocks_stay_right(file: Path) -> None:
    review = Corrections(file)
    review.delete()
    (page,) = saved(file).pages
    assert [line.text for line in page.lines] == ["firſt", "third"]
    assert page.text == "firſt\nthird"
    assert [(left.line.text, left.reason) for left in page.left_out] == [("sccond", "no text")]
    assert Corrections(file).total == 2  # it does not come again


def test_a_new_outline_has_the_new_reading_and_stays_current(file: Path) -> None:
    review = Corrections(file)
    review.redraw(outline(1, 400), Reading("second", 0.95))
    assert review.current and review.current.line == Line(outline(1, 400), "second", 0.95)
    assert saved(file).pages[0].lines[1] == review.current.line
    review.correct("second")
    assert corrections_in(file) == [None, "second", None]


@pytest.mark.parametrize("box", [(-1, 0, 50, 50), (0, 0, 5000, 50), (10, 10, 11, 50)])
def test_an_outline_outside_the_page_or_without_area_is_refused(
    file: Path, box: tuple[float, float, float, float]
) -> None:
    review = Corrections(file)
    before = file.read_bytes()
    assert review.current
    with pytest.raises(ValueError, match="inside the page of 740 x 190 pixels"):
        review.redraw(rectangle(box, review.current.line), Reading("", 0))
    assert file.read_bytes() == before and not review.undo()


def test_a_line_that_was_left_out_becomes_a_line_when_it_has_a_text(tmp_path: Path) -> None:
    file = read_page(tmp_path, "a", ROWS, [("fourth", "f0vr", 0.3), ("", "|,.", 0.4)])
    review = Corrections(file)
    assert [task.line.text for task in review.tasks][:2] == ["f0vr", "|,."]
    review.correct("fourth")
    review.correct("")
    (page,) = saved(file).pages
    assert [line.final for line in page.lines] == ["firſt", "sccond", "third", "fourth"]
    assert [left.line.correction for left in page.left_out] == [""]
    assert page.text.splitlines()[-1] == "fourth"
    assert Corrections(file).total == 5  # both still count as done


def test_a_page_of_which_nothing_was_kept_can_be_corrected_in_any_order(tmp_path: Path) -> None:
    file = read_page(tmp_path, "a", [], [("one", "x", 0.5), ("two", "y", 0.2), ("three", "z", 0.3)])
    review = Corrections(file)
    for text in ("two", "three", "one"):
        review.correct(text)
    assert saved(file).text == "one\ntwo\nthree"


def test_the_expectation_is_the_sum_of_the_doubts(file: Path) -> None:
    review = Corrections(file)
    expected = expectation(review)
    assert expected.here == pytest.approx(0.3 * 6)
    assert expected.left == pytest.approx(0.3 * 6 + 0.2 * 5 + 0.1 * 5)
    assert expected.others == pytest.approx((0.2 * 5 + 0.1 * 5) / 2)
    assert (expected.found, expected.predicted) == (0, 0)
    review.correct("second")  # one letter
    review.correct("third")
    expected = expectation(review)
    assert expected.found == 1
    assert expected.predicted == pytest.approx(0.3 * 6 + 0.2 * 5)


def test_the_letters_that_the_pages_have_come_first(tmp_path: Path) -> None:
    read_page(tmp_path, "a", [("", "ſeyn ſo fließt", 0.9), ("", "ŵ ſ", 0.9)])
    letters = Corrections(tmp_path).letters(12)
    assert letters[0] == "ſ" and set(letters[1:3]) == {"ß", "ŵ"}
    assert len(letters) == len(set(letters)) == 12 and not any(c.isascii() for c in letters)


def test_a_file_that_another_program_changed_is_not_overwritten(file: Path) -> None:
    review = Corrections(file)
    data = json.loads(file.read_text(encoding="utf-8"))
    data["pages"][0]["lines"][0]["correction"] = "by another"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(OutputError, match="changed or deleted by another program"):
        review.correct("second")
    assert corrections_in(file) == ["by another", None, None]
    assert review.done == 0


def test_the_scan_is_found_beside_its_json_and_in_a_folder_that_is_named(tmp_path: Path) -> None:
    file = read_page(tmp_path / "old", "a", ROWS)
    moved = (tmp_path / "old").rename(tmp_path / "new")
    review = Corrections(moved)
    assert review.current and review.pixels(review.current).shape == (190, 740)
    (moved / "a.png").rename(tmp_path / "a.png")
    review = Corrections(moved / file.name, scans=tmp_path)
    assert review.current and review.pixels(review.current).shape == (190, 740)
    with pytest.raises(ImageError, match=r"a\.json: its scan .*; name its folder"):
        Corrections(moved).pixels(review.current)


def test_a_scan_of_another_size_is_refused(file: Path) -> None:
    from PIL import Image

    Image.new("L", (100, 100), 255).save(file.with_suffix(".png"))
    review = Corrections(file)
    assert review.current
    with pytest.raises(ImageError, match="100 x 100 pixels, but 740 x 190 when it was read"):
        review.pixels(review.current)


def test_a_folder_without_pages_and_a_file_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="--format json"):
        Corrections(tmp_path)
    with pytest.raises(DocumentError, match="nowhere"):
        Corrections(tmp_path / "nowhere.json")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DocumentError, match=r"x\.json"):
        Corrections(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("along", "first"),
    [((1, 0), (0, 0)), ((-1, 0), (9, 4)), ((0, 1), (9, 0)), ((0, -1), (0, 4))],
)
def test_a_new_outline_is_read_in_the_direction_of_the_old_one(
    along: tuple[int, int], first: tuple[int, int]
) -> None:
    x, y = along
    old = Line(((5, 5), (5 + x, 5 + y), (5 + x - y, 5 + y + x), (5 - y, 5 + x)), "", 0)
    corners = rectangle((0, 0, 9, 4), old)
    assert corners[0] == first
    assert corners[1] == (first[0] + x * 9, first[1] + y * 4)


def test_a_search_finds_each_correction_at_once_and_no_longer_when_it_is_undone(
    tmp_path: Path,
) -> None:
    page = page_of("the old rnill")
    file = save(Document("a.png", (page,)), catalogue_of(tmp_path, {"a": page}) / "a.json")
    review = Corrections(file)
    assert search("mill", tmp_path) == []
    review.correct("the old mill")
    (hit,) = search("mill", tmp_path)
    assert hit.snippet == "the old mill" and hit.box.x0 == 80
    assert search("rnill", tmp_path) == []
    review.undo()
    assert search("mill", tmp_path) == [] and len(search("rnill", tmp_path)) == 1


def test_a_damaged_catalogue_costs_no_correction(tmp_path: Path) -> None:
    (tmp_path / "ocrkit.db").write_bytes(b"no catalogue" * 1000)
    file = save(Document("a.png", (page_of("the old rnill"),)), tmp_path / "a.json")
    review = Corrections(file)
    with pytest.warns(UserWarning, match="a search does not find this correction"):
        review.correct("the old mill")
    assert corrections_in(file) == ["the old mill"] and review.done == 1
