from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFont
from trdg import computer_text_generator

from ocrkit.image import load_pages
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth import words
from ocrkit.synth.words import draw_word, reference_documents, reference_words

SIZES = {"train": 6, "test": 3, "extra_test": 4}


def rows(manifest: Path) -> list[list[str]]:
    text = manifest.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [row.split("\t") for row in text[:-1].split("\n")]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    reference_words(folder, **SIZES, progress=False)
    return folder


@pytest.mark.parametrize(("name", "size"), [("train", 6), ("test", 3), ("test1000", 4)])
def test_a_set_is_a_folder_of_images_64_pixels_high_with_a_manifest(made, name, size):
    listed = rows(made / f"{name}.txt")
    assert len(listed) == size
    assert {path for path, _ in listed} == {f"{name}/{p.name}" for p in (made / name).iterdir()}
    for path, word in listed:
        (page,) = load_pages(made / path)
        assert page.shape[0] == 64
        assert page.shape[1] > 8 * len(word)
        assert page.min() < 90 and np.median(page) > 200  # dark letters on light paper


def test_no_word_is_in_two_sets_or_twice_in_one(made):
    labels = [
        word for name in ("train", "test", "test1000") for _, word in rows(made / f"{name}.txt")
    ]
    assert len(set(labels)) == len(labels) == 13


def test_the_same_seed_gives_the_same_files_in_another_process(made, tmp_path):
    code = (
        "import random; random.seed(99)\n"
        "from ocrkit.synth.words import reference_words\n"
        f"reference_words({str(tmp_path)!r}, 6, 3, 4, progress=False)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert contents(tmp_path) == contents(made)


def test_another_seed_gives_other_words_and_images(tmp_path, made):
    reference_words(tmp_path, **SIZES, seed=1, progress=False)
    assert not {word for _, word in rows(tmp_path / "train.txt")} & {
        word for _, word in rows(made / "train.txt")
    }
    assert draw_word("panopticon", 0).tobytes() != draw_word("panopticon", 1).tobytes()


def test_the_words_of_a_seed_are_the_same_in_every_version(made):
    assert [word for _, word in rows(made / "test1000.txt")] == [
        "millimicron",
        "nonseparatist",
        "Mixtecs",
        "intrication",
    ]


def test_a_larger_training_set_does_not_change_the_test_sets(made, tmp_path):
    reference_words(tmp_path, **SIZES | {"train": 9}, progress=False)
    for name in ("test", "test1000"):
        assert rows(tmp_path / f"{name}.txt") == rows(made / f"{name}.txt")


def test_the_alphabet_has_every_character_of_the_dictionary():
    dictionary = "".join(words._shuffled_words(466_479, 0))
    assert Alphabet().missing(dictionary) == ""


def test_a_finished_set_is_not_made_again(made, monkeypatch):
    before = contents(made)
    monkeypatch.setattr(words, "draw_word", lambda *_: pytest.fail("an image was made again"))
    reference_words(made, **SIZES, progress=False)
    assert contents(made) == before


def test_an_incomplete_set_is_completed(made, tmp_path, monkeypatch):
    def full_disk(word: str, seed: int) -> Image.Image:
        if len(list(tmp_path.rglob("*.jpg"))) == 9:
            raise OSError("no space left on device")
        return draw_word(word, seed)

    monkeypatch.setattr(words, "draw_word", full_disk)
    with pytest.raises(OSError, match="no space"):
        reference_words(tmp_path, **SIZES, progress=False)
    assert not (tmp_path / "train.txt").exists()  # an incomplete set has no manifest
    monkeypatch.undo()
    next((tmp_path / "test").iterdir()).unlink()
    reference_words(tmp_path, **SIZES, progress=False)
    assert contents(tmp_path) == contents(made)


def test_drawing_does_not_change_random_state_or_libraries():
    random.seed(3)
    cv2.setRNGSeed(3)
    expected = random.random(), cv2.randn(np.zeros(4), 0, 1).tolist()
    random.seed(3)
    cv2.setRNGSeed(3)
    draw_word("certain", 0)
    assert (random.random(), cv2.randn(np.zeros(4), 0, 1).tolist()) == expected
    assert computer_text_generator.ImageFont is ImageFont
    assert not hasattr(ImageFont.FreeTypeFont, "getsize")


def test_a_font_that_draws_nothing_is_skipped(monkeypatch):
    generator = words._trdg()[0].FakeTextDataGenerator
    draw, asked = generator.generate, []

    def refuse_the_first(index: int, text: str, font: str, *options: object) -> Image.Image | None:
        asked.append(font)
        return draw(index, text, font, *options) if len(asked) > 1 else None

    monkeypatch.setattr(generator, "generate", refuse_the_first)
    assert draw_word("certain", 0).height == 64
    assert len(set(asked)) == 2


def test_too_many_words_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="trdg's dictionary has 466479"):
        reference_words(tmp_path, train=500_000, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_document_of_the_reference_kit_is_five_words_in_a_row_with_its_text(tmp_path):
    first, second = reference_documents(tmp_path, count=2, seed=1)
    text = first.with_suffix(".txt").read_text(encoding="utf-8")
    assert len(text.split()) == 5 and text == " ".join(text.split()) + "\n"
    (page,) = load_pages(first)
    assert page.shape[0] == 64 and page.shape[1] > 4 * page.shape[0]
    assert text != second.with_suffix(".txt").read_text(encoding="utf-8")
    again = reference_documents(tmp_path / "again", count=2, seed=1)
    assert again[1].read_bytes() == second.read_bytes()
