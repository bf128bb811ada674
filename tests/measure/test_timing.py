from __future__ import annotations

import os
from functools import partial

import psutil
import pytest

from ocrkit.errors import OcrkitError
from ocrkit.measure.timing import Spread, interleaved, mean_seconds, worker_process
from ocrkit.recognition.recognizer import Recognizer


def test_a_spread_says_median_lowest_and_highest() -> None:
    spread = Spread((4.0, 1.0, 2.0))
    assert spread.median == 2.0
    assert str(spread) == "2.00 (1.00-4.00)"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (0.5, "0.50"), (12.34, "12.3"), (1234.5, "1234")]
)
def test_a_spread_is_written_with_about_three_digits(value: float, text: str) -> None:
    assert str(Spread((value,))) == f"{text} ({text}-{text})"


def test_ratios_are_taken_within_a_round() -> None:
    assert Spread((4.0, 9.0)).ratio(Spread((2.0, 3.0))).values == (2.0, 3.0)
    assert Spread((2.0, 4.0)).map(lambda s: 1 / s).values == (0.5, 0.25)


def test_runs_take_turns() -> None:
    called: list[str] = []
    spreads = interleaved({name: partial(called.append, name) for name in "ab"}, rounds=3)
    assert called == list("ababab")
    assert {name: len(spread.values) for name, spread in spreads.items()} == {"a": 3, "b": 3}


def test_ranges_that_share_a_value_overlap() -> None:
    low, high = Spread((1.0, 2.0)), Spread((2.5, 3.0))
    assert not low.overlaps(high) and not high.overlaps(low)
    between = Spread((1.9, 2.6))
    assert all(a.overlaps(b) and b.overlaps(a) for a, b in ((low, between), (between, high)))
    assert Spread((0.0, 9.0)).overlaps(between) and between.overlaps(Spread((0.0, 9.0)))


def test_what_is_apart_is_made_once_in_a_process_of_its_own() -> None:
    letters, process = partial(list, "ab"), os.getpid
    with worker_process(letters, partial(int, "7")) as use:
        assert use(letters, list.append, "c") is None
        assert use(letters, len) == 3
        assert use(partial(int, "7"), pow, 2) == 49
        assert use(process, int) == use(process, abs) != os.getpid()
        assert 0 < use(letters, mean_seconds, list.append, "d") < 0.01  # the mean of many calls
        assert use(letters, len) > 20


def test_an_error_in_making_what_is_apart_comes_up_here() -> None:
    make = partial(Recognizer.load, "none-such")
    with (
        pytest.raises(OcrkitError, match="no weights are called 'none-such'"),
        worker_process(make, dict) as use,
    ):
        assert use(dict, len) == 0  # what could not be made is not in the way of the rest
        use(make, len)


def test_a_process_apart_is_gone_afterwards() -> None:
    with worker_process() as use:
        process = psutil.Process(use(os.getpid, int))
        assert process.is_running()
    assert not process.is_running()
