"""Reads the tables beside this module: .toml for settings, .tsv for rows of text."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def read_toml(name: str) -> dict[str, Any]:
    """The table `name`, a .toml file of this folder; keys keep the order of the file."""
    return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))


def read_rows(name: str) -> list[list[str]]:
    """The rows of the .tsv file `name`, split at tabs, without empty rows and # comments."""
    rows = (_FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [row.split("\t") for row in rows if row and not row.startswith("#")]
