from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocrkit.errors import OutputError
from ocrkit.notebook.copies import copy_notebooks


def notebook(path: Path, source: str | list[str], output: str = "") -> Path:
    path.parent.mkdir(exist_ok=True)
    outputs = [{"output_type": "stream", "name": "stdout", "text": output}] if output else []
    cell = {"cell_type": "code", "source": source, "outputs": outputs}
    path.write_text(json.dumps({"cells": [cell]}))
    return path


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return notebook(tmp_path / "notebooks" / "01_data.ipynb", "a = 1\nb = 2", "the stored output")


def copies(tmp_path: Path) -> list[str]:
    """Copy; the names of the files that were written."""
    said = list(copy_notebooks(tmp_path / "notebooks", tmp_path / "mine"))
    return [Path(sentence.partition(": ")[0]).name for sentence in said]


def test_a_copy_is_made_once_and_never_overwritten(original: Path, tmp_path: Path) -> None:
    assert copies(tmp_path) == ["01_data.ipynb"]
    copy = tmp_path / "mine" / "01_data.ipynb"
    assert copy.read_bytes() == original.read_bytes()
    notebook(copy, "a = 'a learner was here'")
    before = copy.read_bytes()
    assert copies(tmp_path) == []
    assert copy.read_bytes() == before


def test_a_changed_original_is_laid_beside_the_copy_once(original: Path, tmp_path: Path) -> None:
    copies(tmp_path)
    copy = notebook(tmp_path / "mine" / "01_data.ipynb", "a = 'a learner was here'")
    before = copy.read_bytes()
    notebook(original, "a = 3")
    assert copies(tmp_path) == ["01_data.new.ipynb"]
    assert copy.read_bytes() == before
    assert (tmp_path / "mine" / "01_data.new.ipynb").read_bytes() == original.read_bytes()
    assert copies(tmp_path) == []
    notebook(original, "a = 4")  # the learner may work in the first one already
    assert copies(tmp_path) == ["01_data.new-2.ipynb"]


def test_new_outputs_are_no_change(original: Path, tmp_path: Path) -> None:
    copies(tmp_path)
    notebook(original, ["a = 1\n", "b = 2"], "another output")
    assert copies(tmp_path) == []


def test_copies_without_notes_are_not_overwritten(original: Path, tmp_path: Path) -> None:
    copy = notebook(tmp_path / "mine" / "01_data.ipynb", "mine")
    before = copy.read_bytes()
    (tmp_path / "mine" / ".originals.json").write_text("[1")
    assert copies(tmp_path) == ["01_data.new.ipynb"]
    assert copy.read_bytes() == before


def test_a_folder_without_notebooks_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there are no notebooks"):
        list(copy_notebooks(tmp_path, tmp_path / "mine"))
