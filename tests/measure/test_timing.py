from __future__ import annotations

from functools import partial

import pytest

from ocrkit.measure.timing import Spread, interleaved, interleaved_timers, mean_seconds


def test_a_spread_shows_median_lowest_and_highest() -> None:
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


def test_timers_that_measure_themselves_take_turns_too() -> None:
    seconds = iter([1.0, 10.0, 2.0, 20.0])
    spreads = interleaved_timers(dict.fromkeys("ab", lambda: next(seconds)), rounds=2)
    assert spreads == {"a": Spread((1.0, 2.0)), "b": Spread((10.0, 20.0))}


def test_the_mean_is_of_many_calls() -> None:
    calls: list[int] = []
    assert 0 < mean_seconds(calls, list.append, 1) < 0.01
    assert len(calls) > 20
