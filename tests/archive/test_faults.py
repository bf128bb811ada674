"""`ocrkit read` and `recognize` where things go wrong: full disks, pipes, odd names."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ocrkit import pipeline
from ocrkit.archive.catalogue import Catalogue
from ocrkit.archive.folder import OWN
from ocrkit.cli import app
from ocrkit.recognition.recognizer import Recognizer
from tests.archive.helpers import HeightReader, scan
from tests.archive.kills import PROGRAM

NAME = "row\tone\nrow\x1b[31m two\u202e.png"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pipeline, "_recognizer", lambda *args, **options: HeightReader())
    monkeypatch.setattr(Recognizer, "load", lambda *args, **options: HeightReader())
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def alone(*arguments: str, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess:
    """The command in a process of its own, with the kit's weights."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limit,
        env=os.environ | {"PYTHONPATH": root},
    )


def test_what_is_no_image_is_counted_and_named_in_one_line() -> None:
    scan("scans/a.png")
    for name in ("1.txt", "2.doc", "deeper/3.xml", "4.csv"):
        Path("scans", name).parent.mkdir(exist_ok=True)
        Path("scans", name).write_text("some text")
    result = run("read", "scans", "-o", "out")
    assert result.exit_code == 0
    (line,) = (line for line in result.stderr.splitlines() if "not images" in line)
    assert line.startswith("4 files are not images and are left out: scans/1.txt, ")
    assert line.endswith(" and 1 others")
    assert "left out" in Path("out/report.csv").read_text()


def test_results_of_a_run_are_not_counted_among_what_is_no_image() -> None:
    scan("scans/a.png")
    for _ in range(2):
        result = run("read", "scans", "-o", "scans", "--format", "txt,json")
        assert "not images" not in result.stderr


@pytest.mark.parametrize("jobs", [(), ("-j", "1")])
def test_pipes_sockets_and_loops_are_one_line_each_and_nothing_waits(jobs: tuple[str, ...]) -> None:
    scan("scans/a.png")
    os.mkfifo("scans/pipe.png")
    os.symlink("loop.png", "scans/loop.png")
    os.symlink("nowhere.png", "scans/broken.png")
    os.symlink(".", "scans/deeper")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("scans/socket.png")
        done = alone("read", "scans", "-o", "out", *jobs)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("scans/")]
    assert sorted(lines) == [
        "scans/broken.png: No such file or directory",
        "scans/loop.png: Too many levels of symbolic links",
        "scans/pipe.png: is a named pipe (FIFO), not a file",
        "scans/socket.png: is a socket, not a file",
    ]
    assert "1 written" in done.stderr and "4 failed" in done.stderr


def test_a_device_is_one_line() -> None:
    result = run("read", "/dev/zero", "-o", "out")
    assert "/dev/zero: is a device, not a file" in result.stderr
    assert result.exit_code == 1


def test_a_name_forges_no_row_and_no_line() -> None:
    scan(NAME)
    Path("bad" + NAME).write_text("no image")
    for arguments in (("recognize", "."), ("read", ".", "-o", "out", "--show")):
        result = run(*arguments)
        shown = "row\\tone\\nrow\\x1b[31m two\\u202e.png"
        assert shown in result.stdout and f"bad{shown}: " in result.stderr
        assert "\x1b" not in result.output and "\u202e" not in result.output
    assert len(run("recognize", ".").stdout.splitlines()) == 1


def test_json_lines_give_every_name_as_it_is() -> None:
    scan(NAME)
    scan(os.fsdecode(b"m\xe9.png"), 50)
    rows = [json.loads(row) for row in run("recognize", ".", "--json").stdout.splitlines()]
    assert {row["file"] for row in rows} == {NAME, os.fsdecode(b"m\xe9.png")}
    assert {row["text"] for row in rows} == {"page of 120 rows", "page of 50 rows"}
    assert all(row["confidence"] == 0.95 for row in rows)


def test_a_full_disk_is_said_and_nothing_counts_as_written() -> None:
    """A limit on the size of files, because a test cannot fill a disk."""
    for i in range(4):
        scan(f"scans/{i}.png", 60 + i)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (8192, 8192))
    done = alone("read", "scans", "-o", "out", limit=limit)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("out/ocrkit.db: "))
    assert "make room on the disk and run the same command again" in line
    assert not [path for path in Path("out").iterdir() if path.name not in OWN]
    done = alone("read", "scans", "-o", "out")
    assert "4 written" in done.stderr and done.returncode == 0


def test_a_disk_that_fills_during_the_run_keeps_what_was_written_and_counts_it_truly() -> None:
    for i in range(300):
        scan(f"scans/{i}.png", 60 + i)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (300_000, 300_000))
    done = alone("read", "scans", "-o", "out", "--no-show", limit=limit)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    written = len(list(Path("out").glob("*.txt")))
    assert f"{written} written" in done.stderr
    assert 0 < written < 300


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, who may write everywhere.
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ocrkit.cli.session.tempfile.TemporaryFile", refuse)
    result = run("read", scan("a.png"), "-o", "out")
    assert result.exit_code == 1
    assert result.stderr == "out: cannot write into this folder: Permission denied\n"


def test_two_runs_at_once_into_one_folder() -> None:
    Path("out").mkdir()
    with Catalogue.open_for_run(Path("out")):
        result = run("read", scan("a.png"), "-o", "out")
    assert result.exit_code == 1
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("out: "))
    assert "another run is at work in this folder" in line
    assert run("read", "a.png", "-o", "out").exit_code == 0


def test_five_hundred_files_are_a_few_lines_on_the_screen() -> None:
    Path("scans").mkdir()
    one = scan("one.png").read_bytes()
    for i in range(500):
        Path(f"scans/{i}.png").write_bytes(one + i.to_bytes(2))
    result = run_here("scans")
    assert result.exit_code == 0
    assert "500 written (500 pages read" in result.stderr
    assert len(result.stderr.splitlines()) < 12 and result.stdout == ""


def run_here(folder: str) -> Result:
    """In this process, in which the reader of these tests is, although there are many files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ocrkit.archive.workers.sensible_jobs", lambda files: None)
        return run("read", folder, "-o", "out")


def test_the_command_says_what_a_second_run_does() -> None:
    scan("scans/a.png"), scan("scans/b.tif", 50, 60)
    assert "2 files: 2 new" in run("read", "scans", "-o", "out").stderr
    result = run("read", "scans", "-o", "out")
    assert "2 files: 2 unchanged" in result.stderr
    assert "there is nothing to read; --again reads all files again" in result.stderr
    assert "0 written, 2 unchanged, results in out" in result.stderr
    assert "2 files: 2 to be read again" in run("read", "scans", "-o", "out", "--again").stderr
    assert "other settings" in run("read", "scans", "-o", "out", "--min-confidence", "0.5").stderr


def test_something_is_on_the_screen_before_the_slow_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "import sys\nfrom ocrkit.cli import app\nfrom ocrkit.cli.session import Session\n"
        "def say(self, text):\n"
        "    print(text, 'cv2' in sys.modules, 'openvino' in sys.modules)\n"
        "    raise SystemExit\n"
        "Session.say = say\n"
        "app(['read', 'a.png', '-o', 'out'])"
    )
    scan("a.png")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout == "Looking for files: a.png False False\n"
