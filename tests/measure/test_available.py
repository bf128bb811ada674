from __future__ import annotations

from functools import partial

from ocrkit.errors import MissingPartError
from ocrkit.measure.available import available


def test_what_cannot_be_made_is_left_out_with_the_reason() -> None:
    def fail(error: Exception) -> int:
        raise error

    made, reasons = available(
        {
            "there": lambda: 1,
            "missing": partial(fail, MissingPartError("not installed")),
            "broken": partial(fail, RuntimeError("two\nlines")),
        }
    )
    assert made == {"there": 1}
    assert reasons == {"missing": "not installed", "broken": "RuntimeError: two lines"}
