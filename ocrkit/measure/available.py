"""Optional parts: use those that work, and keep the reason why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ocrkit.errors import OcrkitError

T = TypeVar("T")


def available(makers: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], dict[str, str]]:
    """Call every maker; returns the results, and for those that failed the error message."""
    made: dict[str, T] = {}
    reasons: dict[str, str] = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except OcrkitError as error:
            reasons[name] = str(error)
        except Exception as error:  # a package that fails in its own way must not stop the rest
            reasons[name] = " ".join(f"{type(error).__name__}: {error}".split())
    return made, reasons
