from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.errors import ImageError, MissingPartError, OcrkitError
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training import fit as module
from ocrkit.training import manifest
from ocrkit.training.config import TrainConfig
from ocrkit.training.evaluation import evaluate
from ocrkit.training.fit import fit, training_run
from ocrkit.training.manifest import Sample
from ocrkit.training.trainer import Trainer

SHORT = TrainConfig(epochs=2, batch_size=3, lr=1e-3, augment=0.5)


def same(one: CRNN, other: CRNN) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_a_few_words_are_memorised_and_saved(samples, tmp_path, small):
    few, path = [samples[0], samples[1], samples[5]], tmp_path / "new" / "model.safetensors"
    model, config = small(), TrainConfig(epochs=10, batch_size=3, lr=5e-3, augment=0)
    history = fit(model, few * 50, few, config, path)
    assert history.best.accuracy == 1.0 and history.best.cer == 0.0
    assert [scores.epoch for scores in history.epochs] == list(range(11))
    assert not model.training
    saved = evaluate(Recognizer.load(path, decoder="greedy"), few)
    assert saved.predictions == ("one", "two", "six") and saved.accuracy == 1.0


def test_the_checkpoint_has_its_provenance(samples, tmp_path, small):
    model = small()
    model.provenance = {"data": "what came before"}
    history = fit(model, samples, samples[:2], SHORT, tmp_path / "m.safetensors")
    said = CRNN.load(tmp_path / "m.safetensors").provenance
    assert said["data"].startswith("6 images of words")
    assert said["training"]["seed"] == 0 and said["training"]["epochs"] == 2
    assert said["validation"] == asdict(history.best) | {"images": 2}
    assert said["started_from"] == {"data": "what came before"}
    assert said["processor"]


@pytest.mark.parametrize(
    "scores, best",
    [
        ((0.6, 0.5, 0.2, 0.9), 2),
        ((0.6, 0.1, 0.2, 0.9), 1),
        ((0.6, 0.5, 0.2, 0.2), 2),
        ((0.3, 1.2, 0.4, 0.9), 0),
        ((0.3, 0.4, 0.3, 0.9), 2),
    ],
)
def test_the_best_epoch_is_kept_and_never_weights_worse_than_those_before(
    samples, monkeypatch, scores, best, small
):
    seen = []

    def scored(recognizer, *_):
        seen.append(recognizer.backend(np.ones((1, 1, 32, 32), np.float32)))
        facts = {
            "cer": scores[len(seen) - 1],
            "accuracy": 0.0,
            "predictions": (str(len(seen) - 1),),
        }
        return type("Scores", (), facts)

    monkeypatch.setattr(module, "evaluate", scored)
    model = small()
    history = fit(model, samples, samples, replace(SHORT, epochs=3))
    assert history.best.epoch == best
    assert history.predictions == (str(best),)
    with torch.inference_mode():
        now = model(torch.ones(1, 1, 32, 32)).numpy()
    np.testing.assert_allclose(now, seen[best], atol=1e-5)
    assert not np.allclose(now, seen[3], atol=1e-5)


def test_the_scores_before_training_come_first_and_have_no_loss(samples, small):
    first, *others = fit(small(), samples, samples, SHORT).epochs
    assert (first.epoch, first.loss, first.images_per_s) == (0, None, None)
    assert all(scores.loss > 0 for scores in others)


def test_training_stops_when_nothing_gets_better(samples, monkeypatch, small):
    facts = {"cer": 0.5, "accuracy": 0.0, "predictions": ()}
    monkeypatch.setattr(module, "evaluate", lambda *_: type("Scores", (), facts))
    patient = fit(small(), samples, samples, replace(SHORT, epochs=9, patience=2))
    assert [scores.epoch for scores in patient.epochs] == [0, 1, 2, 3]  # 1 is as good as 0


def test_training_stops_when_its_time_is_over(samples, small):
    short = fit(small(), samples, samples, replace(SHORT, epochs=5000, minutes=0.01))
    assert len(short.epochs) < 5000


