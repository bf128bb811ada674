from __future__ import annotations

import cv2
import numpy as np
from numpy.random import default_rng
from PIL import Image, ImageDraw, ImageFont

from ocrkit.detection.complete import complete
from ocrkit.detection.found import Found
from ocrkit.detection.second_look import few_letters

SIZE = 30  # of the text, px
FONT = ImageFont.load_default(SIZE)


class Sheet:
    """A page that text is drawn on, and the boxes of the text that a detector is to know."""

    def __init__(self, width: int = 1000, height: int = 700) -> None:
        self.image = Image.new("L", (width, height), 240)
        self.pen = ImageDraw.Draw(self.image)
        self.known: list[np.ndarray] = []

    def text(self, x: int, y: int, text: str, known: bool = True, size: int = SIZE) -> None:
        """Draw a text whose baseline is y."""
        font = ImageFont.load_default(size)
        self.pen.text((x, y), text, 20, font, anchor="ls")
        end = x + font.getlength(text)
        if known:
            top, bottom = y - 0.85 * size, y + 0.3 * size
            self.known.append(
                np.array([(x - 4, top), (end + 4, top), (end + 4, bottom), (x - 4, bottom)])
            )

    def found(self) -> list[Found]:
        page = np.asarray(self.image)
        return complete(page, [p.astype(np.float32) for p in self.known], lambda part: [])[0]

    def new(self) -> list[Found]:
        return self.found()[len(self.known) :]


def middle(found: Found) -> tuple[int, int]:
    x, y = found.polygon.mean(axis=0)
    return round(float(x)), round(float(y))


def test_lines_to_which_nothing_is_added_stay_exactly_as_they_are() -> None:
    sheet = Sheet()
    for i in range(5):
        sheet.text(60, 100 + 50 * i, "A line of text without anything beside it")
    found = sheet.found()
    assert [line.number for line in found] == [0, 1, 2, 3, 4]
    for line, known in zip(found, sheet.known, strict=True):
        assert np.array_equal(line.polygon, known.astype(np.float32))


def test_nothing_is_found_on_a_page_without_lines() -> None:
    assert Sheet().found() == []


def test_lone_figures_of_a_column_are_found() -> None:
    sheet = Sheet()
    for i, sign in enumerate("37142569"):
        sheet.text(60, 100 + 60 * i, "Tea and sugar")
        sheet.text(700, 100 + 60 * i, sign, known=False)
    marks = sorted(middle(line)[1] for line in sheet.new() if line.mark)
    np.testing.assert_allclose(marks, [92 + 60 * i for i in range(8)], atol=8)


def test_dashes_and_ditto_marks_of_a_column_are_known_by_their_shape() -> None:
    sheet = Sheet()
    for i in range(6):
        sheet.text(60, 100 + 60 * i, "Tea and sugar")
        y = 100 + 60 * i
        if i % 3 == 0:
            sheet.pen.line((690, y - 10, 720, y - 10), 20, 3)
        elif i % 3 == 1:
            sheet.pen.line((700, y - 10, 712, y - 10), 20, 3)
        else:
            for x in (701, 708):
                sheet.pen.rectangle((x, y - 22, x + 3, y - 14), 20)
    signs = [line.sign for line in sorted(sheet.new(), key=lambda line: middle(line)[1])]
    assert signs == ["—", "-", "”"] * 2


def test_specks_beside_text_are_no_marks() -> None:
    sheet, rng = Sheet(), default_rng(0)
    for i in range(10):
        sheet.text(60, 60 + 60 * i, "Tea and sugar, and bread")
    for _ in range(60):
        x, y = rng.uniform(450, 980), rng.uniform(0, 690)
        sheet.pen.ellipse((x, y, x + 3, y + 3), 40)
    assert sheet.new() == []


