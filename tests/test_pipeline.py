from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from ocrkit.archive.run import read_documents
from ocrkit.detection import load_detector
from ocrkit.document import Box, Document, Page
from ocrkit.errors import CheckpointError, ImageError
from ocrkit.image import crop_polygon, load_pages
from ocrkit.pipeline import read_document, read_page
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.reading import Reading, WordReading
from ocrkit.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class FixedDetector:
    polygons: tuple[tuple[tuple[float, float], ...], ...]

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        return [np.array(polygon, np.float32) for polygon in self.polygons]


class SizeReader:
    """Reads the size of each crop, as two words that share its width; narrow ones as nothing."""

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [self.read(*crop.shape) for crop in crops]

    def read(self, height: int, width: int) -> Reading:
        if width < 10:
            return Reading("", 0.0)
        words = (WordReading(str(width), 0.5, 0.0, 0.5), WordReading(str(height), 0.75, 0.5, 1.0))
        return Reading(f"{width} {height}", 0.625, words)


def rectangle(x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[float, float], ...]:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


PAGE = np.full((100, 200), 255, np.uint8)
DETECTOR = FixedDetector((rectangle(10, 10, 110, 30), rectangle(10, 40, 15, 60)))


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for i, path in enumerate(paths):
        image = Image.new("L", (300, 120 + 10 * i), 255)
        ImageDraw.Draw(image).text((30, 40), "some words", 0, ImageFont.load_default(24))
        image.save(path)
    return paths


def test_lines_have_their_text_and_words_their_place() -> None:
    page = read_page(PAGE, DETECTOR, SizeReader(), number=3)
    (line,) = page.lines
    assert (page.width, page.height, page.number) == (200, 100, 3)
    assert line.polygon == rectangle(10, 10, 110, 30)
    assert (line.text, line.confidence) == ("100 20", 0.625)
    assert [word.text for word in line.words] == ["100", "20"]
    assert line.words[0].box == Box(10, 10, 60, 30)
    assert line.words[1].box == Box(60, 10, 110, 30)


def test_words_of_a_tilted_line_have_upright_boxes_around_them() -> None:
    tilted = FixedDetector((((10, 10), (110, 30), (106, 50), (6, 30)),))
    (line,) = read_page(PAGE, tilted, SizeReader()).lines
    assert line.words[0].box == Box(6, 10, 60, 40)
    assert line.words[1].box == Box(56, 20, 110, 50)


def test_what_sticks_out_of_the_page_is_reported_within_it() -> None:
    page = read_page(PAGE, FixedDetector((rectangle(-5, -4, 230, 20),)), SizeReader())
    assert page.lines[0].box == Box(0, 0, 200, 20)
    assert page.words[-1].box == Box(100, 0, 200, 20)


def test_lines_without_text_are_left_out_and_listed() -> None:
    page = read_page(PAGE, DETECTOR, SizeReader())
    assert len(page.lines) == 1
    (left,) = page.left_out
    assert (left.reason, left.line.polygon) == ("no text", rectangle(10, 40, 15, 60))


class Words:
    """Reads the lines from top to bottom as it is told: a text and its confidence for each."""

    def __init__(self, *readings: tuple[str, float]) -> None:
        self.readings = {
            i: Reading(text, sure, tuple(WordReading(w, sure, 0.0, 1.0) for w in text.split()))
            for i, (text, sure) in enumerate(readings)
        }

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [self.readings[int(crop[0, 0])] for crop in crops]

    def page(self, min_confidence: float = 0.6) -> Page:
        """A page whose pixels are the numbers of its lines."""
        count = len(self.readings)
        pixels = np.repeat(np.arange(count, dtype=np.uint8), 20)[:, None] * np.ones(
            (1, 300), np.uint8
        )
        lines = [rectangle(20, 20 * i, 280, 20 * i + 20) for i in range(count)]
        return read_page(pixels, FixedDetector(tuple(lines)), self, min_confidence=min_confidence)


