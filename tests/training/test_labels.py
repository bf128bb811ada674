from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.errors import OcrkitError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.training.labels import check_labels, missing_characters, split_by_page
from ocrkit.training.manifest import Sample


def lines_of(memorised, texts: dict[int, str] | None = None) -> list[Sample]:
    """The eight lines that the network knows, some with another text."""
    texts = dict(enumerate(memorised.batch.texts)) | (texts or {})
    return [
        Sample(Path("p.json"), texts[i], "p", i + 1, crop) for i, crop in enumerate(memorised.crops)
    ]


def test_right_labels_are_kept_with_their_images(memorised):
    checked = check_labels(memorised.model, lines_of(memorised), show_progress=False)
    assert checked.refused == ()
    assert [sample.text for sample in checked.samples] == list(memorised.batch.texts)
    assert all(sample.image is not None for sample in checked.samples)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("  ", "it has no text"),
        ("Ωmega", "outside the alphabet: Ω"),
        ("tommy" * 9, "45 characters are too many for its image"),
    ],
)
def test_a_label_that_cannot_be_learned_is_named_with_its_reason(memorised, text, reason):
    samples = lines_of(memorised, {2: text})
    checked = check_labels(memorised.model, samples, show_progress=False)
    (refused,) = checked.refused
    assert refused.name == "p, line 3"
    assert reason in refused.reason
    assert len(checked.samples) == 7


def test_labels_that_are_swapped_are_both_named(memorised):
    first, second = memorised.batch.texts[4:6]
    samples = lines_of(memorised, {4: second, 5: first})
    checked = check_labels(memorised.model, samples, show_progress=False)
    assert [line.name for line in checked.refused] == ["p, line 5", "p, line 6"]
    assert "that of p, line 6; are they swapped?" in checked.refused[0].reason


def test_an_unlikely_label_stays_if_its_neighbours_are_no_better(memorised):
    samples = lines_of(memorised, {4: "E S 1"[:3]})  # the reader may be wrong, and the person right
    checked = check_labels(memorised.model, samples, show_progress=False)
    assert len(checked.samples) == 8


def test_missing_characters_are_listed_by_how_often_they_are_used():
    samples = [Sample(Path("a"), text) for text in ("aΩb", "ΨΩ", "ﬁ¬")]
    assert missing_characters(Alphabet("abfi-"), samples) == "ΩΨ"


def pages(*sizes: int) -> list[Sample]:
    return [Sample(Path(f"{p}-{i}"), "x", str(p)) for p, n in enumerate(sizes) for i in range(n)]


@given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.integers(0, 5))
def test_no_page_is_on_both_sides_of_the_split(sizes, seed):
    samples = pages(*sizes)
    train, validation = split_by_page(samples, 0.15, seed)
    assert train and validation
    assert {s.page for s in train} & {s.page for s in validation} == set()
    assert sorted(s.path for s in train + validation) == sorted(s.path for s in samples)


def test_about_the_share_is_for_validation_and_the_seed_decides():
    samples = pages(*[10] * 40)
    parts = [split_by_page(samples, 0.15, seed)[1] for seed in (0, 0, 1)]
    assert len(parts[0]) == 60
    assert parts[0] == parts[1] != parts[2]


def test_of_a_single_page_the_last_lines_are_for_validation():
    train, validation = split_by_page(pages(20), 0.15)
    assert [s.path.name for s in validation] == ["0-17", "0-18", "0-19"]
    assert len(train) == 17
    with pytest.raises(OcrkitError, match="at least two lines"):
        split_by_page(pages(1))
