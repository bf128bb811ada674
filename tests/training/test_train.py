from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ocrkit.errors import ImageError, MissingPartError, OcrkitError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training import augment, manifest
from ocrkit.training import fit as module
from ocrkit.training.batches import Batch
from ocrkit.training.evaluation import Evaluation, evaluate
from ocrkit.training.fit import History, TrainConfig, fit, training_run
from ocrkit.training.losses import ctc_loss
from ocrkit.training.manifest import Sample, load_crops, load_strips

WORDS = ("one", "two", "three", "four", "five", "six")
ALPHABET = Alphabet("efhinorstuvwx")
SHORT = TrainConfig(epochs=2, batch_size=3, lr=1e-3, augment=0.5)


def draw(folder: Path, words: Sequence[str]) -> list[Sample]:
    folder.mkdir(exist_ok=True)
    samples = []
    for i, word in enumerate(words):
        image = np.full((24, 13 * len(word) + 6), 235, np.uint8)
        cv2.putText(image, word, (3, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 30, 1, cv2.LINE_AA)
        path = folder / f"{i}_{word}.png"
        cv2.imwrite(str(path), image)
        samples.append(Sample(path, word))
    return samples


def small(seed: int = 0, alphabet: Alphabet = ALPHABET) -> CRNN:
    torch.manual_seed(seed)
    return CRNN(ModelConfig(0.125, 64, "all"), alphabet)


def same(one: CRNN, other: CRNN) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return draw(tmp_path_factory.mktemp("words"), WORDS)


# --- fit


def test_a_handful_of_words_is_learned_by_heart_and_saved(samples, tmp_path):
    few, path = [samples[0], samples[1], samples[5]], tmp_path / "new" / "model.safetensors"
    model, config = small(), TrainConfig(epochs=7, batch_size=3, lr=1e-2, augment=0)
    history = fit(model, few * 50, few, config, path)
    assert history.best["accuracy"] == 1.0 and history.best["cer"] == 0.0
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4, 5, 6, 7]
    assert not model.training
    saved = evaluate(Recognizer.load(path, decoder="greedy"), few)
    assert saved.readings == ("one", "two", "six") and saved.accuracy == 1.0


def test_the_checkpoint_says_where_it_comes_from(samples, tmp_path):
    model = small()
    model.provenance = {"data": "what came before"}
    history = fit(model, samples, samples[:2], SHORT, tmp_path / "m.safetensors")
    said = CRNN.load(tmp_path / "m.safetensors").provenance
    assert said["data"].startswith("6 images of words")
    assert said["training"]["seed"] == 0 and said["training"]["epochs"] == 2
    assert said["validation"] == history.best | {"images": 2}
    assert said["started_from"] == {"data": "what came before"}
    assert said["processor"]


@pytest.mark.parametrize(
    "scores, best", [((0.5, 0.2, 0.9), 2), ((0.1, 0.2, 0.9), 1), ((0.5, 0.2, 0.2), 2)]
)
def test_the_best_epoch_by_validation_is_kept(samples, monkeypatch, scores, best):
    seen = []

    def scored(recognizer, *_):
        seen.append(recognizer.backend(np.ones((1, 1, 32, 32), np.float32)))
        facts = {"cer": scores[len(seen) - 1], "accuracy": 0.0, "readings": (str(len(seen)),)}
        return type("Scores", (), facts)

    monkeypatch.setattr(module, "evaluate", scored)
    model = small()
    history = fit(model, samples, samples, replace(SHORT, epochs=3))
    assert history.best["epoch"] == best
    assert history.readings == (str(best),)
    with torch.inference_mode():
        now = model(torch.ones(1, 1, 32, 32)).numpy()
    np.testing.assert_allclose(now, seen[best - 1], atol=1e-5)
    assert not np.allclose(now, seen[2], atol=1e-5)


def test_seeds_reproduce(samples):
    one, same_seed, other = small(), small(), small()
    rows = [fit(m, samples, samples, SHORT).rows for m in (one, same_seed)]
    fit(other, samples, samples, replace(SHORT, seed=1))
    assert same(one, same_seed) and not same(one, other)
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]


def test_only_the_samples_given_are_opened(samples, monkeypatch):
    opened: list[Path] = []
    load = manifest.load_pages
    monkeypatch.setattr(manifest, "load_pages", lambda path: opened.append(path) or load(path))
    fit(small(), samples[:3], samples[3:5], SHORT)
    assert opened == [sample.path for sample in samples[:5]]  # each once, the sixth never


