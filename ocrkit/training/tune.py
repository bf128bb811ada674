"""Hyperparameter search: every combination of settings is tried, in a study that can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrkit.progress import progress
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.packages import needs
from ocrkit.runtime.weights import weights_path
from ocrkit.training.config import TrainConfig
from ocrkit.training.fit import fit
from ocrkit.training.manifest import Sample

if TYPE_CHECKING:
    import optuna
    import pandas as pd

# What is stored of a trial beside its settings and its CER.
_TRIAL_FIELDS = ("accuracy", "minutes", "predictions")


def grid(
    model_path: str | Path,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    space: Mapping[str, Sequence[Any]],
    folder: str | Path,
    config: TrainConfig | None = None,
) -> tuple[pd.DataFrame, Path]:
    """Try every combination of `space`; returns the trials, best first, and the best checkpoint.

    A trial has its settings, cer, accuracy, minutes, and its predictions for `validation`.

    space: values for fields of TrainConfig, such as {"lr": [5e-4, 1e-3], "epochs": [5, 10]}; the
    other fields are those of `config`. Every trial starts from the weights at `model_path` with a
    new optimizer; its score is the lowest CER on `validation`.

    The trials are kept in `folder`/tuning.db (SQLite): those with the same weights, data and
    settings are not repeated. Raises ValueError for a field that TrainConfig does not have or an
    empty space, MissingPartError without Optuna, and the errors of `fit`.
    """
    known = [field.name for field in fields(TrainConfig)]
    if unknown := sorted(space.keys() - set(known)):
        raise ValueError(f"TrainConfig has no {', '.join(unknown)}; it has {', '.join(known)}")
    if not space or not all(space.values()):
        raise ValueError(
            'a grid needs at least one setting, and values for each, such as {"lr": [5e-4, 1e-3]}'
        )
    with needs("Optuna, for a grid search,", "optuna"):
        import optuna
        import pandas as pd
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    search = _Search(weights_path(model_path), train, validation, space, config or TrainConfig())
    best = folder / f"{search.name}.safetensors"
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = _open_study(search, folder / "tuning.db")
        left = range(prod(map(len, space.values())) - len(_done(study)))
        for _ in progress(left, "trials", unit="trials"):
            study.optimize(lambda trial: search.run(trial, best), n_trials=1)
    finally:
        optuna.logging.set_verbosity(verbosity)
    rows = [trial.params | {"cer": trial.value} | trial.user_attrs for trial in _done(study)]
    return pd.DataFrame(rows).sort_values("cer", ignore_index=True), best


@dataclass(frozen=True)
class _Search:
    """What a study is about: the weights to start from, the data, and the settings to try."""

    weights: Path
    train: Sequence[Sample]
    validation: Sequence[Sample]
    space: Mapping[str, Sequence[Any]]
    config: TrainConfig

    @cached_property
    def name(self) -> str:
        """The name of the study; another name for other weights, data or settings."""
        parts = (self.train, self.validation)
        samples = [[(str(s.path), s.text) for s in part] for part in parts]
        space = {key: list(values) for key, values in sorted(self.space.items())}
        asked = json.dumps([_TRIAL_FIELDS, samples, space, asdict(self.config)])
        digest = hashlib.sha256(self.weights.read_bytes() + asked.encode())
        return f"grid-{digest.hexdigest()[:12]}"

    def run(self, trial: optuna.Trial, best: Path) -> float:
        """Train with the settings of a trial; returns its CER. The best model so far is saved."""
        chosen = {key: trial.suggest_categorical(key, vs) for key, vs in self.space.items()}
        model, config = CRNN.load(self.weights), replace(self.config, **chosen)
        history = fit(model, self.train, self.validation, config, progress=False)
        values = history.best.accuracy, history.epochs[-1].minutes, history.predictions
        for name, value in zip(_TRIAL_FIELDS, values, strict=True):
            trial.set_user_attr(name, value)
        if history.best.cer < min((done.value for done in _done(trial.study)), default=inf):
            model.save(best)
        return history.best.cer


def _open_study(search: _Search, database: Path) -> optuna.Study:
    """The study of a search, a new one or one that was stopped."""
    import optuna

    study = optuna.create_study(
        storage=f"sqlite:///{database}",
        sampler=optuna.samplers.GridSampler(search.space, seed=search.config.seed),
        study_name=search.name,
        load_if_exists=True,
    )
    _requeue_stopped(study)
    return study


def _done(study: optuna.Study) -> list[Any]:
    return [trial for trial in study.get_trials() if trial.state.name == "COMPLETE"]


def _requeue_stopped(study: optuna.Study) -> None:
    """Queue stopped trials again: the grid sampler of Optuna takes them for finished ones."""
    import optuna

    waiting, trials = optuna.trial.TrialState.WAITING, study.get_trials()
    stopped = {t.system_attrs["grid_id"]: t for t in trials if t.state.name == "FAIL"}
    others = {t.system_attrs["grid_id"] for t in trials if t.state.name in ("COMPLETE", "WAITING")}
    for grid_id in stopped.keys() - others:
        system_attrs = stopped[grid_id].system_attrs
        study.add_trial(optuna.trial.create_trial(state=waiting, system_attrs=system_attrs))
