from __future__ import annotations

import sys

import pytest

from ocrkit import progress as module
from ocrkit.progress import progress


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds pass with each look at the clock; 0 at first."""
    step, now = [0.0], [100.0]

    def look() -> float:
        now[0] += step[0]
        return now[0]

    monkeypatch.setattr(module.time, "monotonic", look)
    return step


def test_all_items_come_in_their_order() -> None:
    assert list(progress("abc", "letters")) == ["a", "b", "c"]
    assert list(progress([], "nothing")) == []


def test_a_short_loop_prints_one_line(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    clock[0] = 0.25
    list(progress(range(8), "read"))
    captured = capsys.readouterr()
    assert captured.out == "read: 8 of 8 images, 4 a second, 2.0 s\n"
    assert captured.err == ""


def test_a_long_loop_prints_a_line_each_quarter_with_the_time_left(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    clock[0] = 15.0
    list(progress(range(8), "train", unit="steps"))
    assert capsys.readouterr().out.splitlines() == [
        "train: 2 of 8 steps, 15.0 s each, 90 s left",
        "train: 4 of 8 steps, 15.0 s each, 60 s left",
        "train: 6 of 8 steps, 15.0 s each, 30 s left",
        "train: 8 of 8 steps, 15.0 s each, 120.0 s",
    ]


def test_a_loop_left_early_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in progress(range(8), "read"):
        break
    assert capsys.readouterr().out == ""


def test_in_a_terminal_it_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "read")) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "read:" in captured.err


class TestMeter:
    def test_a_log_has_a_line_at_once_and_then_less_and_less_often(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        now = [100.0]
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
        meter = module.Meter("Reading", "pages", 200)
        assert capsys.readouterr().err == "Reading: 0 of 200 pages\n"
        seen = []
        for second in range(1, 101):
            now[0] = 100.0 + second
            meter.update(second, 200)
            if line := capsys.readouterr().err:
                seen.append(second)
                assert line.startswith(f"Reading: {second} of 200 pages, 60 pages a minute, ")
        assert seen == [11, 21, 41, 81]
        meter.close()

    def test_the_time_left_follows_the_total(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        now = [0.0]
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
        meter = module.Meter("Reading", "pages", 10)
        now[0] = 60.0
        meter.update(10, 500)
        assert capsys.readouterr().err.splitlines()[-1] == (
            "Reading: 10 of 500 pages, 10 pages a minute, 49 min left"
        )

    def test_a_terminal_has_a_bar_that_disappears(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        meter = module.Meter("Reading", "pages", 10)
        assert "Reading: 0 of 10" in capsys.readouterr().err
        meter.bar.mininterval = 0
        meter.update(5, 20)
        meter.bar.refresh()
        assert "5 of 20" in capsys.readouterr().err
        meter.close()
