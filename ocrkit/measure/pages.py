"""Comparison of readers of whole pages: accuracy and seconds per page.

`ocrkit benchmark FOLDER` times ocrkit and Tesseract on your own scans.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ocrkit.errors import OcrkitError
from ocrkit.image import find_images
from ocrkit.measure.available import available
from ocrkit.measure.engines import Reader, ocrkit_reader, tesseract_reader
from ocrkit.measure.tables import Score
from ocrkit.measure.timing import Spread, interleaved
from ocrkit.metrics import bootstrap_cer, cer, word_f1
from ocrkit.pipeline import read_document
from ocrkit.recognition.recognizer import Recognizer


@dataclass(frozen=True)
class PageResult:
    """One page read by one reader.

    page: the file name without suffix. cer: character error rate, with all white space as single
    spaces. word_f1: F1 score of the words. truth, text: the true text and the reading.
    """

    page: str
    reader: str
    cer: float
    word_f1: float
    seconds: Spread
    truth: str
    text: str


def compare_readers(
    readers: Mapping[str, Reader], pages: Sequence[Path], rounds: int = 3
) -> list[PageResult]:
    """Read each page with each reader: one result for each pair.

    The true text of a page is the .txt file of the same name beside it.
    """
    runs = {(page, name): partial(read, page) for page in pages for name, read in readers.items()}
    texts = {key: run() for key, run in runs.items()}  # also warms up
    seconds = interleaved(runs, rounds, "reading pages")
    truths = {page: page.with_suffix(".txt").read_text(encoding="utf-8") for page in pages}
    return [
        PageResult(
            page.stem,
            name,
            cer=cer([" ".join(truths[page].split())], [" ".join(text.split())]),
            word_f1=word_f1(truths[page], text)[2],
            seconds=seconds[page, name],
            truth=truths[page],
            text=text,
        )
        for (page, name), text in texts.items()
    ]


def measure_pages(recognizer: Recognizer, pages: Sequence[Path]) -> list[Score]:
    """The scores of whole pages, with the kit's own detector.

    The true text of a page is the .txt file beside it. The order of the lines counts in the CER,
    but not in the F1 score of the words.
    """
    read = {"ocrkit": lambda path: read_document(path, recognizer=recognizer).text}
    results = compare_readers(read, pages, rounds=1)
    truths, texts = (
        [" ".join(text.split()) for text in column]
        for column in zip(*((result.truth, result.text) for result in results), strict=True)
    )
    mean = sum(result.word_f1 for result in results) / len(results)
    worst = min(results, key=lambda result: result.word_f1)
    lowest = f"lowest {worst.word_f1:.4f}, of {worst.page}"
    return [
        Score("CER", cer(truths, texts), bootstrap_cer(truths, texts)),
        Score("word F1, mean", mean, note=lowest),
    ]


def benchmark(paths: Sequence[Path], recognizer: str | None = None, rounds: int = 3) -> None:
    """Time ocrkit and Tesseract on images and folders of them, and print seconds per file.

    The two take turns on each file; Tesseract is left out if it is not installed. Files that cannot
    be read are named on standard error; raises OcrkitError if there is no other file.
    """
    pages = find_images(paths)
    readers = {"ocrkit": ocrkit_reader(recognizer)}
    others, reasons = available({"Tesseract": tesseract_reader})
    for reason in reasons.values():
        print(reason)
    readers |= others
    rows, failed = available(
        {str(page): partial(_time_page, readers, page, rounds) for page in pages}
    )
    for reason in failed.values():
        print(reason, file=sys.stderr)
    if not rows:
        raise OcrkitError("no page could be read; the reasons are above")
    print(f"\nmedian of {len(rows)} files (lowest-highest), seconds per file:")
    for name in next(iter(rows.values())):
        print(f"{name}: {Spread(tuple(row[name].median for row in rows.values()))}")


def _time_page(readers: Mapping[str, Reader], page: Path, rounds: int) -> dict[str, Spread]:
    """Seconds of each reader on one file, printed as soon as they are known."""
    runs = {name: partial(read, page) for name, read in readers.items()}
    for run in runs.values():  # warm up
        run()
    row = interleaved(runs, rounds)
    if "Tesseract" in row:
        row["Tesseract / ocrkit"] = row["Tesseract"].ratio(row["ocrkit"])
    shown = ", ".join(f"{name} {spread}" for name, spread in row.items())
    print(f"{page}: {shown}", flush=True)
    return row
