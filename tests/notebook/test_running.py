from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from ocrkit.errors import OutputError
from ocrkit.notebook.running import run_notebook


def notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def test_outputs_are_stored_and_no_time_with_them(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 6", "print(x * 7, __import__('os').getcwd())")
    run_notebook(path)
    done = nbformat.read(path, 4)
    assert done.cells[1].outputs[0].text == f"42 {tmp_path}\n"  # it ran in its own folder
    assert [cell.execution_count for cell in done.cells] == [1, 2]
    assert [dict(cell.metadata) for cell in done.cells] == [{"tags": ["parameters"]}, {}]
    assert set(done.metadata) <= {"kernelspec", "language_info", "widgets"}
    assert [file.name for file in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_notebook_that_fails_stays_as_it_was(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 1", "1 / 0", "print('after')")
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"a\.ipynb: cell 2 failed \(ZeroDivisionError"):
        run_notebook(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_notebook_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such notebook"):
        run_notebook(tmp_path / "nowhere.ipynb")
