"""Lines with their texts, out of what people keep them in: for training and for evaluation.

- pages that ocrkit read and a person corrected: the JSON of `ocrkit read`, with its scan
- ALTO and PAGE files with text, as eScriptorium, Transkribus and kraken export them, with the scan
- images of lines, each with its text beside it: `7.png` and `7.gt.txt`
- tables (TSV, CSV) of image paths and texts, as spreadsheets write them
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ocrkit.archive.formats import load_document
from ocrkit.document import Document, Line, Page
from ocrkit.errors import DocumentError, ImageError, OcrkitError
from ocrkit.image import IMAGE_SUFFIXES, crop_polygon, find_images, load_pages
from ocrkit.training.manifest import LabelledLines, Refused, Sample
from ocrkit.training.pages import scan_of

TABLES, DOCUMENTS, TEXT = (".tsv", ".csv"), (".json", ".xml"), ".gt.txt"
# The names of columns in the first row of a table.
IMAGE_COLUMNS = {"image", "file", "filename", "file name", "file_name", "path", "line", "name"}
TEXT_COLUMNS = {"text", "label", "transcription", "ground truth", "ground_truth", "gt"}
PAGE_COLUMNS = {"page"}
_LINE_NUMBER = re.compile(r"[-_. ]+(?:[a-z]{1,4}_?)?\d+$", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)
_LARGEST = 0.01  # the most by which the shape of a page may differ from that of its scan


def lines_of(sources: Iterable[str | Path]) -> LabelledLines:
    """The lines with text in files and folders; each knows its page, see `Sample`.

    Of a page that ocrkit read, only lines with a correction are taken: a reading that nobody looked
    at is no label, and "" says that there is no text. In a folder, subfolders are searched; tables
    count only if there is nothing else, as they may be something else. A scan that two documents
    describe is used once, with the corrections if there are any.

    What cannot be used is in `refused`, with the reason. Raises OcrkitError if a path does not
    exist, or there is no line at all.
    """
    found = _Collected()
    paths = [Path(source) for source in sources]
    for path in paths:
        if path.is_dir():
            _add_folder(path, found)
        elif path.is_file():
            _add_file(path, found)
        else:
            raise OcrkitError(f"{path}: no such file or folder")
    if not found.samples:
        first = f"; {found.refused[0].name}: {found.refused[0].reason}" if found.refused else ""
        raise OcrkitError(
            f"{', '.join(map(str, paths))}: no line with its text; give corrected pages (JSON), "
            f"ALTO or PAGE, line images with .gt.txt, or a table of images and texts{first}"
        )
    return LabelledLines(tuple(found.samples), tuple(found.refused))


def pages_of(sources: Iterable[str | Path]) -> list[Path]:
    """The images in files and folders that have the text of the page beside them, in a .txt.

    Raises ImageError if a path does not exist.
    """
    paths = [Path(source) for source in sources]
    paths = [path for path in paths if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES]
    found = find_images(paths) if paths else []
    return [image for image in found if image.with_suffix(".txt").is_file()]


@dataclass
class _Collected:
    """What was found so far. images: the files whose lines are in it."""

    samples: list[Sample] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    images: set[Path] = field(default_factory=set)

    def refuse(self, name: object, reason: object) -> None:
        self.refused.append(Refused(str(name), str(reason)))

    def is_new(self, image: Path) -> bool:
        """Whether an image was not used yet; it is from now on."""
        known = image.resolve() in self.images
        self.images.add(image.resolve())
        return not known


def _add_folder(folder: Path, found: _Collected) -> None:
    before = len(found.samples) + len(found.refused)
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and not f.name.startswith(".")]
    documents = [file for file in files if file.suffix in DOCUMENTS]
    _add_documents(documents, found, named=False)
    for file in files:
        if file.name.endswith(TEXT):
            _add_line_image(file, found)
    if len(found.samples) + len(found.refused) == before:
        for file in files:
            if file.suffix in TABLES:
                _add_table(file, found)


def _add_file(path: Path, found: _Collected) -> None:
    if path.name.endswith(TEXT):
        _add_line_image(path, found)
    elif path.suffix.lower() in DOCUMENTS:
        _add_documents([path], found, named=True)
    else:
        _add_table(path, found)


# --- documents


def _add_documents(paths: Sequence[Path], found: _Collected, named: bool) -> None:
    """Add the lines of documents; named: whether a person gave them, and not only their folder."""
    loaded = []
    for path in paths:
        try:
            loaded.append((path, load_document(path)))
        except DocumentError as error:
            if named or path.suffix == ".xml":
                found.refuse(path, str(error).removeprefix(f"{path}: "))
    # Corrections first: they are newer than an export of the same page.
    for path, document in sorted(loaded, key=lambda pair: not _is_corrected(pair[1])):
        try:
            scan = scan_of(document, path)
            if path.suffix == ".json" and not _is_corrected(document):
                found.refuse(path, "no line is corrected yet")
            elif not found.is_new(scan):
                found.refuse(path, f"{scan} is used already")
            else:
                _add_pages(path, document, scan, found)
        except ImageError as error:
            found.refuse(path, str(error).removeprefix(f"{path}: "))


def _is_corrected(document: Document) -> bool:
    return any(line.correction is not None for page in document.pages for line in page.lines)


def _add_pages(path: Path, document: Document, scan: Path, found: _Collected) -> None:
    pages = {page.number: page for page in document.pages}
    corrected = path.suffix == ".json"
    for number, image in enumerate(load_pages(scan), 1):
        # An ALTO or PAGE file has one page; its number is that in a book.
        page = next(iter(pages.values())) if len(pages) == 1 and number == 1 else pages.get(number)
        if page is None:
            continue
        name = f"{path}, page {number}" if len(pages) > 1 else str(path)
        scale = image.shape[1] / page.width
        if abs(image.shape[0] / page.height / scale - 1) > _LARGEST:
            found.refuse(name, f"{scan} has another shape than the page: is it the same scan?")
            continue
        found.samples += list(_lines(page, image, scale, path, name, corrected))


def _lines(
    page: Page, image: np.ndarray, scale: float, path: Path, name: str, corrected: bool
) -> Iterator[Sample]:
    """The lines of a page that have a label."""
    for number, line in enumerate(page.lines, 1):
        if line.final.strip() and not (corrected and line.correction is None):
            yield Sample(path, line.final, name, number, _crop(image, line, scale))


def _crop(image: np.ndarray, line: Line, scale: float) -> np.ndarray:
    return crop_polygon(image, np.array(line.polygon) * scale)


# --- images of lines


def _add_line_image(text: Path, found: _Collected) -> None:
    stem = text.name.removesuffix(TEXT)
    names = (f"{stem}{suffix}" for suffix in ("", *IMAGE_SUFFIXES, ".bin.png", ".nrm.png"))
    image = next((p for name in names if (p := text.with_name(name)).is_file()), None)
    if image is None:
        found.refuse(text, f"there is no image {stem}.png, .jpg or .tif beside it")
        return
    try:
        label = " ".join(text.read_text(encoding="utf-8-sig").split())
    except (OSError, ValueError) as error:
        found.refuse(text, f"it is no UTF-8 text: {error}")
        return
    _add_sample(image, label, page_of(image), found)


def page_of(image: Path) -> str:
    """The page of a line image, by its name: `f12-3.png` is line 3 of `f12`.

    If the name has no number after a dash, dot, underscore or space, the page is the folder.
    """
    shorter = _LINE_NUMBER.sub("", image.stem)
    return str(image.parent / shorter if shorter and shorter != image.stem else image.parent)


def _add_sample(image: Path, label: str, page: str, found: _Collected) -> None:
    if not label:
        found.refuse(image, "it has no text")
    elif not found.is_new(image):
        found.refuse(image, "it is listed twice; the first text is used")
    else:
        found.samples.append(Sample(image, label, page))


# --- tables


def _add_table(path: Path, found: _Collected) -> None:
    try:
        rows = list(_rows(path.read_bytes()))
    except (OSError, ValueError, csv.Error) as error:
        found.refuse(path, f"it cannot be read as a table: {error}")
        return
    columns, first = _columns(rows)
    for number, row in enumerate(rows, 1):
        if number <= first or not any(cell.strip() for cell in row):
            continue
        name, text, page = (
            row[column].strip() if column is not None and column < len(row) else ""
            for column in columns
        )
        image = path.parent / name.replace("\\", "/")
        if not name or not _is_file(image):
            found.refuse(f"{path}, row {number}", f"there is no image {name[:80]!r}")
        else:
            _add_sample(image, " ".join(text.split()), page or page_of(image), found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _columns(rows: Sequence[Sequence[str]]) -> tuple[tuple[int, int, int | None], int]:
    """The columns of image, text and page, and the number of rows above the first line."""
    head = [cell.strip().casefold() for cell in rows[0]] if rows else []
    at = [
        next((i for i, cell in enumerate(head) if cell in names), None)
        for names in (IMAGE_COLUMNS, TEXT_COLUMNS, PAGE_COLUMNS)
    ]
    if at[0] is None or at[1] is None:
        return (0, 1, None), 0
    return (at[0], at[1], at[2]), 1


def _rows(data: bytes) -> Iterator[list[str]]:
    """The cells of a table in UTF-8 or UTF-16, separated by tabs, semicolons or commas."""
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-16" if utf16 else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    head = text.partition("\n")[0]
    if "\t" not in head:
        delimiter = ";" if head.count(";") > head.count(",") else ","
        yield from csv.reader(io.StringIO(text), delimiter=delimiter)
        return
    table = [row.split("\t") for row in text.split("\n")]
    # In a TSV a quotation mark may be part of the text: it is taken away only where a spreadsheet
    # put it, around every path, or around a cell in which it has doubled the others.
    every = all(_QUOTED.fullmatch(row[0]) for row in table if row[0])
    for row in table:
        yield [_unquoted(cell, every) for cell in row]


def _unquoted(cell: str, every: bool) -> str:
    quoted = _QUOTED.fullmatch(cell)
    if quoted and (every or '""' in quoted[1]):
        return quoted[1].replace('""', '"')
    return cell