def test_a_line_ends_where_its_leader_begins_and_the_number_is_a_line() -> None:
    sheet = Sheet()
    for i, number in enumerate(["1", "17", "204", "9"]):
        y = 100 + 80 * i
        sheet.text(60, y, "Of fires and floods")
        sheet.text(900, y, number, known=False)
        end = sheet.known[-1][1, 0]
        for x in range(int(end) + 10, 880, 14):
            sheet.pen.ellipse((x, y - 4, x + 3, y - 1), 20)
        sheet.known[-1][1:3, 0] = 600  # the detector goes on along the dots
    found = sheet.found()
    titles = [line for line in found if line.leader]
    assert len(titles) == 4
    for line in titles:
        assert line.polygon[:, 0].max() < 350
    numbers = [line for line in found if line.polygon[:, 0].min() > 870]
    levels = sorted(middle(line)[1] for line in numbers)
    np.testing.assert_allclose(levels, [92, 172, 252, 332], atol=4)


def row_of_dashes(long: int, gap: int, known: bool) -> list[Found]:
    """Three lines of text, and eight dashes below them that the detector knows as a line."""
    sheet = Sheet()
    for y in (100, 150, 200):
        sheet.text(60, y, "A line of text without anything beside it")
    for n in range(8):
        sheet.pen.rectangle((60 + n * (long + gap), 290, 59 + n * (long + gap) + long, 292), 20)
    if known:
        right = 64 + 8 * (long + gap)
        sheet.known.append(np.array([(56, 276), (right, 276), (right, 306), (56, 306)]))
    return [line for line in sheet.found() if line.polygon[:, 1].min() > 220]


def test_a_row_of_dashes_is_a_line_by_itself_and_no_leader() -> None:
    for long in range(20, 28, 2):
        for gap in range(2, 9, 2):
            (row,) = row_of_dashes(long, gap, known=True)
            assert row.number is not None
            assert not row.leader


def test_a_bent_line_is_not_cut_at_the_leader_of_another_line() -> None:
    sheet = Sheet()
    for x in range(300, 600, 14):
        sheet.pen.ellipse((x, 96, x + 3, 99), 20)
    sheet.text(60, 100, "Of fires and")
    sheet.text(620, 100, "17")
    x, y = np.array([60.0, 250, 450, 650, 850]), np.array([80.0, 105, 118, 105, 80])
    for at, down in zip(x, y, strict=True):
        sheet.pen.text((at, down + 26), "men", 20, FONT, anchor="ls")
    x[-1] += 60
    sheet.known.append(np.concatenate([np.stack([x, y], 1), np.stack([x, y + 38], 1)[::-1]]))
    (bent,) = [line for line in sheet.found() if len(line.polygon) == 10]
    assert bent.number == 2
    assert not bent.leader


def test_a_line_that_grows_is_not_one_after_a_leader() -> None:
    sheet = Sheet()
    for i in range(4):
        sheet.text(60, 100 + 60 * i, "Of fires and floods")
    sheet.text(60, 340, "... 222")
    sheet.known[-1][2:, 1] -= 16  # the detector cut the feet of the figures
    line = sheet.found()[4]
    assert line.number is None
    assert not line.led_to


def leader_sheet(text: str, dot: int, step: int, first: int) -> list[Found]:
    """Four entries with a leader of `dot` px dots, each `step` px from the last, up to a number."""
    sheet = Sheet()
    for i in range(4):
        y = 100 + 80 * i
        sheet.text(60, y, text)
        sheet.text(900, y, "17", known=False)
        end = 60 + FONT.getlength(text)
        for x in range(int(end) + first, 880, step):
            sheet.pen.ellipse((x, y - dot, x + dot - 1, y - 1), 20)
        sheet.known[-1][1:3, 0] = 940  # the detector goes on to the number
    return sheet.found()


def test_dots_that_touch_are_a_leader_and_a_rule_to_write_on_is_none() -> None:
    found = leader_sheet("Of fires and floods", dot=5, step=5, first=12)
    assert [line.leader for line in found] == [True, False] * 4
    sheet = Sheet()
    for i in range(4):
        sheet.text(60, 100 + 80 * i, "Name")
        sheet.pen.line((180, 98 + 80 * i, 600, 98 + 80 * i), 20, 3)
        sheet.known[-1][1:3, 0] = 600
    assert not any(line.leader for line in sheet.found())