def test_each_line_that_is_left_out_has_its_reason() -> None:
    words = Words(("good text", 0.9), ("..", 0.9), ("poor text", 0.4), ("", 0.0), ("£", 0.9))
    page = words.page()
    assert page.text == "good text\n£"
    assert [left.reason for left in page.left_out] == ["only marks", "low confidence", "no text"]
    assert page.left_out[1].line.text == "poor text"


def test_what_is_read_by_chance_on_a_page_that_cannot_be_read_is_left_out() -> None:
    written = [("scrawl", 0.4)] * 8
    page = Words(("Registered at", 0.95), ("le", 0.95), ("mot", 0.62), *written).page()
    assert page.text == "Registered at"
    assert [left.reason for left in page.left_out[:2]] == ["not print", "not print"]
    assert len(Words(("mot", 0.62), *written).page(min_confidence=0).lines) == 9


def test_capitals_below_each_other_are_one_line_and_its_words_have_their_place() -> None:
    tops = (10, 40, 70, 130, 160, 190)
    letters = dict(zip(tops, "INNBAR", strict=True))
    page = np.full((240, 200), 255, np.uint8)
    for y in tops:
        page[y : y + 20, 80:100] = y  # each letter stands on its own grey

    class Letters:
        def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
            texts = (letters.get(int(crop[0, 0]), "x") for crop in crops)
            return [Reading(t, 0.95, (WordReading(t, 0.95, 0, 1, (0.95,)),)) for t in texts]

    boxes = tuple(rectangle(80, y, 100, y + 20) for y in tops)
    (line,) = read_page(page, FixedDetector(boxes), Letters()).lines
    assert line.text == "INN BAR"
    assert [word.text for word in line.words] == ["INN", "BAR"]
    assert (line.words[0].box.y0, line.words[0].box.y1) == (10, 90)
    assert (line.words[1].box.y0, line.words[1].box.y1) == (130, 210)


def test_leaders_are_shortened() -> None:
    readings = Words(
        ("The great fire ............. 38", 0.95), ("Well . . . . . . . . 4", 0.95), ("so...", 0.95)
    )
    assert readings.page().text == "The great fire ... 38\nWell ... 4\nso..."


def test_words_are_joined_if_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.fromarray(PAGE).save(path)
    settings = {"detector": DETECTOR, "recognizer": SizeReader()}
    assert not read_document(path, **settings).pages[0].dehyphenate
    assert read_document(path, dehyphenate=True, **settings).pages[0].dehyphenate


@pytest.mark.parametrize(("min_confidence", "lines"), [(0.0, 1), (0.625, 1), (0.63, 0)])
def test_lines_read_with_too_little_confidence_are_left_out(
    min_confidence: float, lines: int
) -> None:
    page = read_page(PAGE, DETECTOR, SizeReader(), min_confidence=min_confidence)
    assert len(page.lines) == lines


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_page_on_its_side_or_head_is_read_and_its_boxes_stay_where_the_text_is(
    turns: int,
) -> None:
    page = np.full((300, 700), 250, np.uint8)
    canvas = Image.fromarray(page)
    pen, face = ImageDraw.Draw(canvas), ImageFont.load_default(30)
    for y, text in ((40, "The first line of a letter,"), (110, "and the second line of it.")):
        pen.text((50, y), text, 20, face)
    upright, given = np.asarray(canvas), np.rot90(np.asarray(canvas), -turns)
    detector, recognizer = load_detector("lines"), Recognizer.load()
    found = read_page(given, detector, recognizer)
    expected = read_page(upright, detector, recognizer)
    assert found.text == expected.text
    assert "first line" in found.text
    for line, other in zip(found.lines, expected.lines, strict=True):
        # Turning a page is undone for its points by turning them the other way.
        x, y = np.array(other.polygon).T
        height, width = upright.shape
        places = [(x, y), (height - y, x), (width - x, height - y), (y, width - x)]
        np.testing.assert_allclose(line.polygon, np.stack(places[turns], 1), atol=1)
        assert crop_polygon(given, np.array(line.polygon, np.float32)).shape[0] < 60


def test_a_page_without_lines_is_a_page() -> None:
    page = read_page(PAGE, FixedDetector(()), SizeReader())
    assert (page.text, page.confidence) == ("", 0.0)


