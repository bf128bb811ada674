from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ocrkit.image import parts_of
from ocrkit.recognition.parts import joined, read_in_parts
from ocrkit.recognition.reading import EMPTY, Reading, WordReading


def crop(words: int) -> np.ndarray:
    """A line 20 px high of words 50 px wide, with spaces of 14 px."""
    word = np.full((20, 64), 240, np.uint8)
    word[4:16, 7:57] = 20
    return np.tile(word, words)


@pytest.mark.parametrize("words", [1, 5, 17])
def test_a_line_of_usual_length_is_one_part(words: int) -> None:
    (part,) = parts_of(crop(words))
    assert np.array_equal(part, crop(words))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("words", [18, 40, 100])
def test_a_long_line_is_cut_between_words(words: int, dark: bool) -> None:
    line = 255 - crop(words) if dark else crop(words)
    parts = parts_of(line)
    assert len(parts) > 1
    assert np.array_equal(np.hstack(parts), line)
    paper = 15 if dark else 240
    for part in parts:
        assert part.shape[1] <= 70 * part.shape[0]
        assert (part[:, 0] == paper).all()
        assert (part[:, -1] == paper).all()


def test_words_of_joined_parts_have_their_place_in_the_whole_line() -> None:
    first = Reading("ab", 0.5, (WordReading("ab", 0.5, 0.5, 1.0),))
    second = Reading("cd ef", 0.8, (WordReading("cd", 0.8, 0, 0.5), WordReading("ef", 0.8, 0.5, 1)))
    whole = joined([first, EMPTY, second], [100, 100, 200])
    assert whole.text == "ab cd ef"
    assert [(word.start, word.end) for word in whole.words] == [
        (0.125, 0.25),
        (0.5, 0.75),
        (0.75, 1),
    ]
    assert whole.confidence == pytest.approx((2 * 0.5 + 5 * 0.8) / 7)


def test_lines_are_read_in_order_whatever_their_lengths() -> None:
    def widths(crops: Sequence[np.ndarray]) -> list[Reading]:
        return [Reading(str(crop.shape[1]), 1.0) for crop in crops]

    short, long, last = read_in_parts(widths, [crop(2), crop(40), crop(3)])
    assert (short.text, last.text) == ("128", "192")
    assert sum(map(int, long.text.split())) == 40 * 64
