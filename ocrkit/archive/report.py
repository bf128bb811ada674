"""The report of an output folder: which pages to look at first, what failed, what was left out."""

from __future__ import annotations

import csv
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path

from ocrkit.archive.catalogue import Catalogue, FileRow, PageRow
from ocrkit.errors import ImageError
from ocrkit.files import write
from ocrkit.plain import one_line

REPORT, TABLE = "report.html", "report.csv"
SHOWN = 24  # pages with a picture
LISTED = 500  # pages and files in the tables of the HTML report; the CSV file has all
THUMBNAIL = 360  # px, the longer side
COLUMNS = (
    "file",
    "page",
    "state",
    "expected_cer",
    "confidence",
    "lines",
    "left_out",
    "seconds",
    "error",
)
STYLE = """
body {font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem}
table {border-collapse: collapse; width: 100%} th, td {text-align: left; padding: .2rem .6rem;
border-bottom: 1px solid #ccc; overflow-wrap: anywhere; vertical-align: top}
td.number {text-align: right; white-space: nowrap}
.pages {display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem}
figure {margin: 0; border: 1px solid #ccc; padding: .5rem} figure img {width: 100%; height: auto}
figcaption {font-size: .85rem; overflow-wrap: anywhere} .error {color: #b3261e}
"""


def write_report(catalogue: Catalogue, summary: str, left_out: Sequence[Path] = ()) -> Path:
    """Write report.html and report.csv into the folder of a catalogue; returns the first path.

    Pages are sorted by expected CER or, where it is unknown, by confidence, the worst first; pages
    without text come last. summary: what the run did, in one line. left_out: files in the folders
    that are not images.

    Raises OutputError if a file cannot be written.
    """
    write(catalogue.folder / TABLE, _csv(catalogue, left_out))
    return write(catalogue.folder / REPORT, _html(catalogue, summary, left_out))


def _csv(catalogue: Catalogue, left_out: Sequence[Path]) -> bytes:
    text = StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for page in catalogue.page_rows():
        facts = page.expected_cer, page.confidence, page.lines, page.left_out, page.seconds
        numbers = ["" if fact is None else f"{fact:.6g}" for fact in facts]
        table.writerow([one_line(page.name), page.number, page.state, *numbers, page.error or ""])
    blank = [""] * (len(COLUMNS) - 4)
    for file in catalogue.files():
        if file.error and not file.pages:
            table.writerow([one_line(file.name), "", "failed", *blank, one_line(file.error)])
    for path in left_out:
        table.writerow([one_line(path), "", "left out", *blank, "not an image"])
    return text.getvalue().encode()


def _html(catalogue: Catalogue, summary: str, left_out: Sequence[Path]) -> bytes:
    pages = list(islice(catalogue.page_rows(), LISTED))
    failed = [file for file in catalogue.files() if file.error]
    total = catalogue.totals()
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>ocrkit report</title>",
        f"<style>{STYLE}</style><h1>Report of {_shown(catalogue.folder.absolute())}</h1>",
        f"<p>{_shown(summary)}</p>",
        f"<p>In the catalogue: {total.files} files, {total.pages} pages, {total.empty} of them "
        f"without text; {total.failed_files} files and {total.failed_pages} pages failed.</p>",
        "<h2>Pages to look at first</h2><p>By expected error rate (CER) or, where it is unknown, "
        "by confidence; the worst first. Lines that were found but are not in the text are counted "
        "as left out; the JSON format has their places and reasons.</p>",
        f"<div class='pages'>{''.join(map(_figure, pages[:SHOWN]))}</div>",
        *_failures(failed),
        *_left_out(left_out),
        f"<h2>Pages</h2>{_more(total.pages)}<table><tr><th>file<th>page<th>expected CER"
        f"<th>confidence<th>lines<th>left out<th>seconds{''.join(map(_row, pages))}</table></html>",
    ]
    return "\n".join(parts).encode()


def _figure(page: PageRow) -> str:
    picture = _thumbnail(page)
    error = f"<div class='error'>{_shown(page.error)}</div>" if page.error else ""
    name = f"{_shown(page.name)}, page {page.number}"
    return f"<figure>{picture}<figcaption>{name}<br>{_quality(page)}{error}</figcaption></figure>"


def _quality(page: PageRow) -> str:
    cer = f"expected CER {page.expected_cer:.1%}, " if page.expected_cer is not None else ""
    if page.state != "read":
        return page.state
    left_out = f", {page.left_out} left out" if page.left_out else ""
    return f"{cer}confidence {page.confidence:.0%}, {page.lines} lines{left_out}"


def _thumbnail(page: PageRow) -> str:
    """The page as a small picture inside the HTML; nothing if the scan cannot be opened."""
    from PIL import Image

    from ocrkit.image import load_scans

    try:
        scan = next(load_scans(page.path, "redo", page.number), None)
    except ImageError:
        return ""
    if scan is None:
        return ""
    picture = Image.fromarray(scan.pixels)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(data := BytesIO(), "JPEG", quality=60)
    encoded = b64encode(data.getvalue()).decode()
    return f"<img alt='' src='data:image/jpeg;base64,{encoded}'>"


def _failures(files: Sequence[FileRow]) -> Iterator[str]:
    if files:
        yield f"<h2>{len(files)} files with errors</h2><ul>"
        yield from (f"<li class='error'>{_shown(file.error or '')}" for file in files[:LISTED])
        yield "</ul>" + _more(len(files))


def _left_out(paths: Sequence[Path]) -> Iterator[str]:
    if paths:
        yield f"<h2>{len(paths)} files that are not images</h2><ul>"
        yield from (f"<li>{_shown(path)}" for path in paths[:LISTED])
        yield "</ul>" + _more(len(paths))


def _row(page: PageRow) -> str:
    cer = "" if page.expected_cer is None else f"{page.expected_cer:.1%}"
    confidence = "" if page.confidence is None else f"{page.confidence:.0%}"
    numbers = (page.number, cer, confidence, page.lines, page.left_out, f"{page.seconds or 0:.2f}")
    cells = "".join(f"<td class='number'>{'' if n is None else n}" for n in numbers)
    return f"<tr><td>{_shown(page.name)}{cells}"


def _more(count: int) -> str:
    return f"<p>The first {LISTED} of {count}; report.csv has all.</p>" if count > LISTED else ""


def _shown(text: object) -> str:
    return escape(one_line(text))