def test_synthetic_lines_are_mixed_in_and_lines_are_repeated(
    samples, only_few_fonts, monkeypatch, small
):
    seen: list[str] = []
    step = Trainer.step
    monkeypatch.setattr(
        Trainer, "step", lambda self, group: seen.extend(x.text for x in group) or step(self, group)
    )
    model = CRNN(small().config, Alphabet())
    fit(model, samples, samples, replace(SHORT, epochs=1, repeat=2, synthetic=0.5))
    own = [text for text in seen if text in {sample.text for sample in samples}]
    assert sorted(own) == sorted(2 * [sample.text for sample in samples])
    assert len(seen) - len(own) == 6


def test_the_same_seed_gives_the_same_weights(samples, small):
    one, same_seed, other = small(), small(), small()
    first, again = (fit(model, samples, samples, SHORT) for model in (one, same_seed))
    fit(other, samples, samples, replace(SHORT, seed=1))
    assert same(one, same_seed) and not same(one, other)
    assert first.frame()["loss"].equals(again.frame()["loss"])


def test_each_image_is_opened_once(samples, monkeypatch, small):
    opened: list[Path] = []
    load = manifest.load_pages
    monkeypatch.setattr(manifest, "load_pages", lambda path: opened.append(path) or load(path))
    fit(small(), samples[:3], samples[3:5], SHORT)
    assert opened == [sample.path for sample in samples[:5]]  # each once, the sixth never


def test_a_character_outside_the_alphabet_is_named_with_its_file(samples, small):
    wrong = Sample(samples[0].path, "neuf œufs")
    with pytest.raises(OcrkitError, match=r"0_one\.png: .*outside the alphabet: U\+0020 œ"):
        fit(small(), [*samples, wrong], samples)


def test_images_too_narrow_for_their_target_are_left_out(samples, small):
    narrow = Sample(samples[0].path, "one" * 20)
    assert fit(small(), [*samples, narrow], samples, SHORT).left_out == 1
    with pytest.raises(OcrkitError, match="all images are too narrow"):
        fit(small(), [narrow], samples, SHORT)


def test_an_image_that_cannot_be_read_is_named(samples, tmp_path, small):
    with pytest.raises(ImageError, match=r"gone\.png: No such file"):
        fit(small(), samples, [Sample(tmp_path / "gone.png", "one")], SHORT)


def test_training_needs_training_and_validation_samples(samples, small):
    for train, validation in ((samples, []), ([], samples)):
        with pytest.raises(ValueError, match="at least one training and one validation"):
            fit(small(), train, validation)


def test_other_settings_train_too(samples, small):
    reference = replace(SHORT, augment=0, bucketed=False, channels_last=False)
    model = small().to(memory_format=torch.channels_last)
    assert fit(model, samples, samples, reference).epochs[-1].loss > 0
    assert model.conv2.weight.is_contiguous()


def test_ipex_trains_to_the_same_weights_as_torch(samples, small):
    pytest.importorskip("intel_extension_for_pytorch")
    plain, faster = small(), small()
    fit(plain, samples, samples, SHORT)
    fit(faster, samples, samples, replace(SHORT, ipex=True))
    assert not same(small(), plain)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(faster.state_dict()[name], value, atol=1e-3, rtol=1e-2)


def test_a_missing_ipex_is_named_with_the_alternative(samples, monkeypatch, small):
    monkeypatch.setitem(sys.modules, "intel_extension_for_pytorch", None)
    with pytest.raises(MissingPartError, match="ipex=False"):
        fit(small(), samples, samples, replace(SHORT, ipex=True))


def test_a_training_run_uses_a_copy_and_always_the_same_batches(samples, monkeypatch, small):
    model, seen = small(), []
    before = deepcopy(model)
    step = Trainer.step
    monkeypatch.setattr(
        Trainer, "step", lambda self, group: seen.append(len(group)) or step(self, group)
    )
    run, images = training_run(model, samples, replace(SHORT, batch_size=2), batches=2)
    assert images == 4 and seen == [2]
    run()
    assert seen == [2, 2, 2]
    assert same(before, model)
