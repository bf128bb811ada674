"""What `make demo` shows: the kit's own weights read the sample documents."""

from pathlib import Path

import pytest

from ocrkit import Recognizer, read_document
from ocrkit.metrics import cer

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
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


def test_there_are_samples_to_read():
    assert len(DOCUMENTS) >= 6
