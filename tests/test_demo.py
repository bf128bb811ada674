"""What `make demo` shows: the kit's own weights read the samples, and need few packages for it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ocrkit import Page, Recognizer, read_document
from ocrkit.metrics import cer

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
DOCUMENTS = sorted(path.with_suffix("").name for path in SAMPLES.glob("*.txt"))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load()


def compared(name: str, recognizer: Recognizer) -> tuple[str, str]:
    """Truth and reading of a sample; table cells are lines of their own, so lines do not count."""
    (scan,) = (path for path in SAMPLES.glob(f"{name}.*") if path.suffix != ".txt")
    truth = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    read = read_document(scan, recognizer=recognizer).text
    return " ".join(truth.split()), " ".join(read.split())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_sample_document_is_read_with_less_than_5_percent_errors(name, recognizer):
    truth, read = compared(name, recognizer)
    assert cer([truth], [read]) < 0.05


def edit_distance(text: str, other: str) -> int:
    return round(cer([text], [other]) * len(text))


def sample(name: str, recognizer: Recognizer) -> Page:
    (scan,) = (path for path in SAMPLES.glob(f"{name}.*") if path.suffix != ".txt")
    (page,) = read_document(scan, recognizer=recognizer).pages
    return page


@pytest.mark.parametrize("name", ["ledger", "receipt", "form", "contents", "columns", "chapter"])
def test_every_token_of_a_sample_is_read(name, recognizer):
    tokens = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").split()
    read = [token.casefold() for token in sample(name, recognizer).text.split()]
    # A letter or a mark of a word may be wrong, but figures and lone signs may not.
    for token in tokens:
        wrong = 2 if len(token) > 9 else int(len(token) > 2 and not token.isdecimal())
        near = [other for other in read if edit_distance(token.casefold(), other) <= wrong]
        assert near, f"{token} is missing"
        read.remove(min(near, key=lambda other: edit_distance(token.casefold(), other)))
    assert not [token for token in read if token.isalnum()], "more than the page has"


@pytest.mark.parametrize("name", ["ledger", "receipt", "contents", "columns", "chapter"])
def test_lines_of_a_sample_come_in_order_and_rows_stay_rows(name, recognizer):
    truth = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = sample(name, recognizer).text.splitlines()
    assert len(rows) == len(truth)
    for row, true in zip(rows, truth, strict=True):
        assert cer([true], [" ".join(row.split())]) < 0.2


def test_the_ledger_is_a_table_and_the_chapter_has_a_number_a_heading_and_a_note(recognizer):
    (table,) = sample("ledger", recognizer).tables
    assert {len(row) for row in table} == {6}
    assert ("Apr. 5", "Jas. Penrose, glazier", "—", "2", "3", "4") in table
    kinds = [block.kind for block in sample("chapter", recognizer).blocks]
    assert kinds[0] == "page number"
    assert "heading" in kinds
    assert kinds[-1] == "margin note"


def test_there_are_samples_to_read():
    assert len(DOCUMENTS) >= 6


def locked(name: str) -> set[str]:
    """The packages in a lock."""
    text = (ROOT / "env" / name).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, flags=re.MULTILINE))


def modules_that_reading_does_not_install() -> list[str]:
    """Import names, as `torch` and `cv2`, that only packages outside of read.lock bring."""
    extra = locked("requirements.lock") - locked("read.lock")
    return sorted(
        name
        for name, packages in packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", package).lower() for package in packages} <= extra
    )


def without(forbidden: list[str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code where importing any of ``forbidden`` fails."""
    code = f"import sys\nsys.modules.update(dict.fromkeys(sys.argv.pop(1).split()))\n{code}"
    command = [sys.executable, "-c", code, " ".join(forbidden), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)


def command_line(forbidden: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return without(forbidden, "from ocrkit.cli import app\napp()\n", *arguments)


def test_reading_needs_no_package_outside_of_its_lock_and_gives_the_same_text():
    forbidden = modules_that_reading_does_not_install()
    assert {"torch", "safetensors", "jiwer", "matplotlib", "pandas", "trdg"} <= set(forbidden)
    reduced, full = (command_line(f, "read", str(SAMPLES / "form.png")) for f in (forbidden, []))
    assert reduced.returncode == full.returncode == 0, reduced.stderr
    assert reduced.stdout.strip() and reduced.stdout == full.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("pretrain", "output/never"),
        ("benchmark", "data/samples/form.png"),
        ("read", "data/samples/form.png", "--recognizer", "ocrkit-fast"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_needs_more_packages_says_which_and_how_to_get_them(arguments):
    done = command_line(modules_that_reading_does_not_install(), *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1
    assert "is not installed" in done.stderr and "ocrkit[train]" in done.stderr


def test_a_public_name_that_needs_more_packages_says_how_to_get_them():
    done = without(["torch"], "from ocrkit import CRNN")
    assert done.stderr.splitlines()[-1].startswith("ocrkit.errors.MissingPartError: ocrkit.CRNN: ")
    assert "the package torch is not installed" in done.stderr
