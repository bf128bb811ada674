from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.lines import Crop
from ocrkit.training.batches import Batch, bucketed, collate, padding, steps_needed

DIGITS = Alphabet("0123456789")


def blank(width: int, text: str) -> Crop:
    return Crop(np.full((32, width), 255, np.uint8), text)


@dataclass(frozen=True)
class Numbered:
    """Crops of four widths whose text is their number; can be sent to a process."""

    def __call__(self, index: int) -> Crop:
        return blank(32 * (2 + index % 4), str(index))


def batches_of(crops: list[Crop], columns: int = 256, pool: int = 16) -> list[Batch]:
    return list(bucketed(iter(crops), DIGITS, Preprocessing(), columns, pool))


def same(a: Batch, b: Batch) -> bool:
    tensors = zip((a.images, a.targets, a.lengths), (b.images, b.targets, b.lengths), strict=True)
    return a.texts == b.texts and all(torch.equal(x, y) for x, y in tensors)


@pytest.mark.parametrize(
    ("label", "steps"),
    [([], 0), ([1], 1), ([1, 2, 3], 3), ([1, 1], 3), ([1, 1, 1, 2, 2], 8), ([1, 2, 1, 2], 4)],
)
def test_ctc_needs_a_step_per_character_and_one_between_equal_neighbours(label, steps):
    assert steps_needed(label) == steps


def test_padding_is_the_share_of_columns_added_to_narrower_lines():
    assert padding([10, 30, 20, 20], 2) == pytest.approx(20 / 100)
    assert padding([10, 30, 20], 2) == pytest.approx(20 / 80)
    assert padding([20, 20, 5], 2) == 0


def test_a_batch_has_the_images_and_the_targets_in_order():
    strips = [np.full((1, 32, 64), value, np.float32) for value in (0.25, 0.75)]
    batch = collate(strips, ["01", "9"], DIGITS)
    assert batch.images.shape == (2, 1, 32, 64)
    assert batch.images.dtype == torch.float32
    assert batch.images[:, 0, 0, 0].tolist() == [0.25, 0.75]
    assert batch.targets.tolist() == [1, 2, 10]
    assert batch.lengths.tolist() == [2, 1]
    assert batch.texts == ("01", "9")


def test_a_target_outside_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="outside the alphabet: x"):
        collate([np.zeros((1, 32, 64), np.float32)], ["x"], DIGITS)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(20, 300), st.text("0123456789", min_size=1, max_size=9))))
def test_every_line_is_used_once_unless_too_narrow_for_its_target(rows):
    def fits(width: int, text: str) -> bool:
        steps = -(-width // 32) * 32 // 4 + 1
        return steps_needed(DIGITS.encode(text)) <= steps

    batches = batches_of([blank(width, text) for width, text in rows])
    texts = Counter(text for batch in batches for text in batch.texts)
    assert texts == Counter(text for width, text in rows if fits(width, text))


def test_a_target_with_just_enough_steps_is_kept_and_a_longer_one_left_out():
    # 32 columns are 9 steps: "11111" takes 5 and 4 between them, one more character is too many.
    (batch,) = batches_of([blank(32, "11111"), blank(32, "111112"), blank(32, "123456789")])
    assert sorted(batch.texts) == ["11111", "123456789"]


@settings(max_examples=30)
@given(st.lists(st.integers(33, 700), max_size=40))
def test_each_batch_is_of_one_width_and_has_about_the_columns_asked_for(widths):
    for batch in batches_of([blank(width, "7") for width in widths], columns=512):
        lines, _, height, width = batch.images.shape
        assert height == 32
        assert width % 32 == 0
        assert lines * width <= 512 or lines <= 4


def test_images_stay_with_their_texts():
    def shaded(number: int) -> Crop:
        image = np.full((32, 64 + 32 * (number % 3)), 255, np.uint8)
        image[:, : 2 * number] = 0
        return Crop(image, str(number))

    for batch in batches_of([shaded(n) for n in range(1, 15)]):
        for strip, text in zip(batch.images, batch.texts, strict=True):
            assert (strip[0, 16] > 0.5).sum() == 2 * int(text)


def test_batches_are_the_same_each_time():
    crops = [Numbered()(i) for i in range(50)]
    first, again = batches_of(crops), batches_of(crops)
    assert len(first) == len(again) > 4
    assert all(same(a, b) for a, b in zip(first, again, strict=True))


def test_narrow_and_wide_batches_alternate():
    batches = batches_of([Numbered()(i) for i in range(64)], columns=64, pool=64)
    widths = [batch.images.shape[3] for batch in batches]
    assert widths != sorted(widths)


def test_a_pool_without_usable_lines_does_not_end_the_stream():
    crops = [blank(8, "1111111111")] * 4 + [blank(64, "1")]
    assert [batch.texts for batch in batches_of(crops, pool=4)] == [("1",)]


def test_crops_are_drawn_a_pool_at_a_time():
    drawn = []

    def crops():
        for index in range(1000):
            drawn.append(index)
            yield Numbered()(index)

    batches = bucketed(crops(), DIGITS, Preprocessing(), 256, pool=8)
    next(batches)
    assert len(drawn) == 8
