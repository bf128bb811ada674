"""What goes wrong for a reason a person can mend: every text says what, and what to do."""

from __future__ import annotations


class OcrkitError(Exception):
    """Base of the kit's own errors; its message is meant to be shown as it is."""


class ImageError(OcrkitError):
    """An input file or folder cannot be read as images; the message starts with its path."""


class CheckpointError(OcrkitError):
    """A weights file is missing, or does not fit the model or alphabet it was given for."""


class MissingPartError(OcrkitError):
    """An optional package or weights file is absent; the message says how to get it."""


class OutputError(OcrkitError):
    """A result cannot be written where it should go."""


def missing_package(error: ModuleNotFoundError) -> str:
    """What to say and to do where only the packages for reading are installed."""
    return (
        f"the package {error.name} is not installed; only reading with OpenVINO works without it. "
        "Install the rest with `pip install 'ocrkit[train]'` or, in a clone of the repository, "
        "with `make setup`"
    )
