from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.errors import OcrkitError
from ocrkit.image import Preprocessing
from ocrkit.training.manifest import (
    Sample,
    load_crops,
    load_strips,
    read_manifest,
    split,
    write_manifest,
)


def manifest(folder: Path, content: str | bytes) -> Path:
    path = folder / "labels.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def samples(count: int) -> list[Sample]:
    return [Sample(Path(f"images/{i}.png"), f"text {i}") for i in range(count)]


# --- reading


def test_images_are_looked_for_beside_the_manifest(tmp_path):
    path = manifest(tmp_path, "a.png\tEin Wort\nsub/b c.jpg\tŒuvre ſelbſt\n")
    assert read_manifest(path) == [
        Sample(tmp_path / "a.png", "Ein Wort"),
        Sample(tmp_path / "sub" / "b c.jpg", "Œuvre ſelbſt"),
    ]


def test_an_absolute_path_is_kept(tmp_path):
    assert read_manifest(manifest(tmp_path, "/scans/a.png\tx"))[0].path == Path("/scans/a.png")


def test_line_ends_and_byte_order_mark_of_windows_are_read(tmp_path):
    path = manifest(tmp_path, "\ufeffa.png\teins\r\n\r\nb.png\tzwei\r\n".encode())
    assert [(s.path.name, s.text) for s in read_manifest(path)] == [
        ("a.png", "eins"),
        ("b.png", "zwei"),
    ]


def test_only_line_feeds_end_a_row(tmp_path):
    (sample,) = read_manifest(manifest(tmp_path, "a.png\tone\u2028two\x0bthree\n"))
    assert sample.text == "one\u2028two\x0bthree"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.png\tx\n\nb.png x\n", "line 3: must be .* not 'b.png x'"),
        ("a.png\tx\n\ty\n", "line 2: must be"),
        ("a.png\t \n", "line 1: must be"),
        ("a.png\tx\ty\n", "line 1: must be"),
        ("a.png\tx\nb.png\ty\na.png\tz\n", "line 3: 'a.png' is on line 1 already"),
        (b"a.png\tx\nb.png\tcaf\xe9\n", "line 2: not UTF-8"),
        (b"a.png\tx\na\x00.png\ty\n", r"line 2: the path 'a\\x00\.png' has a NUL byte"),
        ("a" * 10**6, "line 1: must be .* not 'a{80}\\.\\.\\.'$"),
        ("", "no row"),
        ("\n \n", "no row"),
    ],
)
def test_a_wrong_row_is_named_with_its_number(tmp_path, content, message):
    with pytest.raises(OcrkitError, match=rf"labels\.tsv.*{message}"):
        read_manifest(manifest(tmp_path, content))


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(OcrkitError, match=r"none\.txt: No such file"):
        read_manifest(tmp_path / "none.txt")


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(OcrkitError, match="no file can have this name"):
        read_manifest("a\0b.txt")


def read_or_refused(folder: Path, content: bytes) -> None:
    try:
        samples = read_manifest(manifest(folder, content))
    except OcrkitError as error:
        assert len(str(error).splitlines()) == 1
        return
    for sample in samples:
        with pytest.raises(OcrkitError):  # there is no such image
            load_crops([sample])


@given(content=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    read_or_refused(tmp_path_factory.getbasetemp(), content)


@given(data=st.data())
def test_any_change_of_a_manifest_is_read_or_refused(tmp_path_factory, data):
    content = bytearray(b"a.png\tone\nsub/b c.jpg\ttwo words\n")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    read_or_refused(tmp_path_factory.getbasetemp(), bytes(content))


# --- writing

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1)


@given(st.lists(texts.filter(str.strip).map(str.strip), min_size=1, max_size=5))
def test_a_written_manifest_is_read_back(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("set")
    written = [Sample(folder / "images" / f"{i}.png", text) for i, text in enumerate(labels)]
    write_manifest(folder / "all.txt", written)
    assert read_manifest(folder / "all.txt") == written


def test_paths_in_the_folder_are_relative_and_others_absolute(tmp_path):
    folder, elsewhere = tmp_path / "set", tmp_path / "scans" / "b.png"
    write_manifest(folder / "all.txt", [Sample(folder / "a.png", "x"), Sample(elsewhere, "y")])
    folder.rename(tmp_path / "moved")
    assert [s.path for s in read_manifest(tmp_path / "moved" / "all.txt")] == [
        tmp_path / "moved" / "a.png",
        elsewhere,
    ]


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\r", "", " "])
def test_a_text_that_cannot_be_read_back_is_refused_and_nothing_written(tmp_path, text):
    with pytest.raises(ValueError, match="without tabs and line breaks"):
        write_manifest(tmp_path / "all.txt", [Sample(tmp_path / "a.png", text)])
    assert list(tmp_path.iterdir()) == []


# --- splitting


@given(st.integers(10, 200), st.integers(), st.floats(0.1, 0.9))
def test_every_sample_is_in_one_part(count, seed, share):
    whole = samples(count)
    parts = split(whole, {"train": share, "validation": 1 - share}, seed)
    assert list(parts) == ["train", "validation"]
    together = parts["train"] + parts["validation"]
    assert sorted(together, key=str) == sorted(whole, key=str)
    assert abs(len(parts["train"]) - share * count) <= 1


def test_a_split_depends_on_the_seed_not_on_the_order():
    whole, shares = samples(100), {"train": 0.8, "validation": 0.1, "calibration": 0.1}
    parts = split(whole, shares, seed=3)
    assert [len(part) for part in parts.values()] == [80, 10, 10]
    mixed = random.Random(0).sample(whole, 100)
    assert split(mixed, shares, seed=3) == parts
    assert split(whole, shares, seed=4) != parts
    assert parts["train"] != whole[:80]


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.5, "b": 0.4}, {"a": 0.8, "b": 0.3}, {"a": 1.2, "b": -0.2}]
)
def test_shares_that_do_not_add_up_are_refused(shares):
    with pytest.raises(ValueError, match="add up to 1"):
        split(samples(10), shares, seed=0)


def test_too_few_samples_for_a_part_are_refused():
    with pytest.raises(ValueError, match="3 samples are too few for a part 'test'"):
        split(samples(3), {"train": 0.9, "test": 0.1}, seed=0)


# --- loading


def test_crops_are_grey(samples):
    crops = load_crops(samples)
    assert all(crop.ndim == 2 and crop.dtype == np.uint8 for crop in crops)
    assert crops[2].shape == (24, 71)
    strips = load_strips(samples, Preprocessing())
    assert {strip.shape[:3] for strip in strips} == {(1, 1, 32)}
    assert len(strips) == len(samples) and strips[0].dtype == np.float32


def test_a_line_of_a_page_has_its_image_with_it_and_is_called_by_its_number():
    image = np.full((4, 9), 7, np.uint8)
    line = Sample(Path("letter.json"), "text", "letter.json, page 2", 5, image)
    assert line.name == "letter.json, page 2, line 5"
    assert Sample(Path("a.png"), "text", "a").name == "a.png"
    assert load_crops([line])[0] is image
