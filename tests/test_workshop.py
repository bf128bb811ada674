"""The folder for a workshop; that it installs is tested by `make workshop-check`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "env" / f"{name}.py")
    assert spec and spec.loader
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


workshop, installer = module("workshop"), module("workshop_install")


def fake_wheels(command: str, wheels: Path, *arguments: str) -> None:
    """Instead of pip: a wheel of what was asked for, without a download."""
    made = {"-r": "some_package-1.2.post1-py3-none-any.whl", "uv==1": "uv-1-py3-none-any.whl"}
    name = made.get(arguments[-2 if "-r" in arguments else -1], "ocrkit-0.1-py3-none-any.whl")
    with zipfile.ZipFile(wheels / name, "w") as packed:
        for program in ("uv", "uv.exe"):
            packed.writestr(f"uv-1.data/scripts/{program}", "#!/bin/sh\nexit 3\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(workshop, "pip", fake_wheels)
    workshop.build(tmp_path / "workshop", ROOT / "env" / "read.lock", "uv==1")
    return tmp_path / "workshop"


def install(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "install.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_folder_names_every_package_and_has_the_sum_of_every_file(folder: Path) -> None:
    packages = (folder / "packages.txt").read_text().split()
    assert packages == ["ocrkit==0.1", "some_package==1.2.post1", "uv==1"]
    rows = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    summed = {row.split("  ", 1)[1] for row in rows}
    there = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    assert summed == there - {"SHA256SUMS"}
    assert {"install.py", "README.md", "data/samples/form.png"} <= there


@pytest.mark.parametrize(
    ("system", "there", "absent"),
    [
        ("windows", {"colorama", "torch", "openvino"}, {"nvidia-cudnn-cu12", "triton"}),
        ("macos", {"torch", "openvino"}, {"nvidia-cudnn-cu12", "triton", "colorama"}),
    ],
)
def test_another_system_gets_the_packages_that_its_markers_ask_for(
    system: str, there: set[str], absent: set[str]
) -> None:
    lock = (ROOT / "env" / "requirements.lock").read_text(encoding="utf-8")
    entries = workshop.entries_for(lock, workshop.SYSTEMS[system])
    names = {entry.partition("==")[0] for entry in entries}
    assert there <= names and not absent & names
    assert all("--hash=sha256:" in entry and ";" not in entry for entry in entries)


def test_a_wheel_of_another_system_is_known() -> None:
    windows, macos = workshop.SYSTEMS["windows"], workshop.SYSTEMS["macos"]
    assert workshop.fits("a-1-cp311-cp311-win_amd64.whl", windows)
    assert workshop.fits("a-1-py3-none-any.whl", windows)
    assert workshop.fits("a-1-cp311-cp311-macosx_11_0_arm64.whl", macos)
    assert not workshop.fits("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", windows)
    assert not workshop.fits("a-1.tar.gz", windows)


def test_a_build_that_fails_leaves_the_old_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: str, wheels: Path, *arguments: str) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(workshop, "pip", fail)
    with pytest.raises(subprocess.CalledProcessError):
        workshop.build(folder, ROOT / "env" / "read.lock", "uv==1")
    assert (folder / "packages.txt").is_file()


def test_a_damaged_or_missing_file_is_named_before_anything_is_installed(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "data" / "samples" / "form.png").write_bytes(b"cut short")
    (folder / "wheels" / "uv-1-py3-none-any.whl").unlink()
    done = install(folder, tmp_path / "kit")
    assert done.returncode == 1 and not (tmp_path / "kit").exists()
    assert "data/samples/form.png, wheels/uv-1-py3-none-any.whl" in done.stderr
    assert "copy the folder again" in done.stderr


def test_another_kind_of_computer_is_told_so(folder: Path, tmp_path: Path) -> None:
    (folder / "system.txt").write_text("Windows AMD64")
    done = install(folder, tmp_path / "kit")
    assert done.returncode == 1 and "was made for Windows AMD64" in done.stderr


def test_another_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(SystemExit, match=r"for Python 3\.11"):
        installer.main()


def test_a_step_that_fails_is_one_line_without_a_traceback(folder: Path, tmp_path: Path) -> None:
    done = install(folder, tmp_path / "kit")  # the uv of this folder ends with 3
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "This step failed" in done.stderr and "venv" in done.stderr


def test_installing_again_keeps_what_was_changed(tmp_path: Path) -> None:
    for name in ("a.ipynb", "b.ipynb"):
        (tmp_path / "from").mkdir(exist_ok=True)
        (tmp_path / "from" / name).write_text("new")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.ipynb").write_text("a learner's work")
    installer.copy_missing(tmp_path / "from", tmp_path / "to")
    assert [file.read_text() for file in sorted((tmp_path / "to").iterdir())] == [
        "a learner's work",
        "new",
    ]


def test_the_check_takes_the_network_away_but_not_the_computers_own_address() -> None:
    code = (
        "import socket, sys, urllib.request\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), 5)\n"
        "try: urllib.request.urlopen('http://example.org', timeout=5)\n"
        "except OSError: sys.exit(7)"
    )
    prefix = workshop.without_network()
    if prefix:
        assert subprocess.run([*prefix, sys.executable, "-c", code]).returncode == 7
    else:  # proxies that do not answer are then set, in `run_offline`
        assert workshop.NOWHERE.startswith("http://127.0.0.1")
