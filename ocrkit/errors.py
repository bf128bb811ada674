"""The kit's own errors. Each message says what is wrong, what would be right, and what to do."""

from __future__ import annotations


class OcrkitError(Exception):
    """Base class of the kit's own errors; the message is shown to users without a traceback."""


class ImageError(OcrkitError):
    """An input file or folder cannot be read as images; the message begins with its path."""


class DocumentError(OcrkitError):
    """A saved document cannot be loaded; the message begins with its path."""


class CheckpointError(OcrkitError):
    """A model file is missing, damaged or unsafe, or does not fit the network or the alphabet."""


class MissingPartError(OcrkitError):
    """An optional package or file is missing or cannot be used; the message says how to get it."""


class OutputError(OcrkitError):
    """A result cannot be written; the message begins with the path."""


class CatalogueError(OcrkitError):
    """The catalogue of an output folder is missing, damaged, full or in use by another run."""


class QueryError(OcrkitError):
    """A search query that cannot be used, for example one without a word."""


def missing_package(error: ModuleNotFoundError) -> str:
    """What to say and to do where only the packages for reading are installed."""
    return (
        f"the package {error.name} is not installed; only reading with OpenVINO works without it. "
        "Install the rest with `pip install 'ocrkit[train]'` or, in a clone of the repository, "
        "with `make setup`"
    )
