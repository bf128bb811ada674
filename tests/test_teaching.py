from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch

from ocrkit import teaching
from ocrkit.errors import CheckpointError, OcrkitError
from ocrkit.measure.taught import Change
from ocrkit.metrics import cer
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.teaching import Lesson
from ocrkit.training.calibration import with_temperature
from ocrkit.training.config import TrainConfig
from ocrkit.training.history import EpochScores, History


@pytest.fixture
def lines(memorised, tmp_path: Path) -> Path:
    """A folder with the eight lines that the small network knows, on four pages."""
    folder = tmp_path / "lines"
    folder.mkdir()
    for i, (crop, text) in enumerate(zip(memorised.crops, memorised.batch.texts, strict=True)):
        cv2.imwrite(str(folder / f"f{i // 2}-{i}.png"), crop)
        (folder / f"f{i // 2}-{i}.gt.txt").write_text(text, "utf-8")
    return folder


@pytest.fixture
def weights(memorised, tmp_path: Path) -> Path:
    return memorised.model.save(tmp_path / "small.safetensors")


def lesson(lines: Path, weights: Path, **options: object) -> Lesson:
    return Lesson.of([lines], start_from=weights, progress=False, **options)


def test_a_lesson_says_what_is_learned_and_what_is_left_out(lines, weights):
    (lines / "f0-0.gt.txt").write_text("Ω", "utf-8")
    found = lesson(lines, weights)
    assert len(found.train) + len(found.validation) == 7
    assert {s.page for s in found.train} & {s.page for s in found.validation} == set()
    text = "\n".join(found.notes)
    assert "1 lines are left out" in text
    assert "f0-0.png: characters outside the alphabet: Ω" in text
    assert "--add-characters" in text


def test_characters_are_added_if_that_is_asked_for(lines, weights, memorised):
    (lines / "f0-0.gt.txt").write_text("3 Ωai", "utf-8")
    found = lesson(lines, weights, add_characters=True)
    assert found.model.alphabet.characters == memorised.model.alphabet.characters + "Ω"
    assert found.refused == ()
    assert "new in the alphabet: Ω" in found.notes


def test_lines_for_validation_may_be_given(lines, weights, tmp_path):
    held = tmp_path / "held"
    held.mkdir()
    for file in lines.glob("f3-*"):
        file.rename(held / file.name)
    found = lesson(lines, weights, validation=[held])
    assert len(found.train) == 6
    assert {sample.path.parent for sample in found.validation} == {held}


def test_a_network_that_can_only_be_run_is_refused(lines):
    with pytest.raises(CheckpointError, match="can be run but not trained"):
        Lesson.of([lines], start_from="mine.xml")


def test_nothing_to_learn_from_is_said(lines, weights):
    for file in lines.glob("*.gt.txt"):
        file.write_text("Ω", "utf-8")
    with pytest.raises(OcrkitError, match="at least two lines"):
        lesson(lines, weights)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 is the checkpoint itself, and the general lines are none: both have their own tests."""

    def write_int8(model: CRNN, path: Path, _: object) -> Path:
        return model.save(path.with_suffix(".safetensors"))

    monkeypatch.setattr(teaching, "write_int8", write_int8)
    monkeypatch.setattr(teaching, "general_lines", list)


def test_a_lesson_is_taught_and_measured_before_and_after(lines, weights, tmp_path, quick):
    found = lesson(lines, weights)
    config = TrainConfig(epochs=1, batch_size=4, lr=1e-5, augment=0)
    taught = found.teach(tmp_path / "out", config, progress=False)
    assert taught is not None
    assert [scores.epoch for scores in taught.history.epochs] == [0, 1]
    own = taught.changes[0]
    assert own.targets == tuple(sample.text for sample in found.validation)
    assert own.rates == (0, 0)
    assert taught.warnings == []
    # Not a character is wrong, so there is nothing to calibrate with.
    assert taught.temperature == 1.0
    assert taught.notes[-1].startswith("the confidences are as training left them")
    crops = [sample.image for sample in found.validation]
    again = Recognizer.load(tmp_path / "out" / "model.safetensors")(crops)
    assert [reading.text for reading in again] == list(own.targets)


def test_what_is_taught_is_calibrated_before_it_is_written(
    lines, weights, tmp_path, quick, monkeypatch
):
    monkeypatch.setattr(teaching, "calibrated", lambda model, _: with_temperature(model, 2.0))
    found = lesson(lines, weights)
    config = TrainConfig(epochs=1, batch_size=4, lr=1e-5, augment=0)
    taught = found.teach(tmp_path / "out", config, progress=False)
    assert taught is not None
    assert taught.notes[-1] == (
        "the confidences are calibrated on your validation lines: temperature 2.00"
    )
    for name in ("model.safetensors", "model-int8.safetensors"):
        written = CRNN.load(tmp_path / "out" / name)
        assert written.provenance["temperature"] == 2.0
    before, after = (model.rnn[1].embedding.weight for model in (found.model, written))
    torch.testing.assert_close(after, before / 2, atol=1e-3, rtol=1e-2)


def test_nothing_is_written_if_no_epoch_is_better(lines, weights, tmp_path, quick, monkeypatch):
    worse = tuple(EpochScores(n, 0.1, None, cer, 0.0, None) for n, cer in ((0, 0.1), (1, 0.2)))
    monkeypatch.setattr(teaching, "fit", lambda *_, **__: History(worse))
    assert lesson(lines, weights).teach(tmp_path / "out", progress=False) is None
    assert not (tmp_path / "out").exists()


def test_what_was_forgotten_is_a_warning(tmp_path):
    texts = ("one two three",) * 30
    worse = tuple(text.replace("e", "c") for text in texts)
    lost = Change("general lines", texts, texts, worse, (0, 0))
    taught = teaching.Taught(tmp_path, History(()), (lost,))
    (warning,) = taught.warnings
    assert warning.startswith("general lines are read worse than before")


def test_int8_of_a_taught_model_reads_nearly_the_same(memorised, tmp_path):
    from ocrkit.measure.taught import write_int8
    from ocrkit.training.manifest import Sample

    samples = [
        Sample(Path(str(i)), text, image=crop)
        for i, (text, crop) in enumerate(zip(memorised.batch.texts, memorised.crops, strict=True))
    ]
    path = write_int8(memorised.model, tmp_path / "m-int8.xml", samples, 16)
    read = Recognizer.load(path, decoder="greedy")(memorised.crops)
    assert cer(memorised.batch.texts, [reading.text for reading in read]) < 0.2
