from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocrkit.cli import app
from ocrkit.errors import OcrkitError
from ocrkit.measure import pages as module
from ocrkit.measure.engines import tesseract_reader
from ocrkit.measure.pages import benchmark, compare_readers


def test_readings_are_scored_against_the_text_beside_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.with_suffix(".txt").write_text("Nine  lives\nof a cat\n", encoding="utf-8")
    readers = {"good": lambda _: "Nine lives of a cat", "bad": lambda _: ""}
    results = compare_readers(readers, [page], 1)
    assert [(r.page, r.reader, r.cer, r.word_f1) for r in results] == [
        ("page", "good", 0.0, 1.0),
        ("page", "bad", 1.0, 0.0),
    ]
    assert results[0].truth == "Nine  lives\nof a cat\n" and results[1].text == ""
    assert len(results[0].seconds.values) == 1


# --- the command


def read(path: Path) -> str:
    if path.stem == "bad":
        raise OcrkitError(f"{path}: no image")
    return ""


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one page that both engines read and one that neither reads."""
    monkeypatch.setattr(module, "ocrkit_reader", lambda name: read)
    monkeypatch.setattr(module, "tesseract_reader", lambda: read)
    for name in ("a.png", "bad.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_the_command_times_both_and_names_a_page_it_cannot_read(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark([scans], rounds=2)
    captured = capsys.readouterr()
    assert f"{scans / 'a.png'}: ocrkit " in captured.out
    assert "median of 1 files" in captured.out
    assert "\nTesseract / ocrkit: " in captured.out
    assert captured.err == f"{scans / 'bad.png'}: no image\n"


def test_the_command_works_without_tesseract(
    scans: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module, "tesseract_reader", tesseract_reader)
    benchmark([scans], rounds=1)
    out = capsys.readouterr().out
    assert out.startswith("Tesseract is not installed") and "Tesseract / ocrkit" not in out


def test_a_folder_without_pages_is_an_error(scans: Path) -> None:
    (scans / "a.png").unlink()
    with pytest.raises(OcrkitError, match="no page could be read"):
        benchmark([scans])
    with pytest.raises(OcrkitError, match="nowhere"):
        benchmark([Path("nowhere")])


def test_it_is_a_command(scans: Path) -> None:
    result = CliRunner().invoke(app, ["benchmark", str(scans), "--rounds", "1"])
    assert result.exit_code == 0 and "median of 1 files" in result.output
    result = CliRunner().invoke(app, ["benchmark", str(scans / "bad.png")])
    assert result.exit_code == 1 and "no page could be read" in result.output
