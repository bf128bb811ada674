from __future__ import annotations

import numpy as np
import pytest

from ocrkit.image import Preprocessing
from ocrkit.training.packing import PackedLines, find_gaps
from ocrkit.training.real_lines import RealLines, book_of, held_out_books, source_of


def test_a_name_says_source_and_book():
    name = "lines/fraktur-archi-bub_gb_53ZE-0007-12.webp"
    assert (source_of(name), book_of(name)) == ("fraktur-archi", "fraktur-archi-bub_gb_53ZE")


def test_the_smallest_books_of_a_source_are_held_out():
    names = [f"a-b-large{i % 3}-1-{i}" for i in range(90)] + [f"a-b-small-1-{i}" for i in range(6)]
    assert held_out_books(names) == {"a-b-small"}


def test_no_book_of_a_source_with_few_books_is_held_out():
    assert held_out_books([f"c-d-book{i}-1-1" for i in range(3)]) == set()


def test_the_first_words_of_a_line_are_joined_to_the_last_of_another_of_its_book(
    packed, reader_of_three_lines
):
    find_gaps(packed.folder, reader_of_three_lines)
    real = RealLines(PackedLines.load(packed.folder), [0, 1], Preprocessing())
    rng = np.random.default_rng(0)
    texts = {real._joined(0, rng)[1] for _ in range(60)}
    assert {"un Männer hier", "un pou- hier", "un deux"} <= texts
    assert "zwei" not in texts  # of the other line only its last words are used


def test_a_line_is_drawn_as_a_strip_of_the_height_of_the_network_with_its_text(packed):
    real = RealLines(packed.lines, [0, 1, 2], Preprocessing(height=40))
    rng = np.random.default_rng(1)
    drawn = [real.draw(rng) for _ in range(40)]
    assert {strip.shape[:2] for strip, _ in drawn} == {(1, 40)}
    assert {text for _, text in drawn} == set(packed.lines.texts)
    assert len({strip.tobytes() for strip, _ in drawn}) > 30  # mostly another way each time


def test_the_validation_lines_are_as_they_are_read(packed, memorised):
    real = RealLines(packed.lines, [2], Preprocessing())
    strip, text = real.plain(2)
    assert text == "trois"
    assert strip.tobytes() == real.plain(2)[0].tobytes()
    assert strip.shape[:2] == (1, 32)


@pytest.mark.parametrize("lines", [[0], [0, 1, 2]])
def test_the_chances_of_the_sources_add_up_to_one(packed, lines):
    assert sum(RealLines(packed.lines, lines, Preprocessing()).chances) == pytest.approx(1)
