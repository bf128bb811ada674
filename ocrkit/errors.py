"""The kit's own errors. Each message says what is wrong, what would be right, and what to do."""

from __future__ import annotations


class OcrkitError(Exception):
    """Base class of the kit's own errors; the message is shown to users without a traceback."""


class ImageError(OcrkitError):
    """An input file or folder cannot be read as images; the message begins with its path."""


class CheckpointError(OcrkitError):
    """A model file is missing, damaged or unsafe, or does not fit the network or the alphabet."""


class MissingPartError(OcrkitError):
    """An optional package or file is missing or cannot be used; the message says how to get it."""


class OutputError(OcrkitError):
    """A result cannot be written; the message begins with the path."""
