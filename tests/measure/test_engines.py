from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.measure.engines import easyocr_reader, ocrkit_reader, rapidocr_reader, tesseract_reader

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def test_ocrkit_reads_a_sample_page() -> None:
    assert "HARDWARE" in ocrkit_reader()(SAMPLES / "receipt.png")


def test_without_tesseract_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPartError, match="apt-get install tesseract-ocr"):
        tesseract_reader()


@pytest.fixture
def fake_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "tesseract"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --list-langs ]; then echo "List of 2:"; echo eng; echo osd; exit; fi\n'
        'case "$1" in *bad*) echo "no image" >&2; exit 1;; esac\n'
        'echo "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_tesseract_uses_the_languages_that_are_installed(fake_tesseract: Path) -> None:
    assert tesseract_reader()(Path("page.png")).split() == ["page.png", "-", "-l", "eng"]
    with pytest.raises(OcrkitError, match=r"bad.png: Tesseract: no image"):
        tesseract_reader()(Path("bad.png"))
    fake_tesseract.write_text("#!/bin/sh\necho deu\n")
    with pytest.raises(MissingPartError, match="neither English nor French"):
        tesseract_reader()


def test_rapidocr_reads_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(page: np.ndarray) -> tuple[list | None, float]:
        assert page.ndim == 3 and page.dtype == np.uint8
        return [[None, "one", 0.9], [None, "two", 0.8]], 0.1

    package = SimpleNamespace(RapidOCR=lambda: engine)
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", package)
    assert rapidocr_reader()(SAMPLES / "receipt.png") == "one\ntwo"


def test_missing_packages_and_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def __init__(self, languages: list[str], **options: object) -> None:
            assert options["download_enabled"] is False
            raise FileNotFoundError("craft is missing")

    monkeypatch.setitem(sys.modules, "easyocr", SimpleNamespace(Reader=Reader))
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(MissingPartError, match="pip install rapidocr_onnxruntime"):
        rapidocr_reader()
    with pytest.raises(MissingPartError, match=r"pip install 'ocrkit\[craft\]'"):
        easyocr_reader()
