"""Which settings train best: every combination tried on equal terms, in a study that resumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrkit.progress import progress
from ocrkit.recognition.network import CRNN
from ocrkit.runtime.packages import needs
from ocrkit.runtime.weights import weights_path
from ocrkit.training.fit import TrainConfig, fit
from ocrkit.training.manifest import Sample

if TYPE_CHECKING:
    import pandas as pd


def grid(
    model_path: str | Path,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    space: Mapping[str, Sequence[Any]],
    folder: str | Path,
    config: TrainConfig | None = None,
) -> tuple[pd.DataFrame, Path]:
    """Try every combination of `space`; the trials, best first, and the best one's checkpoint.

    A trial has its settings, cer, accuracy and minutes, and its readings of `validation`.

    space: values for fields of TrainConfig, such as {"lr": [5e-4, 1e-3], "epochs": [5, 10]}; the
    other fields are `config`'s. Every trial starts from the weights at `model_path` with a new
    optimizer, and its score is the lowest CER on `validation`.

    The trials are kept in `folder`/tuning.db (SQLite), and those done before with the same weights,
    data and settings are not repeated. Raises ValueError for a field that there is not,
    MissingPartError without Optuna, and what `fit` raises.
    """
    config = config or TrainConfig()
    if unknown := sorted(space.keys() - {field.name for field in fields(TrainConfig)}):
        raise ValueError(f"TrainConfig has no {', '.join(unknown)}")
    if not space or not all(space.values()):
        raise ValueError("a grid needs at least one setting, and a value for each")
    with needs("Optuna, for a grid search,", "optuna"):
        import optuna
        import pandas as pd
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = _name(weights_path(model_path), train, validation, space, config)
    best = folder / f"{name}.safetensors"

    def objective(trial: optuna.Trial) -> float:
        chosen = {key: trial.suggest_categorical(key, values) for key, values in space.items()}
        model = CRNN.load(model_path)
        history = fit(model, train, validation, replace(config, **chosen), progress=False)
        trial.set_user_attr("accuracy", history.best["accuracy"])
        trial.set_user_attr("minutes", history.rows[-1]["minutes"])
        trial.set_user_attr("readings", history.readings)
        if history.best["cer"] < min((done.value for done in _done(study)), default=inf):
            model.save(best)
        return history.best["cer"]

    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{folder / 'tuning.db'}",
            sampler=optuna.samplers.GridSampler(space, seed=config.seed),
            study_name=name,
            load_if_exists=True,
        )
        _requeue_stopped(study)
        left = range(prod(map(len, space.values())) - len(_done(study)))
        for _ in progress(left, "trials", unit="trials"):
            study.optimize(objective, n_trials=1)
    finally:
        optuna.logging.set_verbosity(loud)
    rows = [trial.params | {"cer": trial.value} | trial.user_attrs for trial in _done(study)]
    return pd.DataFrame(rows).sort_values("cer", ignore_index=True), best


def _name(
    weights: Path,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    space: Mapping[str, Sequence[Any]],
    config: TrainConfig,
) -> str:
    """A study's name, the same for the same question only: trials of another do not answer it."""
    samples = [[(str(s.path), s.text) for s in part] for part in (train, validation)]
    asked = json.dumps([samples, {k: list(v) for k, v in sorted(space.items())}, asdict(config)])
    return "grid-" + hashlib.sha256(weights.read_bytes() + asked.encode()).hexdigest()[:12]


def _done(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials() if trial.state.name == "COMPLETE"]


def _requeue_stopped(study: Any) -> None:
    """Queue again the trials that were stopped: Optuna's grid sampler takes them for finished."""
    import optuna

    waiting, trials = optuna.trial.TrialState.WAITING, study.get_trials()
    stopped = {t.system_attrs["grid_id"]: t for t in trials if t.state.name == "FAIL"}
    others = {t.system_attrs["grid_id"] for t in trials if t.state.name in ("COMPLETE", "WAITING")}
    for grid_id in stopped.keys() - others:
        system_attrs = stopped[grid_id].system_attrs
        study.add_trial(optuna.trial.create_trial(state=waiting, system_attrs=system_attrs))