def test_an_outside_character_is_named_with_its_file(samples):
    wrong = Sample(samples[0].path, "neuf œufs")
    with pytest.raises(OcrkitError, match=r"0_one\.png: .*outside the alphabet: U\+0020 œ"):
        fit(small(), [*samples, wrong], samples)


def test_words_too_narrow_for_their_label_are_left_out(samples):
    narrow = Sample(samples[0].path, "one" * 20)
    assert fit(small(), [*samples, narrow], samples, SHORT).left_out == 1
    with pytest.raises(OcrkitError, match="all images are too narrow"):
        fit(small(), [narrow], samples, SHORT)


def test_an_image_that_cannot_be_read_is_named(samples, tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: No such file"):
        fit(small(), samples, [Sample(tmp_path / "gone.png", "one")], SHORT)


@pytest.mark.parametrize("change", [{"precision": "int8"}, {"epochs": 0}, {"lr": -1.0}])
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError):
        TrainConfig(**change)


def test_training_takes_samples_of_both_kinds(samples):
    for train, validation in ((samples, []), ([], samples)):
        with pytest.raises(ValueError, match="at least one training and one validation"):
            fit(small(), train, validation)


@pytest.mark.parametrize("lines, size, sizes", [(6, 4, {3}), (6, 80, {6}), (5, 2, {1, 2})])
def test_batches_hold_every_line_once(samples, lines, size, sizes):
    prepared = module._lines(small(), samples[:lines])
    config = replace(SHORT, batch_size=size)
    groups = module._groups(prepared, config, 32, np.random.default_rng(0))
    assert {len(group) for group in groups} == sizes
    assert sorted(line.text for group in groups for line in group) == sorted(WORDS[:lines])


def test_bucketed_batches_are_of_like_widths_and_others_are_not(tmp_path):
    prepared = module._lines(small(), draw(tmp_path, ["one", "three" * 3] * 8))

    def padding(bucketed: bool) -> int:
        config = TrainConfig(batch_size=4, bucketed=bucketed)
        groups = module._groups(prepared, config, 32, np.random.default_rng(0))
        widths = [[line.padded(32) for line in group] for group in groups]
        return sum(max(w) * len(w) - sum(w) for w in widths)

    assert padding(True) < padding(False) / 4


def test_padding_counts_for_nothing_in_the_loss():
    def batch(label: list[int]) -> Batch:
        numbers = torch.tensor(label)
        return Batch(torch.zeros(1, 1, 32, 8), numbers, torch.tensor([len(label)]), ("",))

    logits = torch.randn(8, 1, 4, generator=torch.Generator().manual_seed(0))
    short = ctc_loss(logits[:5], batch([1, 2])).item()
    assert ctc_loss(logits, batch([1, 2]), torch.tensor([5])).item() == pytest.approx(short)
    assert ctc_loss(logits, batch([1, 2])).item() != pytest.approx(short)


