"""Readers of whole pages compared: accuracy and seconds a page.

python -m ocrkit.measure.pages FOLDER    compares ocrkit and Tesseract on your own scans
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ocrkit.errors import OcrkitError
from ocrkit.image import find_images
from ocrkit.measure.artefacts import available
from ocrkit.measure.engines import Reader, ocrkit_reader, tesseract_reader
from ocrkit.measure.timing import Spread, interleaved
from ocrkit.metrics import cer, word_f1


def compare_readers(
    readers: Mapping[str, Reader], pages: Sequence[Path], rounds: int = 3
) -> list[dict[str, Any]]:
    """A row for each page and reader; the page's true text is beside it, in a .txt of its name.

    Keys: page, reader, cer (white space folded), word_f1, seconds (a Spread), truth, text.
    """
    runs = {(page, name): partial(read, page) for page in pages for name, read in readers.items()}
    texts = {key: run() for key, run in runs.items()}
    seconds = interleaved(runs, rounds, "reading pages")
    truths = {page: page.with_suffix(".txt").read_text(encoding="utf-8") for page in pages}
    return [
        {
            "page": page.stem,
            "reader": name,
            "cer": cer([" ".join(truths[page].split())], [" ".join(text.split())]),
            "word_f1": word_f1(truths[page], text)[2],
            "seconds": seconds[page, name],
            "truth": truths[page],
            "text": text,
        }
        for (page, name), text in texts.items()
    ]


def main(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Images, and folders of them.")
    ],
    recognizer: Annotated[
        str | None, typer.Option(help="Weights, a name or a path; else the kit's own.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = 3,
) -> None:
    """Seconds a file of ocrkit and of Tesseract, taking turns on the same files."""
    try:
        pages = find_images(paths)
        readers = {"ocrkit": ocrkit_reader(recognizer)}
    except OcrkitError as error:
        raise typer.BadParameter(str(error)) from error
    others, reasons = available({"Tesseract": tesseract_reader})
    for reason in reasons.values():
        print(reason)
    readers |= others

    def timed(page: Path) -> dict[str, Spread]:
        runs = {name: partial(read, page) for name, read in readers.items()}
        for run in runs.values():
            run()
        row = interleaved(runs, rounds)
        if others:
            row["Tesseract / ocrkit"] = row["Tesseract"].ratio(row["ocrkit"])
        shown = ", ".join(f"{name} {spread}" for name, spread in row.items())
        print(f"{page}: {shown}", flush=True)
        return row

    rows, failed = available({str(page): partial(timed, page) for page in pages})
    for reason in failed.values():
        print(reason, file=sys.stderr)
    if not rows:
        print("no page could be read", file=sys.stderr)
        raise typer.Exit(1)
    print(f"\nmedian of {len(rows)} files (lowest-highest), seconds a file:")
    for name in next(iter(rows.values())):
        print(f"{name}: {Spread(tuple(row[name].median for row in rows.values()))}")


if __name__ == "__main__":
    typer.run(main)
