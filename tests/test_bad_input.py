"""Every bad file is a line of explanation; the good ones beside it are read all the same."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner, Result

from ocrkit import files, pipeline
from ocrkit.cli import app
from ocrkit.recognition.reading import Reading


class Reader:
    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [Reading("read", 1.0) for _ in crops]


@pytest.fixture(autouse=True)
def scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reader without weights, and a folder whose first and last documents are good."""
    monkeypatch.setattr(pipeline, "_recognizer", lambda *args, **options: Reader())
    monkeypatch.chdir(tmp_path)
    Path("scans").mkdir()
    for name in ("a.png", "z.jpg"):
        good().save(f"scans/{name}")


def good(size: tuple[int, int] = (300, 100)) -> Image.Image:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((30, 30), "some words", 0, ImageFont.load_default(24))
    return image


def read(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["read", *arguments, "-o", "out"])
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit | None)
    return result


def complaints(result: Result) -> list[str]:
    """What is said on standard error before the closing table."""
    lines = result.stderr.splitlines()
    return [line for line in lines if line.startswith(("scans", "none", "out", "locked"))]


def written() -> list[str]:
    return sorted(path.name for path in Path("out").rglob("*.txt"))


def cut(path: Path, image: Image.Image) -> None:
    image.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def png_of_size(path: Path, width: int, height: int) -> None:
    """A PNG whose header promises so many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


BAD: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "empty": ("m.png", lambda path: path.touch(), "empty"),
    "truncated PNG": ("m.png", lambda path: cut(path, good()), "cut short"),
    "truncated JPEG": ("m.jpg", lambda path: cut(path, good((900, 900))), "cut short"),
    "text named .png": ("m.png", lambda path: path.write_text("Dear Sir"), "not a PDF, PNG"),
    "0x0": ("m.png", lambda path: png_of_size(path, 0, 0), "no pixels"),
    "1x1": ("m.png", lambda path: Image.new("L", (1, 1)).save(path), "1 x 1"),
    "over 180 megapixels": (
        "m.png",
        lambda path: png_of_size(path, 20_000, 9_001),
        "180 megapixels",
    ),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("named", [False, True])
def test_a_bad_file_is_one_line_and_the_others_are_read(kind: str, named: bool) -> None:
    name, make, reason = BAD[kind]
    make(Path("scans", name))
    paths = ["scans/a.png", f"scans/{name}", "scans/z.jpg"] if named else ["scans"]
    result = read(*paths)
    assert result.exit_code == 1
    (complaint,) = complaints(result)
    assert complaint.startswith(f"scans/{name}: ")
    assert reason in complaint
    assert written() == ["a.txt", "z.txt"]
    assert "2 written" in result.stderr
    assert "1 failed" in result.stderr


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    png_of_size(Path("scans/m.png"), 60_000, 60_000)

    def load(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    assert "180 megapixels" in read("scans/m.png").stderr


def test_a_missing_path_is_one_line_and_the_others_are_read() -> None:
    result = read("scans/a.png", "none.png", "no-folder/", "scans/z.jpg")
    assert result.exit_code == 1
    assert "none.png: no such file or folder" in result.stderr
    assert "no-folder: no such file or folder" in result.stderr
    assert written() == ["a.txt", "z.txt"]


def test_an_unreadable_folder_is_one_line_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Tests may run as root, who may read everything.
    Path("locked").mkdir()
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if os.fspath(path) == "locked":
            raise PermissionError(13, "Permission denied", "locked")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = read("locked", "scans")
    assert result.exit_code == 1
    assert complaints(result) == ["locked: the folder cannot be read: Permission denied"]
    assert written() == ["a.txt", "z.txt"]


def test_a_folder_without_images_is_said() -> None:
    Path("none").mkdir()
    result = read("none", "scans")
    assert result.exit_code == 1
    assert complaints(result)[0].startswith("none: there are no")
    assert written() == ["a.txt", "z.txt"]


@pytest.mark.parametrize("folder", ["out", "out/deeper"])
def test_an_output_folder_that_cannot_be_is_said_before_anything_is_read(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").write_text("a file is here")
    monkeypatch.setattr(pipeline, "load_scans", lambda *args: pytest.fail("read for nothing"))
    result = CliRunner().invoke(app, ["read", "scans", "-o", folder])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"{folder}: cannot write into this folder")
    assert Path("out").read_text() == "a file is here"


def test_a_result_that_cannot_be_written_costs_one_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == "a.txt":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", full)
    result = read("scans")
    assert result.exit_code == 1
    assert complaints(result) == ["out/a.txt: cannot be written: No space left on device"]
    assert written() == ["z.txt"]


def test_a_name_that_is_not_utf_8_is_written_and_shown() -> None:
    name = os.fsdecode(b"scans/m\xe9.png")
    good().save(name)
    result = read("scans", "--format", "txt,json")
    assert result.exit_code == 0
    assert "scans/m\\udce9.png: confidence" in result.stdout
    assert written() == ["a.txt", os.fsdecode(b"m\xe9.txt"), "z.txt"]
    document = Path(os.fsdecode(b"out/m\xe9.json")).read_text("utf-8")
    assert json.loads(document)["source"] == name


def test_what_was_written_before_is_not_lost() -> None:
    Path("out").mkdir()
    Path("out/m.txt").write_text("from the last run")
    Path("scans/m.png").touch()
    assert read("scans").exit_code == 1
    assert Path("out/m.txt").read_text() == "from the last run"


ODD: dict[str, Callable[[], Image.Image]] = {
    "16-bit": lambda: Image.fromarray(np.asarray(good(), np.uint16) * 257),
    "palette": lambda: good().convert("P"),
    "alpha": lambda: Image.merge(
        "LA", (Image.new("L", (300, 100), 0), Image.eval(good(), lambda v: 255 - v))
    ),
    "CMYK": lambda: good().convert("RGB").convert("CMYK"),
    "1-bit": lambda: good().convert("1"),
    "colour": lambda: good().convert("RGB"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_but_good_images_are_read(kind: str) -> None:
    ODD[kind]().save("odd.tif")
    result = read("odd.tif")
    assert result.exit_code == 0
    assert Path("out/odd.txt").read_text() == "read\n"


def test_a_photograph_that_was_taken_sideways_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    good().transpose(Image.Transpose.ROTATE_90).save("turned.jpg", exif=exif)
    read("turned.jpg", "--format", "json")
    assert '"width": 300' in Path("out/turned.json").read_text()
    assert '"text": "read"' in Path("out/turned.json").read_text()
