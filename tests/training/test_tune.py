from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.training import tune as module
from ocrkit.training.config import TrainConfig
from ocrkit.training.history import EpochScores, History
from ocrkit.training.manifest import Sample
from ocrkit.training.tune import grid

pytest.importorskip("optuna")

SPACE = {"lr": [1e-4, 1e-3, 1e-2], "batch_size": [4, 8]}
TRAIN, HELD_OUT = [Sample(Path("a.png"), "a")], [Sample(Path("b.png"), "b")]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return CRNN(ModelConfig(0.125, 8)).save(tmp_path / "base.safetensors")


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A `fit` that only notes its arguments; the CER follows from the settings."""
    noted = SimpleNamespace(configs=[], starts=[], models=[], break_at=None)

    def fit(model, train, validation, config, progress):
        if len(noted.configs) == noted.break_at:
            noted.break_at = None
            raise KeyboardInterrupt
        noted.configs.append(config)
        noted.starts.append(model.conv1.weight.detach().clone())
        noted.models.append(id(model))
        with torch.no_grad():  # a later trial must not see this change
            model.conv1.weight.fill_(config.lr)
        cer = abs(config.lr - 1e-3) + config.batch_size / 100
        scores = EpochScores(1, 0.5, 1.0, cer, 1 - cer, 70.0)
        return History((scores,), predictions=(f"{config.lr:g} {config.batch_size}",))

    monkeypatch.setattr(module, "fit", fit)
    return noted


def test_every_combination_is_tried_once_and_the_best_is_saved(base, fits, tmp_path):
    config = TrainConfig(epochs=3, seed=5)
    table, best = grid(base, TRAIN, HELD_OUT, SPACE, tmp_path / "tuning", config)
    tried = {(c.lr, c.batch_size) for c in fits.configs}
    assert tried == {(lr, size) for lr in SPACE["lr"] for size in SPACE["batch_size"]}
    assert len(fits.configs) == len(table) == 6
    assert {(c.epochs, c.seed) for c in fits.configs} == {(3, 5)}
    assert list(table["cer"]) == sorted(table["cer"])
    assert (table["lr"][0], table["batch_size"][0]) == (1e-3, 4)
    assert table["accuracy"][0] == 1 - table["cer"][0]
    assert list(table["predictions"][0]) == ["0.001 4"]
    assert best.parent == tmp_path / "tuning"
    kept = CRNN.load(best).conv1.weight
    assert torch.allclose(kept, torch.full_like(kept, 1e-3), rtol=1e-3)


def test_each_trial_starts_from_the_same_weights(base, fits, tmp_path):
    grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    start = CRNN.load(base).conv1.weight
    assert all(torch.equal(weights, start) for weights in fits.starts)


def test_a_finished_study_repeats_nothing(base, fits, tmp_path):
    first, best = grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    again, same = grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    assert len(fits.configs) == 6
    assert again.equals(first) and same == best


@pytest.mark.parametrize("break_at", [0, 3, 5])
def test_a_stopped_study_is_resumed(base, fits, tmp_path, break_at):
    fits.break_at = break_at
    with pytest.raises(KeyboardInterrupt):
        grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    assert len(fits.configs) == break_at
    table, _ = grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    assert len(fits.configs) == len(table) == len({(c.lr, c.batch_size) for c in fits.configs}) == 6


def test_a_killed_study_is_resumed(base, fits, tmp_path):
    import optuna

    fits.break_at = 2
    with pytest.raises(KeyboardInterrupt):
        grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    storage, sampler = f"sqlite:///{tmp_path / 'tuning.db'}", optuna.samplers.GridSampler(SPACE)
    study = optuna.load_study(study_name=None, storage=storage, sampler=sampler)
    study.ask()  # started, and never finished
    table, _ = grid(base, TRAIN, HELD_OUT, SPACE, tmp_path)
    assert len(fits.configs) == len(table) == 6


def test_other_weights_data_or_settings_are_another_study(base, fits, tmp_path):
    results = [
        grid(base, TRAIN, HELD_OUT, {"lr": [1e-3]}, tmp_path),
        grid(base, TRAIN, HELD_OUT, {"lr": [1e-2]}, tmp_path),
        grid(base, TRAIN, HELD_OUT, {"lr": [1e-3]}, tmp_path, TrainConfig(seed=1)),
        grid(base, HELD_OUT, TRAIN, {"lr": [1e-3]}, tmp_path),
    ]
    assert len(fits.configs) == 4
    assert len({best for _, best in results}) == 4
    assert all(best.is_file() and len(table) == 1 for table, best in results)


def test_an_unknown_setting_and_an_empty_grid_are_refused(base, tmp_path):
    with pytest.raises(ValueError, match="TrainConfig has no learning_rate"):
        grid(base, TRAIN, HELD_OUT, {"learning_rate": [1]}, tmp_path)
    for space in ({}, {"lr": []}):
        with pytest.raises(ValueError, match="at least one setting"):
            grid(base, TRAIN, HELD_OUT, space, tmp_path)
    assert list(tmp_path.glob("*.db")) == []
