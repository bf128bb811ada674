"""Words to train on, and a small network for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from ocrkit.recognition.network import CRNN
    from ocrkit.recognition.reading import Reading
    from ocrkit.synth.pages import Sheet
    from ocrkit.training.manifest import Sample
    from ocrkit.training.packing import PackedLines

WORDS = ("one", "two", "three", "four", "five", "six")


def draw_words(folder: Path, words: Sequence[str]) -> list[Sample]:
    import cv2

    from ocrkit.training.manifest import Sample

    folder.mkdir(exist_ok=True)
    samples = []
    for i, word in enumerate(words):
        image = np.full((24, 13 * len(word) + 6), 235, np.uint8)
        cv2.putText(image, word, (3, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 30, 1, cv2.LINE_AA)
        path = folder / f"{i}_{word}.png"
        cv2.imwrite(str(path), image)
        samples.append(Sample(path, word))
    return samples


@pytest.fixture(scope="session")
def draw() -> Callable[[Path, Sequence[str]], list[Sample]]:
    """Draws words into image files of a folder."""
    return draw_words


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return draw_words(tmp_path_factory.mktemp("words"), WORDS)


@pytest.fixture(scope="session")
def small() -> Callable[..., CRNN]:
    """Makes a small network for these words, with the random weights of a seed."""
    import torch

    from ocrkit.recognition.alphabet import Alphabet
    from ocrkit.recognition.network import CRNN, ModelConfig

    def make(seed: int = 0) -> CRNN:
        torch.manual_seed(seed)
        return CRNN(ModelConfig(0.125, 64, "all"), Alphabet("efhinorstuvwx"))

    return make


@pytest.fixture(scope="session")
def bars() -> Callable[..., Sheet]:
    """Makes a page of grey paper with three lines, a black bar each."""
    from ocrkit.synth.pages import Sheet

    def make(shape: tuple[int, int] = (96, 128)) -> Sheet:
        scan, polygons = np.full(shape, 220, np.uint8), []
        for x0, y, x1 in ((8, 8, 100), (20, 40, 120), (10, 70, 60)):
            scan[y : y + 16, x0:x1] = 20
            corners = [(x0, y), (x1, y), (x1, y + 16), (x0, y + 16)]
            polygons.append(np.array(corners, np.float32))
        return Sheet(scan, polygons, ["a", "b", "c"], "bars")

    return make


@dataclass(frozen=True)
class Packed:
    """Packed lines, their folder, and the samples that they were made of."""

    samples: list[Sample]
    lines: PackedLines
    folder: Path


@pytest.fixture
def packed(tmp_path: Path, only_few_fonts: None) -> Packed:
    """Three lines of two books; a fourth cannot be written in the alphabet and is left out."""
    import cv2

    from ocrkit.synth.lines import LineGenerator
    from ocrkit.training.manifest import Sample
    from ocrkit.training.packing import PackedLines, pack

    samples = []
    for i, text in enumerate(("un pou¬ deux", "zwei Ma\u0364nner hier", "trois", "漢字")):
        path = tmp_path / f"antiqua-fr-book{i // 2}-f1-{i}.png"
        cv2.imwrite(str(path), LineGenerator(5, 24, 0.2, "prose")(i).image)
        samples.append(Sample(path, text))
    folder = tmp_path / "packed"
    assert pack(samples, folder) == 3
    return Packed(samples, PackedLines.load(folder), folder)


@pytest.fixture
def reader_of_three_lines() -> Callable[[Sequence[np.ndarray]], list[Reading]]:
    """Reads the texts of `packed`, with the words at equal distances."""
    from ocrkit.recognition.reading import Reading, WordReading

    def read(crops: Sequence[np.ndarray]) -> list[Reading]:
        readings = []
        texts = ("un pou- deux", "zwei Männer hier", "trois")
        for _, text in zip(crops, texts, strict=True):
            words = text.split()
            n = len(words)
            spans = [WordReading(w, 1.0, i / n, (i + 0.9) / n) for i, w in enumerate(words)]
            readings.append(Reading(text, 1.0, tuple(spans)))
        return readings

    return read