def test_a_full_stop_before_a_leader_stays_in_its_line() -> None:
    stop = 60 + FONT.getlength("Of fires and floods.")
    for step, first in ((16, 12), (8, 14)):
        titles = [f for f in leader_sheet("Of fires and floods.", 4, step, first) if f.leader]
        assert len(titles) == 4
        for line in titles:
            assert stop - 3 < line.polygon[:, 0].max() < stop + first


def test_a_number_after_a_leader_is_as_high_as_its_figures() -> None:
    sheet = Sheet()
    for i in range(4):
        sheet.text(60, 100 + 60 * i, "Of fires and floods")
        sheet.text(900, 100 + 60 * i, "222")
        sheet.known[-1][:2, 1] += 2
        sheet.known[-1][2:, 1] -= 16  # the detector cut the feet of the figures
    for line in sheet.found()[1::2]:
        assert line.polygon[:, 1].max() % 60 > 40


def test_a_ditto_mark_is_confirmed_by_marks_that_the_detector_missed() -> None:
    sheet = Sheet()
    for i in range(5):
        y = 100 + 60 * i
        sheet.text(60, y, "Tea and sugar")
        if i == 2:
            sheet.text(700, y, "»")
        else:
            sheet.pen.line((700, y - 10, 714, y - 10), 20, 3)
    (mark,) = [line for line in sheet.found()[: len(sheet.known)] if line.mark]
    assert middle(mark)[0] > 690


def test_a_large_capital_belongs_to_the_first_line_beside_it() -> None:
    sheet = Sheet()
    sheet.text(60, 176, "T", known=False, size=110)
    left = 60 + round(ImageFont.load_default(110).getlength("T")) + 6
    for y, text in (
        (100, "he winter of that year was long,"),
        (138, "and the ice held on the river"),
    ):
        sheet.text(left, y + 16, text)
    for y in (230, 268, 306):
        sheet.text(60, y, "so that no boat could pass the weir.")
    first, second, *rest = sheet.found()
    assert first.initial is not None
    x0, y0, x1, y1 = first.initial
    assert 55 < x0 < 75
    assert x1 < left
    assert y1 - y0 > 60
    assert all(line.initial is None for line in (second, *rest))


def test_a_ring_around_a_word_is_no_capital() -> None:
    sheet = Sheet()
    for i in range(4):
        sheet.text(200, 100 + 45 * i, "The account was paid in full today")
    sheet.pen.ellipse((120, 60, 260, 200), outline=20, width=3)
    assert all(line.initial is None for line in sheet.found())


def turned_word(sheet: Sheet, x: int, y: int, text: str, angle: int) -> None:
    font = ImageFont.load_default(SIZE)
    word = Image.new("L", (round(font.getlength(text)) + 8, 44), 240)
    ImageDraw.Draw(word).text((4, 34), text, 20, font, anchor="ls")
    sheet.image.paste(word.rotate(angle, expand=True), (x, y))


def test_a_word_turned_by_90_degrees_is_found() -> None:
    for angle in (90, 270):
        sheet = Sheet()
        for i in range(6):
            sheet.text(200, 100 + 60 * i, "The names of those who had paid")
        turned_word(sheet, 80, 120, "Received in March", angle)
        (line,) = sheet.new()
        assert line.turned
        box = np.ptp(line.polygon, axis=0)
        assert box[1] > 200
        assert box[0] < 60


def test_a_page_of_which_all_is_turned() -> None:
    sheet = Sheet()
    turned_word(sheet, 80, 120, "Received in March", 90)
    for y in range(130, 340, 30):  # what a detector of upright lines makes of its letters
        box = [(84, y), (112, y), (112, y + 26), (84, y + 26)]
        sheet.known.append(np.array(box, np.float32))
    sheet.pen.text((300, 200), "7", 20, ImageFont.load_default(SIZE), anchor="ls")
    assert all(line.turned for line in sheet.found())


def test_figures_below_each_other_are_no_turned_word() -> None:
    sheet = Sheet()
    for i in range(8):
        sheet.text(60, 100 + 36 * i, "Tea and sugar")
        sheet.text(700, 100 + 36 * i, f"{17 * i + 130}", known=i % 2 == 0)
    assert not any(line.turned for line in sheet.found())


