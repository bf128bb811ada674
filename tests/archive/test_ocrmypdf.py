"""OCRmyPDF reads with ocrkit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest

from ocrkit import read_document

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
PROGRAMS = ("tesseract", "gs", "pdftotext")


@pytest.fixture(autouse=True)
def programs() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{', '.join(missing)} not installed; OCRmyPDF or this test needs them")


def ocrmypdf(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "ocrmypdf", "--plugin", "ocrkit.archive.ocrmypdf"]
    done = subprocess.run([*command, "--jobs", "1", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ocrmypdf_writes_the_text_that_ocrkit_reads(tmp_path: Path) -> None:
    sample, out = SAMPLES / "letter.jpg", tmp_path / "out.pdf"
    ocrmypdf("--output-type", "pdf", sample, out)
    text = subprocess.check_output(["pdftotext", out, "-"], text=True)
    words = read_document(sample).text.split()
    # OCRmyPDF may resample the page, so a few marks may be read in another way.
    assert len(set(words) - set(text.split())) <= 0.05 * len(set(words))
    with pikepdf.open(out) as pdf:
        assert "ocrkit" in str(pdf.docinfo["/Creator"])
