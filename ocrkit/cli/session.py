"""What all commands share: what they print, where errors go, and the exit status."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from tqdm import tqdm

from ocrkit.errors import (
    CheckpointError,
    MissingPartError,
    OcrkitError,
    OutputError,
    missing_package,
)
from ocrkit.plain import one_line

if TYPE_CHECKING:
    from ocrkit.image import Found

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
MOST_FAILURES = 50  # errors that are shown
OVERLAY = re.compile(r"\.overlay(\.\d+)?\.jpg$")  # the end of the names of --overlay's pictures


class Session:
    """What a command prints: results on standard output, everything else on standard error."""

    failures = 0

    def say(self, text: str) -> None:
        """Print a message on standard error; it is not a result."""
        with tqdm.external_write_mode():
            typer.echo(one_line(text), err=True)

    def print(self, text: str) -> None:
        with tqdm.external_write_mode():  # or the progress bar and the text would mix
            typer.echo(text)

    def fail(self, message: str) -> None:
        self.failures += 1
        if self.failures <= MOST_FAILURES:
            with tqdm.external_write_mode():
                typer.secho(one_line(message), fg="red", err=True)
        elif self.failures == MOST_FAILURES + 1:
            self.say("further errors are counted, but not shown; report.csv has them all")

    @contextmanager
    def catching_errors(self) -> Iterator[None]:
        """The kit's errors inside are printed and counted, and the command goes on."""
        try:
            yield
        except OcrkitError as error:
            self.fail(str(error))

    def find(self, paths: Sequence[Path]) -> Found:
        """The images at the paths, each once, without the pictures that --overlay wrote."""
        from ocrkit.image import Found, search_folders

        images: dict[Path, None] = {}
        others: dict[Path, None] = {}
        for path in paths:
            with self.catching_errors():
                found = search_folders([path])
                wanted = [image for image in found.images if not _is_overlay(image, path)]
                images |= dict.fromkeys(wanted)
                others |= dict.fromkeys(found.others)
                if not wanted:
                    self.fail(
                        f"{path}: there are no images or PDF files in this folder "
                        "(pictures that --overlay wrote do not count)"
                    )
        return Found(list(images), [path for path in others if path not in images])


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM came. A KeyboardInterrupt, so that it ends a command as Ctrl-C does."""


def _terminate(number: int, frame: object) -> None:
    raise _TerminatedError


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """In this block SIGTERM ends the command as Ctrl-C does, so temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a signal's handler
        return
    handler = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def open_session(*usage: type[OcrkitError]) -> Iterator[Session]:
    """A session whose end sets the exit status, and which never shows a traceback.

    usage: further errors that mean that the command was wrong.
    """
    session = Session()
    if isinstance(sys.stdout, TextIOWrapper):  # some terminals cannot show every character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _stopped_by_sigterm():
            yield session
    except OcrkitError as error:
        session.fail(str(error))
        wrong = isinstance(error, (CheckpointError, MissingPartError, *usage))
        raise typer.Exit(USAGE if wrong else FAILED) from error
    except ModuleNotFoundError as error:
        session.fail(missing_package(error))
        raise typer.Exit(USAGE) from error
    except BrokenPipeError:
        raise  # for example `| head` closes it; typer ends without a message
    except OSError as error:
        session.fail(f"{error.filename or 'a file'}: {error.strerror or error}")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        session.fail("stopped; all files that have been written are complete")
        code = TERMINATED if isinstance(error, _TerminatedError) else INTERRUPTED
        raise typer.Exit(code) from error
    if session.failures:
        raise typer.Exit(FAILED)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show a text while something slow happens, if standard error is a terminal."""
    with Console(stderr=True).status(f"{text} ..."):
        yield


def _is_overlay(image: Path, given: Path) -> bool:
    return image != given and OVERLAY.search(image.name) is not None


def make_folder(folder: Path) -> None:
    """Make the output folder and try to write into it, before any reading starts."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot write into this folder: {error.strerror}") from error