def test_a_headline_far_larger_than_the_text_gets_a_second_look() -> None:
    sheet = Sheet()
    for i in range(6):
        sheet.text(60, 400 + 45 * i, "a small line of text below the headline")
    sheet.text(60, 260, "NEWS", known=False, size=240)
    looked: list[tuple[int, ...]] = []

    def detector(part: np.ndarray) -> list[np.ndarray]:
        height, width = part.shape
        looked.append(part.shape)
        return [
            np.array([(9, 9), (width - 9, 9), (width - 9, height - 9), (9, height - 9)], np.float32)
        ]

    found, _ = complete(
        np.asarray(sheet.image), [p.astype(np.float32) for p in sheet.known], detector
    )
    assert len(looked) == 1
    assert max(looked[0]) < 300  # on a small picture
    (headline,) = found[6:]
    assert headline.polygon[:, 0].min() < 100
    assert headline.polygon[:, 0].max() > 500
    assert np.ptp(headline.polygon[:, 1]) > 150


def test_rows_of_equal_marks_are_found_with_their_spaces() -> None:
    sheet = Sheet()
    for y in (100, 150, 250, 350, 450, 550):
        sheet.text(60, y, "A line of text without anything beside it")
    for y, width, step in ((190, 9, 14), (290, 9, 22), (390, 24, 34)):
        for n in range(5):
            x = 60 + n * step
            sheet.pen.rectangle((x, y, x + width, y + 2), 20)
    for n in range(4):
        for y in (486, 492):
            sheet.pen.rectangle((60 + 25 * n, y, 76 + 25 * n, y + 2), 20)
    rows = sorted(sheet.new(), key=lambda line: middle(line)[1])
    assert [line.sign for line in rows] == ["-----", "- - - - -", "— — — — —", "= = = ="]
    assert all(line.mark for line in rows)


def test_pieces_of_a_dashed_rule_are_no_row_of_marks() -> None:
    sheet = Sheet()
    for y in (100, 200, 300):
        sheet.text(60, y, "A line of text without anything beside it")
    for n in range(6):
        sheet.pen.rectangle((420 + 20 * n, 150, 429 + 20 * n, 152), 20)
    assert sheet.new() == []


def test_specks_and_lines_to_write_on_are_no_rows_of_marks() -> None:
    sheet, rng = Sheet(), default_rng(1)
    for y in (100, 300, 500):
        sheet.text(60, y, "A line of text without anything beside it")
    for _ in range(40):
        x, y = rng.uniform(20, 980), rng.uniform(0, 690)
        sheet.pen.ellipse((x, y, x + rng.uniform(2, 5), y + rng.uniform(2, 5)), 40)
    for n in range(60):
        sheet.pen.ellipse((60 + 12 * n, 400, 63 + 12 * n, 403), 20)
    assert sheet.new() == []


def test_ditto_marks_are_known_where_there_are_more_of_them_than_words() -> None:
    sheet = Sheet()
    for i in range(6):
        y = 100 + 60 * i
        sheet.text(60, y, "Tea and sugar")
        for x in (500, 650, 800):
            for half in (x, x + 8):
                sheet.pen.rectangle((half, y - 22, half + 3, y - 14), 20)
            sheet.known.append(
                np.array([(x - 3, y - 25), (x + 14, y - 25), (x + 14, y - 11), (x - 3, y - 11)])
            )
    signs = [line.sign for line in sheet.found() if line.polygon[0, 0] > 400]
    assert signs == ["”"] * 18


def test_the_only_figure_of_a_page_is_found_and_specks_are_not() -> None:
    sheet = Sheet(600, 400)
    assert few_letters(np.asarray(sheet.image)) == []
    for x, y in ((40, 50), (300, 350), (550, 80)):
        sheet.pen.ellipse((x, y, x + 4, y + 4), 60)
    assert few_letters(np.asarray(sheet.image)) == []
    sheet.text(280, 220, "1", known=False, size=40)
    (polygon,) = few_letters(np.asarray(sheet.image))
    assert np.ptp(polygon[:, 1]) > 30
    np.testing.assert_allclose(polygon.mean(axis=0), (291, 205), atol=6)


