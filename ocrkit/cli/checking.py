"""The commands `ocrkit doctor` and `ocrkit benchmark`."""

from __future__ import annotations

from typing import Annotated

import typer

from ocrkit.cli.options import (
    Paths,
    RecognizerOption,
)
from ocrkit.cli.session import FAILED, open_session, status


def doctor() -> None:
    """Check this machine: what is installed, what is missing or broken, and what to do about it.

    Exit status: 0 nothing is broken, 1 something is.
    """
    from ocrkit.notebook.doctor import doctor as examine

    report = examine()
    typer.echo(str(report))
    raise typer.Exit(0 if report.ok else FAILED)


def benchmark(
    paths: Paths,
    recognizer: RecognizerOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each file is read.")] = 3,
) -> None:
    """Time ocrkit and Tesseract on your own scans, in seconds per file.

    The two take turns on each file; Tesseract is left out if it is not installed.
    """
    with open_session():
        with status("Loading"):
            from ocrkit.measure.pages import benchmark as compare
        compare(paths, recognizer, rounds)
