"""Optional packages: importing them with a remedy, and keeping them quiet."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from rich import get_console

from ocrkit.errors import MissingPartError

_ONE_AT_A_TIME = threading.RLock()  # the same thread may enter again


@contextmanager
def needs(what: str, packages: str, instead: str = "") -> Iterator[None]:
    """Around an import: where it fails, a MissingPartError says how to get the packages."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise MissingPartError(
            f"{what} cannot be used here ({error}); install it with `pip install {packages}`"
            + (instead and f", or {instead}")
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars, log lines and warnings of packages that have no setting for it.

    They are turned off for the whole process, so other threads wait until this one is done.
    """
    with (
        _ONE_AT_A_TIME,
        _logs_off(),
        _stderr_off(),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        warnings.catch_warnings(action="ignore"),
    ):
        yield


@contextmanager
def _logs_off() -> Iterator[None]:
    before, console = logging.root.manager.disable, get_console()
    logging.disable(logging.WARNING)
    # In a notebook NNCF's bars are displayed, not printed.
    jupyter, console.is_jupyter = console.is_jupyter, False
    try:
        yield
    finally:
        console.is_jupyter = jupyter
        logging.disable(before)


@contextmanager
def _stderr_off() -> Iterator[None]:
    """IPEX prints from C++ when it is loaded: to the file descriptor, not to Python's stderr."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