def test_the_time_of_each_stage_is_kept() -> None:
    seconds = read_page(PAGE, DETECTOR, SizeReader()).seconds
    assert set(seconds) == {"detect", "recognize", "other"}
    assert all(0 <= value < 5 for value in seconds.values())


def test_a_document_has_all_pages_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    first, second = Image.new("L", (200, 100), 255), Image.new("L", (150, 90), 255)
    first.save(path, save_all=True, append_images=[second])
    document = read_document(path, detector=DETECTOR, recognizer=SizeReader())
    assert document.source == str(path)
    assert [(page.width, page.number) for page in document.pages] == [(200, 1), (150, 2)]
    assert document.text == "100 20\f100 20"


def test_a_document_is_read_by_names_and_paths(scans: list[Path], tmp_path: Path) -> None:
    weights = CRNN(ModelConfig(width=0.02, hidden=8), Alphabet()).save(tmp_path / "m.safetensors")
    document = read_document(scans[0], detector="lines", recognizer=weights)
    assert (document.pages[0].width, document.pages[0].height) == (300, 120)


def test_a_file_that_cannot_be_read_raises_for_one_and_not_for_many(
    scans: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ImageError):
        read_document(tmp_path / "none.png", detector=DETECTOR, recognizer=SizeReader())
    paths = [scans[0], tmp_path / "none.png", scans[1]]
    results = list(read_documents(paths, detector=DETECTOR, recognizer=SizeReader()))
    assert [result.source for result in results] == paths
    assert [result.document is None for result in results] == [False, True, False]
    assert str(results[1].error).startswith(str(paths[1]))


def test_what_nobody_foresaw_costs_one_file_only(scans: list[Path]) -> None:
    def detector(page: np.ndarray) -> list[np.ndarray]:
        if page.shape[0] == 130:
            raise ZeroDivisionError("by zero")
        return []

    results = list(read_documents(scans, detector=detector, recognizer=SizeReader()))
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].error == f"{scans[1]}: cannot be read: ZeroDivisionError by zero"


def test_weights_that_cannot_be_loaded_stop_the_whole(scans: list[Path]) -> None:
    with pytest.raises(CheckpointError):
        next(read_documents(scans, detector=DETECTOR, recognizer="no-such-weights"))


def test_two_processes_give_what_one_gives_in_the_same_order(
    scans: list[Path], tmp_path: Path
) -> None:
    paths = [*scans, tmp_path / "none.png"]
    alone = list(read_documents(paths, detector="lines", recognizer=SizeReader()))
    together = list(read_documents(paths, detector="lines", recognizer=SizeReader(), jobs=2))
    assert together == alone
    assert [result.document is None for result in together] == [False, False, False, True]
    assert together[0].document is not None
    assert together[0].document.text


class Deadly:
    """Reads as SizeReader does, but ends its process over a page of 130 rows."""

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        if page.shape[0] == 130:
            os._exit(1)
        return DETECTOR(page)


def test_a_file_that_ends_its_process_costs_no_other_file(scans: list[Path]) -> None:
    paths = [scans[0], scans[1], scans[2], scans[0]]
    results = list(read_documents(paths, detector=Deadly(), recognizer=SizeReader(), jobs=2))
    assert [result.source for result in results] == paths
    assert [result.document is None for result in results] == [False, True, False, False]
    assert results[1].error == f"{scans[1]}: ended the process that was reading it"