@pytest.mark.parametrize("normalize, paper", [("contrast", 0.0), ("reference", 1.0)])
def test_batches_are_padded_with_paper_and_know_their_content(samples, normalize, paper):
    model = small()
    model.preprocessing = Preprocessing(normalize=normalize)
    steps = []
    trainer = module._Trainer(model, replace(SHORT, augment=0), 10)
    trainer.network = Spy(model)
    short, long = (module._lines(model, [sample])[0] for sample in (samples[0], samples[2]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ctc_loss", lambda *given: steps.append(given[2]) or ctc_loss(*given))
        trainer.step([short, long])
    images = trainer.network.images
    assert images.shape[3] == long.padded(32)
    content = short.strip.shape[2]
    assert (images[0, :, :, content:] == paper).all()
    np.testing.assert_array_equal(images[0, :, :, :content], short.strip)
    expected = -(-(images.shape[3] // 4 + 1) * content // images.shape[3])
    assert steps[0][0] == expected


class Spy(torch.nn.Module):
    def __init__(self, network: CRNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.images = images
        return self.network(images)


@pytest.mark.parametrize("paper, ink", [(0.0, 1.0), (1.0, -1.0)])
def test_variations_keep_the_paper_and_the_height(paper, ink):
    strip = np.full((1, 32, 80), paper, np.float32)
    strip[:, 10:20, 20:60] = ink
    rng = np.random.default_rng(0)
    (lines,) = module._groups([augment.TrainingLine(strip, "a")] * 20, TrainConfig(), 32, rng)
    varied = [augment.varied(line, 1.0, paper, rng) for line in lines]
    assert {v.shape[:2] for v in varied} == {(1, 32)} and {v.dtype for v in varied} == {strip.dtype}
    assert 69 <= min(v.shape[2] for v in varied) < 80 < max(v.shape[2] for v in varied) <= 93
    assert all(abs(v[:, :5].mean() - paper) < 0.1 for v in varied)
    assert not np.array_equal(varied[0], varied[1])


def test_both_memory_layouts_and_orders_train(samples):
    reference = replace(SHORT, augment=0, bucketed=False, channels_last=False)
    model = small().to(memory_format=torch.channels_last)
    assert fit(model, samples, samples, reference).rows[-1]["loss"] > 0
    assert model.conv2.weight.is_contiguous()


def test_ipex_trains_to_the_same_weights_as_torch(samples):
    pytest.importorskip("intel_extension_for_pytorch")
    plain, faster = small(), small()
    fit(plain, samples, samples, SHORT)
    fit(faster, samples, samples, replace(SHORT, ipex=True))
    assert not same(small(), plain)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(faster.state_dict()[name], value, atol=1e-3, rtol=1e-2)


def test_a_missing_ipex_is_named_with_the_way_round(samples, monkeypatch):
    monkeypatch.setitem(sys.modules, "intel_extension_for_pytorch", None)
    with pytest.raises(MissingPartError, match="ipex=False"):
        fit(small(), samples, samples, replace(SHORT, ipex=True))


def test_a_history_is_a_table():
    rows = tuple({"epoch": e, "cer": c, "loss": 1.0} for e, c in ((1, 0.3), (2, 0.1), (3, 0.2)))
    history = History(rows)
    assert history.best["epoch"] == 2
    assert list(history.frame()["cer"]) == [0.3, 0.1, 0.2]


def test_auto_is_bfloat16_where_the_processor_computes_in_it(monkeypatch):
    for fast in (True, False):
        monkeypatch.setattr(module, "fast_bfloat16", lambda device, fast=fast: fast)
        assert replace(SHORT, precision="auto").half == fast
        assert replace(SHORT, precision="bfloat16").half and not SHORT.half


# --- training_run


def test_speed_is_measured_on_a_copy_and_on_the_same_batches(samples, monkeypatch):
    model, seen = small(), []
    before = deepcopy(model)
    step = module._Trainer.step
    monkeypatch.setattr(
        module._Trainer, "step", lambda self, group: seen.append(len(group)) or step(self, group)
    )
    run, images = training_run(model, samples, replace(SHORT, batch_size=2), batches=2)
    assert images == 4 and seen == [2]
    run()
    assert seen == [2, 2, 2]
    assert same(before, model)


# --- evaluation


def test_an_evaluation_says_it_in_a_line():
    truths = ("abcd",) * 4
    result = Evaluation(truths, ("abcd", "abcd", "abcd", "abxx"), (1.0, 1.0, 1.0, 0.5))
    assert result.accuracy == 0.75 and result.cer == pytest.approx(2 / 16)
    low, high = result.accuracy_interval
    assert low < 0.75 < high
    line = str(result)
    assert line.startswith(f"accuracy 0.750 ({low:.3f}-{high:.3f}), CER 0.1250 (0.0000-")
    assert line.endswith("4 images") and result._repr_html_() == line
    assert result.figures == {
        "images": 4,
        "accuracy": 0.75,
        "cer": result.cer,
        "accuracy_interval": (low, high),
        "cer_interval": result.cer_interval,
    }


def test_the_worst_are_those_with_most_errors_and_of_these_the_surest():
    result = Evaluation(
        ("abcd",) * 5, ("abcd", "abcx", "xxxx", "abxd", "xxxx"), (1.0, 0.2, 0.3, 0.9, 0.8)
    )
    assert result.worst() == [4, 2, 3, 1]  # what is right is no error
    assert result.worst(1) == [4]


def test_crops_are_grey(samples):
    crops = load_crops(samples)
    assert all(crop.ndim == 2 and crop.dtype == np.uint8 for crop in crops)
    assert crops[2].shape == (24, 71)
    strips = load_strips(samples, Preprocessing())
    assert {strip.shape[:3] for strip in strips} == {(1, 1, 32)}
    assert len(strips) == len(samples) and strips[0].dtype == np.float32
