from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from ocrkit.alphabet import Alphabet
from ocrkit.data import Sample
from ocrkit.errors import OcrkitError
from ocrkit.image import Preprocessing, tighten
from ocrkit.mixture import (
    MixedStream,
    PackedLines,
    RealLines,
    book,
    find_gaps,
    held_out_books,
    pack,
    source,
)
from ocrkit.model import ModelConfig
from ocrkit.recognize import Reading, WordReading
from ocrkit.synth.lines import LineGenerator

TEXTS = ("un pou¬ deux", "zwei Maͤnner hier", "trois", "漢字")


@pytest.fixture
def packed(tmp_path, only_few_fonts):
    """Four lines of two books, of which one cannot be written in the alphabet."""
    samples = []
    for i, text in enumerate(TEXTS):
        crop = LineGenerator(5, 24, 0.2, "prose")(i).image
        path = tmp_path / f"antiqua-fr-book{i // 2}-f1-{i}.png"
        cv2.imwrite(str(path), crop)
        samples.append(Sample(path, text))
    assert pack(samples, tmp_path / "packed") == 3
    return samples, PackedLines.load(tmp_path / "packed"), tmp_path / "packed"


def test_packed_lines_are_the_crops_as_cut_and_tightened_and_their_texts_normalized(packed):
    samples, lines, _ = packed
    assert lines.texts == ("un pou- deux", "zwei Männer hier", "trois")
    for i, sample in enumerate(samples[:3]):
        crop = cv2.imread(str(sample.path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(lines.crop(i, tight=False), crop)
        np.testing.assert_array_equal(lines.crop(i), tighten(crop))


def test_a_folder_without_packed_lines_is_refused(tmp_path):
    with pytest.raises(OcrkitError, match=r"ocrkit\.mixture MANIFEST"):
        PackedLines.load(tmp_path)


def test_names_say_set_and_book():
    name = "lines/fraktur-archi-bub_gb_53ZE-0007-12.webp"
    assert (source(name), book(name)) == ("fraktur-archi", "fraktur-archi-bub_gb_53ZE")


def test_the_smallest_books_of_a_set_are_held_out_and_no_set_of_few_books():
    names = [f"a-b-large{i % 3}-1-{i}" for i in range(90)] + [f"a-b-small-1-{i}" for i in range(6)]
    assert held_out_books([*names, "c-d-only-1-1"]) == {"a-b-small"}


def test_two_halves_of_lines_of_a_book_are_joined_with_their_texts(packed):
    _, _, folder = packed

    def read(crops):  # two gaps, at a third and at two thirds of the width
        words = [tuple(text.split()) for text in ("un pou- deux", "zwei Männer hier", "trois")]
        for _, parts in zip(crops, words, strict=True):
            n = len(parts)
            spans = [WordReading(w, 1.0, i / n, (i + 0.9) / n) for i, w in enumerate(parts)]
            yield Reading(" ".join(parts), 1.0, tuple(spans))

    assert find_gaps(folder, lambda crops: list(read(crops))) == 2
    lines = PackedLines.load(folder)
    assert sorted(lines.gaps) == [0, 1]
    real = RealLines(lines, [0, 1], Preprocessing())
    rng = np.random.default_rng(0)
    texts = {real._joined(0, rng)[1] for _ in range(60)}
    assert "un Männer hier" in texts and "un pou- hier" in texts and "zwei" not in texts


def test_batches_mix_real_and_synthetic_lines_in_the_share_asked_for(packed):
    _, lines, _ = packed
    real = RealLines(lines, [0, 1, 2], Preprocessing())
    config = ModelConfig(0.125, 16, "all")
    make = LineGenerator(3, 12, 0.0, "codes")

    def share(real_share: float) -> float:
        stream = MixedStream(real, make, Alphabet(), config, 1024, 0, real=real_share)
        texts = [text for batch in islice(stream, 40) for text in batch.texts]
        joined = set(lines.texts)
        return sum(text in joined for text in texts) / len(texts)

    assert share(0) == 0 and share(1) == 1
    assert 0.2 < share(0.5) < 0.8