def test_pages_before_a_damaged_one_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "three.tif"
    pages = [Image.effect_noise((200, 100 + i), 50) for i in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    path.write_bytes(path.read_bytes()[:-30_000])
    (result,) = read_documents([path], detector=DETECTOR, recognizer=SizeReader())
    assert result.document is not None
    assert [page.height for page in result.document.pages] == [100]
    assert str(result.error).startswith(f"{path}: damaged or cut short")
    assert str(result.error).endswith("(pages read: 1, not read: 2-3)")


def test_weights_that_have_changed_are_loaded_again(scans: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"

    def read() -> Document:
        return read_document(scans[0], detector="lines", recognizer=path, min_confidence=0.0)

    torch.manual_seed(1)
    CRNN(ModelConfig(width=0.02, hidden=8), Alphabet()).save(path)
    before = read()
    CRNN(ModelConfig(width=0.02, hidden=8), Alphabet("ab")).save(path)
    assert before.text != read().text
    assert set(read().text) <= set("ab \n")


def test_a_page_of_text_is_not_turned_for_a_stroke_that_looks_like_a_letter() -> None:
    class Reader:
        def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
            text, stroke = Reading("a line of doubtful text", 0.9), Reading("l", 0.99)
            return [text if crop.shape[1] > 100 else stroke for crop in crops]

    class Detector:
        def __call__(self, page: np.ndarray) -> list[np.ndarray]:
            width = page.shape[1] - 20
            count = 5 if width > 100 else 1
            return [
                np.array(rectangle(10, 10 + 15 * i, 10 + width, 22 + 15 * i), np.float32)
                for i in range(count)
            ]

    page = np.full((100, 200), 255, np.uint8)
    assert len(read_page(page, Detector(), Reader()).lines) == 5


def test_letters_in_a_column_of_numbers_become_figures() -> None:
    names = "Anna", "John", "Mary", "Paul", "Ruth", "Ezra"
    numbers = "12", "I", "35", "4.I0", "9", "17"
    texts = [text for row in zip(names, numbers, strict=True) for text in row]
    pixels = np.zeros((240, 400), np.uint8)
    boxes = []
    for i in range(len(texts)):
        x, y = (20, 300)[i % 2], 20 + 35 * (i // 2)
        pixels[y - 8 : y + 27, x - 20 :] = i
        boxes.append(rectangle(x, y, x + 60, y + 20))
    reader = Words(*((text, 0.9) for text in texts))
    page = read_page(pixels, FixedDetector(tuple(boxes)), reader)
    assert [block.kind for block in page.blocks] == ["table"]
    assert page.text.split() == [
        word
        for pair in zip(names, ("12", "1", "35", "4.10", "9", "17"), strict=True)
        for word in pair
    ]
    assert [word.text for word in page.lines[3].words] == ["1"]


def test_marks_that_are_read_in_a_line_of_specks_are_left_out() -> None:
    sheet = Image.new("L", (900, 300), 240)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(30)
    for y in (60, 120):
        pen.text((60, y), "Tea and sugar, and bread", 20, font, anchor="ls")
    for x, up in ((70, 3), (140, 17), (310, 8), (400, 14), (560, 2)):
        pen.ellipse((x, 220 - up, x + 3, 223 - up), fill=40)
    boxes = tuple(rectangle(56, y - 26, 620, y + 9) for y in (60, 120, 220))

    class Reader:
        def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
            texts = ("Tea and sugar" if crop.mean() < 230 else "....." for crop in crops)
            return [Reading(text, 0.9, (WordReading(text, 0.9, 0, 1),)) for text in texts]

    page = read_page(np.asarray(sheet), FixedDetector(boxes), Reader())
    assert page.text == "Tea and sugar\nTea and sugar"
    assert [(left.line.text, left.reason) for left in page.left_out] == [(".....", "only marks")]


def test_specks_do_not_count_where_most_of_a_page_cannot_be_read() -> None:
    marks = [("..", 0.9)] * 10
    assert Words(("le mot", 0.62), ("un", 0.62), *marks).page().text == "le mot\nun"


def test_letters_that_are_left_out_do_not_vouch_for_rows_of_marks() -> None:
    page = Words(("x", 0.3), ("*" * 30, 0.9), ("e", 0.3)).page()
    assert page.text == ""
    assert [left.reason for left in page.left_out] == [
        "low confidence",
        "only marks",
        "low confidence",
    ]


@pytest.mark.parametrize("led", [True, False])
def test_only_a_leader_that_was_cut_off_takes_the_first_dots_of_a_line(led: bool) -> None:
    """The line grows, because the detector cut the feet of its letters, and is read again."""
    sheet = Image.new("L", (900, 400), 240)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(30)
    boxes = []
    for y in (80, 140, 200):
        pen.text((60, y), "Of fires and floods", 20, font, anchor="ls")
        boxes.append(rectangle(56, y - 26, 340, y + 9))
    pen.text((60, 260), "Of fires", 20, font, anchor="ls")
    pen.text((500, 260), "222", 20, font, anchor="ls")
    if led:
        for x in range(190, 480, 14):
            pen.ellipse((x, 256, x + 3, 259), 20)
    boxes.append(rectangle(56, 234, 440 if led else 180, 269))
    boxes.append(rectangle(440, 234, 560, 269) if led else rectangle(440, 234, 560, 253))
    page = read_page(np.asarray(sheet), FixedDetector(tuple(boxes)), SaysWords("... and yet"))
    assert ("... and yet" in page.text.split("\t")[-1]) == (not led)


class SaysWords:
    """Reads every line as the same words."""

    def __init__(self, text: str) -> None:
        words = tuple(WordReading(word, 0.95, 0.0, 1.0) for word in text.split())
        self.reading = Reading(text, 0.95, words)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [self.reading for _ in crops]


class SaysAlways:
    """Reads every line as the same text."""

    def __init__(self, text: str) -> None:
        self.reading = Reading(text, 0.95, (WordReading(text, 0.95, 0.0, 1.0),))

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [self.reading for _ in crops]


@pytest.mark.parametrize(("lines", "kept"), [(3, 3), (6, 0)])
def test_lines_of_marks_above_each_other_are_a_printed_picture_and_left_out(lines, kept) -> None:
    stacked = FixedDetector(
        tuple(rectangle(10, 8 + 14 * i, 190, 20 + 14 * i) for i in range(lines))
    )
    page = read_page(PAGE, stacked, SaysAlways("*****"))
    assert len(page.lines) == kept
    assert [left.reason for left in page.left_out] == ["only marks"] * (lines - kept)


def test_the_only_figure_of_a_page_is_found_where_the_detector_finds_nothing() -> None:
    sheet = Image.new("L", (600, 400), 250)
    ImageDraw.Draw(sheet).text((280, 170), "9", 20, ImageFont.load_default(60))
    (line,) = read_page(np.asarray(sheet), FixedDetector(()), SaysAlways("9")).lines
    assert line.text == "9"
    assert line.box.x0 < 300 < line.box.x1


def test_a_bent_line_has_its_outline_and_its_words_follow_it() -> None:
    x = [20.0, 60.0, 100.0, 140.0, 180.0]
    y = [40.0, 30.0, 26.0, 30.0, 40.0]
    top = tuple(zip(x, y, strict=True))
    bent = FixedDetector((top + tuple((a, b + 20) for a, b in reversed(top)),))
    (line,) = read_page(PAGE, bent, SizeReader()).lines
    assert len(line.polygon) == 10
    left, right = line.words
    assert (left.box.x0, round(left.box.x1), right.box.x1) == (20, 100, 180)
    assert left.box.y1 == 60  # lowest at its end
    assert left.box.y0 == pytest.approx(26, abs=0.5)  # highest in the middle of the line


@pytest.mark.slow
def test_a_scan_of_140_megapixels_is_read_within_two_gigabytes(tmp_path: Path) -> None:
    page = next(load_pages(Path(__file__).parents[1] / "data/samples/letter.jpg"))
    Image.fromarray(page).resize((10_000, 14_000)).save(tmp_path / "large.png")
    code = (
        "import resource, sys\n"
        "from ocrkit import read_document\n"
        "(page,) = read_document(sys.argv[1]).pages\n"
        "print(len(page.lines), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "large.png")]
    lines, kilobytes = map(int, subprocess.check_output(command, text=True).split())
    assert lines == 23
    assert kilobytes < 2_000_000


@pytest.mark.parametrize("size", [(300, 300), (60, 80)])
def test_a_thumbnail_is_answered(size: tuple[int, int]) -> None:
    page = next(load_pages(Path(__file__).parents[1] / "data/samples/letter.jpg"))
    small = np.asarray(Image.fromarray(page).resize(size))
    read = read_page(small, load_detector(), Recognizer.load())
    assert (read.width, read.height) == size