def test_ditto_marks_whose_halves_run_together_are_known_and_a_small_letter_is_not() -> None:
    sheet = Sheet()
    for i in range(5):
        y = 100 + 60 * i
        sheet.text(60, y, "Tea and sugar")
        sheet.pen.rectangle((500, y - 22, 515, y - 11), 180)  # pale ink between the halves
        for half in (500, 511):
            sheet.pen.rectangle((half, y - 22, half + 4, y - 11), 20)
        sheet.text(700, y, "n", known=False)
    marks = sheet.new()
    signs = [[m.sign for m in marks if abs(middle(m)[0] - x) < 20] for x in (506, 708)]
    assert signs[0].count("”") >= 3  # the smaller the page, the less is left between the halves
    assert signs[1] == [""] * 5


def test_lines_that_a_large_capital_joins_are_found_without_it() -> None:
    sheet = Sheet()
    sheet.text(60, 146, "W", known=False, size=85)
    texts = "hen the winter of that year was long", "and the ice held upon the river"
    both = np.array([(60, 75), (700, 75), (700, 155), (60, 155)], np.float32)
    below = [both + (0, 90), both + (0, 140), both + (0, 190)]
    for polygon in below:
        polygon[2:, 1] = polygon[0, 1] + 35
        sheet.pen.text((60, polygon[2, 1] - 8), "so that no boat could pass", 20, FONT, anchor="ls")
    for text, y in zip(texts, (108, 146), strict=True):
        sheet.pen.text((150, y), text, 20, FONT, anchor="ls")

    def found_again(part: np.ndarray) -> list[np.ndarray]:
        step = part.shape[0] / 3
        return [
            np.array([(2, y), (400, y), (400, y + step), (2, y + step)], np.float32)
            for y in (0.5 * step, 1.5 * step)
        ]

    lines, _ = complete(np.asarray(sheet.image), [both, *below], found_again)
    beside = [line for line in lines if line.polygon[0, 1] < 150]
    assert len(beside) == 2
    assert sum(line.initial is not None for line in beside) == 1


def test_a_large_mark_that_is_wider_than_the_line_over_it_is_no_capital() -> None:
    """The detector is not asked about a part of the page that has no width."""
    page = np.full((400, 500), 255, np.uint8)
    page[150:170, 40:180:6] = 0  # a line of strokes
    cv2.ellipse(page, (155, 160), (130, 80), 0, 0, 360, 0, 24)

    def asked(part: np.ndarray) -> list[np.ndarray]:
        assert min(part.shape) > 0
        return []

    line = np.array([(40, 148), (180, 148), (180, 172), (40, 172)], np.float32)
    lines, _ = complete(page, [line], asked)
    assert len(lines) >= 1


def test_a_row_of_a_few_specks_is_known_and_equal_marks_and_letters_of_dots_are_none() -> None:
    sheet, rng = Sheet(), default_rng(0)
    sheet.text(60, 100, "Tea and sugar, and bread")
    sheet.text(60, 200, "Tea and sugar, and bread")
    ends = [(60, 380), (60, 480), (60, 580)]
    for i, y in enumerate(y for _, y in ends):
        if i == 0:  # specks
            for x in range(70, 600, 60):
                at = y - int(rng.uniform(0, 20))
                sheet.pen.ellipse((x, at, x + 3, at + 3), 40)
        elif i == 1:  # a row of dots
            for x in range(70, 600, 30):
                sheet.pen.ellipse((x, y - 6, x + 4, y - 2), 40)
        else:  # the letters of a printer of dots
            for x in range(70, 600, 6):
                for down in range(0, 22, 6):
                    sheet.pen.point([(x, y - down), (x + 1, y - down), (x, y - down + 1)], 40)
        box = [(60, y - 25), (620, y - 25), (620, y + 6), (60, y + 6)]
        sheet.known.append(np.array(box, np.float64))
    specks = [middle(line)[1] for line in sheet.found() if line.specks]
    assert specks == [round(380 - 9.5)]
