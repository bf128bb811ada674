from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocrkit.errors import OcrkitError
from ocrkit.image import tighten
from ocrkit.training.packing import PackedLines, find_gaps, pack


def test_packed_lines_are_the_crops_as_cut_and_tightened_with_normalised_texts(packed):
    assert packed.lines.texts == ("un pou- deux", "zwei Männer hier", "trois")
    assert [name[-1] for name in packed.lines.names] == ["0", "1", "2"]
    for i, sample in enumerate(packed.samples[:3]):
        crop = cv2.imread(str(sample.path), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(packed.lines.crop(i, tight=False), crop)
        np.testing.assert_array_equal(packed.lines.crop(i), tighten(crop))


def test_a_folder_without_packed_lines_is_refused(tmp_path):
    with pytest.raises(OcrkitError, match=r"No such file.*ocrkit\.training\.packing MANIFEST"):
        PackedLines.load(tmp_path)


@pytest.mark.parametrize("content", ["no numbers\n", "1\t2\t3\n", "9\t9\t9\t9\tname\ttext\n"])
def test_damaged_packed_lines_are_refused(packed, content):
    (packed.folder / "lines.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(OcrkitError, match="is damaged"):
        PackedLines.load(packed.folder)


def test_no_lines_at_all_can_be_packed_and_loaded(tmp_path):
    assert pack([], tmp_path) == 0
    assert len(PackedLines.load(tmp_path)) == 0


def test_gaps_are_found_only_in_lines_with_several_words(packed, reader_of_three_lines):
    assert find_gaps(packed.folder, reader_of_three_lines) == 2
    lines = PackedLines.load(packed.folder)
    assert sorted(lines.gaps) == [0, 1]
    for i, gaps in lines.gaps.items():
        brightness = lines.crop(i).mean(axis=0)
        assert len(gaps) == 2
        assert all(brightness[gap] > brightness.mean() for gap in gaps)  # not within a letter


def test_no_gaps_are_taken_from_a_wrong_reading(packed, reader_of_three_lines):
    def misread(crops):
        return [
            type(r)("x" * len(r.text), r.confidence, r.words) for r in reader_of_three_lines(crops)
        ]

    assert find_gaps(packed.folder, misread) == 0
