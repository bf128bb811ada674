from __future__ import annotations

from ocrkit.training.history import EpochScores, History


def test_a_history_is_a_table():
    rates = (1, 0.3), (2, 0.1), (3, 0.2), (4, 0.1)
    history = History(tuple(EpochScores(n, n / 2, 1.0, cer, 0.5, 70.0) for n, cer in rates))
    assert history.best.epoch == 2  # the first of those with the lowest CER
    table = history.frame()
    assert list(table) == ["epoch", "minutes", "loss", "cer", "accuracy", "images_per_s"]
    assert list(table["cer"]) == [0.3, 0.1, 0.2, 0.1]


def test_weights_as_good_as_those_before_are_those_of_a_trained_epoch():
    def best(*rates: float) -> int:
        epochs = (EpochScores(n, 0.1, None, cer, 0.5, None) for n, cer in enumerate(rates))
        return History(tuple(epochs)).best.epoch

    assert best(0.2, 0.2, 0.3) == 1
    assert best(0.2, 0.3, 0.4) == 0
