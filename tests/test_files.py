from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ocrkit import files
from ocrkit.errors import OutputError
from ocrkit.files import output_stems, prepared_path, write


def test_a_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    assert write(path, b"1") == path and write(path, b"22") == path
    assert path.read_bytes() == b"22"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.txt", b"old")

    def fail(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OutputError, match="a.txt: cannot be written: No space left"):
        write(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_on_several_drives_the_whole_path_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows folders on C: and D: have no common folder, and commonpath raises ValueError."""

    def fail(paths: object) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(files.os.path, "commonpath", fail)
    sources = [Path("/c/scans/a.png"), Path("/d/scans/a.png")]
    stems = output_stems(sources, sources, tmp_path)
    assert stems == [tmp_path / "c" / "scans" / "a", tmp_path / "d" / "scans" / "a"]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.bin must end in \.xml"):
        prepared_path(tmp_path / "a.bin", ".xml")
    assert prepared_path(str(tmp_path / "b" / "a.xml"), ".xml").parent.is_dir()


def stems(tmp_path: Path, sources: list[str], roots: list[str]) -> list[str]:
    for source in sources:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).touch()
    found = output_stems(
        [tmp_path / source for source in sources], [tmp_path / root for root in roots], Path("out")
    )
    return [path.as_posix() for path in found]


def test_results_of_a_folder_are_its_own_tree(tmp_path: Path) -> None:
    sources = ["scans/x.png", "scans/1847/x.png", "scans/letter.v2.tif"]
    assert stems(tmp_path, sources, ["scans"]) == ["out/x", "out/1847/x", "out/letter.v2"]


def test_a_single_file_goes_straight_into_the_folder(tmp_path: Path) -> None:
    assert stems(tmp_path, ["a/b/x.png"], ["a/b/x.png"]) == ["out/x"]


def test_files_of_one_name_in_two_folders_are_kept_apart(tmp_path: Path) -> None:
    sources = ["a/x.png", "b/x.png"]
    assert stems(tmp_path, sources, sources) == ["out/a/x", "out/b/x"]
    assert stems(tmp_path, sources, ["a", "b"]) == ["out/a/x", "out/b/x"]


def test_files_that_differ_in_their_suffix_keep_it(tmp_path: Path) -> None:
    assert stems(tmp_path, ["x.png", "x.tif", "y.png"], ["."]) == [
        "out/x.png",
        "out/x.tif",
        "out/y",
    ]
    assert len(set(stems(tmp_path, ["x.png", "x.tif", "x.png.tif"], ["."]))) == 3


def test_nothing_asked_for_needs_no_place() -> None:
    assert output_stems([], [Path("none.png")], Path("out")) == []


def test_threads_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    contents = [bytes([i]) * 200_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [tmp_path / "a.txt"] * 40, contents * 5))
    assert (tmp_path / "a.txt").read_bytes() in contents  # one of them, and whole
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
