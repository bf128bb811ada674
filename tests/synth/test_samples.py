from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocrkit.image import load_pages
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.synth.samples import render_sample, write_samples

COMMITTED = Path(__file__).parents[2] / "data" / "samples"
NAMES = sorted(p.name for p in COMMITTED.iterdir() if p.suffix in (".jpg", ".png", ".tif"))


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), np.int16)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "new"
    write_samples(folder)
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".txt") == NAMES
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_committed_samples_are_those_that_the_kit_makes(name: str, made: Path) -> None:
    text = Path(name).with_suffix(".txt")
    assert (made / text).read_bytes() == (COMMITTED / text).read_bytes()
    ours, theirs = grey(made / name), grey(COMMITTED / name)
    assert ours.shape == theirs.shape
    # Rounding differs between processors; thresholds and JPEG make such differences larger.
    assert np.abs(ours - theirs).mean() < 0.5


def test_a_sample_is_always_the_same() -> None:
    first, text = render_sample("receipt.png")
    again, same_text = render_sample("receipt.png")
    assert np.array_equal(first, again)
    assert text == same_text


def test_samples_cover_all_formats_and_are_small() -> None:
    assert len(NAMES) >= 7
    assert {Path(name).suffix for name in NAMES} == {".jpg", ".png", ".tif"}
    assert max((COMMITTED / name).stat().st_size for name in NAMES) < 150_000


@pytest.mark.parametrize("name", NAMES)
def test_the_kit_can_load_the_sample(name: str) -> None:
    (page,) = load_pages(COMMITTED / name)
    assert page.dtype == np.uint8
    assert 1000 <= page.shape[1] <= 1700
    paper = np.median(page)
    for edge in (page[:12], page[-12:], page[:, :12], page[:, -12:]):
        assert np.median(edge) > paper - 60, "text reaches the edge of the page"


@pytest.mark.parametrize("name", NAMES)
def test_the_alphabet_covers_the_text(name: str) -> None:
    lines = (COMMITTED / name).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 8
    for line in lines:
        assert line == " ".join(line.split()) != ""
        assert not Alphabet().missing(line)


def test_the_texts_have_the_characters_of_historical_documents() -> None:
    texts = "".join(p.read_text(encoding="utf-8") for p in COMMITTED.glob("*.txt"))
    assert set("ſÆßéèîü½¼¾£“”’—&0123456789") <= set(texts)
    long_s = (COMMITTED / "long-s.txt").read_text(encoding="utf-8")
    assert "poſſeſs the ſovereign" in long_s
