"""The lines of pages that were read before, to be corrected one by one; without any widget."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ocrkit.archive.corrected import index_corrections, with_line
from ocrkit.archive.formats import load_document
from ocrkit.archive.formats.json import to_json
from ocrkit.document import Document, LeftOut, Line, Page, renumbered
from ocrkit.errors import CatalogueError, DocumentError, ImageError, OutputError
from ocrkit.files import write
from ocrkit.image import load_scans
from ocrkit.metrics import cer
from ocrkit.recognition.reading import Reading
from ocrkit.training.choice import most_useful
from ocrkit.training.pages import scan_of

UNDONE = 100  # steps that can be taken back
Order = Literal["doubt", "use"]
ORDERS: tuple[str, ...] = get_args(Order)
# Lines that are not in the text, but may be text.
_MAY_BE_TEXT = ("low confidence", "not print")
# Shown where the pages themselves have too few such letters.
_USUAL_LETTERS = "ſéèàçœæêâîôûäöüß°£§½—„“»«"


@dataclass(frozen=True)
class Task:
    """A line that nobody has looked at: the file and the page it is on, by their indices."""

    file: int
    page: int
    line: Line


@dataclass(frozen=True)
class _State:
    """What a step may change: the lines that are left, and one document."""

    tasks: tuple[Task, ...]
    file: int
    document: Document


class Corrections:
    """Corrects the lines of documents and saves each correction at once.

    source: JSON files of `ocrkit read --format json`, or folders with such files. scans: the folder
    of the scans, if they are no longer where they were when they were read. order: "doubt", the
    lines of the lowest confidence first; or "use", first those from which a network learns most,
    which are long, uncertain and of many kinds (see `training.choice.most_useful`).

    A correction is saved beside the reading, as `Line.correction`; a line that has one does not
    come again. Lines that were left out of a page because of their confidence come too; one that is
    given a text becomes a line of its page.

    Raises DocumentError if there is no such file, or a file that is named is no document, and
    ValueError for an unknown order.
    """

    def __init__(
        self,
        source: str | Path | Iterable[str | Path],
        scans: str | Path | None = None,
        order: Order = "doubt",
    ) -> None:
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}; choose one of {', '.join(ORDERS)}")
        self.scans = None if scans is None else Path(scans)
        loaded = dict(_load(source))
        self.files = list(loaded)
        self.documents = list(loaded.values())
        self._saved = [path.read_bytes() for path in self.files]
        everything = [
            Task(i, j, line)
            for i, document in enumerate(self.documents)
            for j, page in enumerate(document.pages)
            for line in (*page.lines, *_doubtful(page))
        ]
        left = [task for task in everything if task.line.correction is None]
        self.total = len(everything)
        left.sort(key=lambda task: task.line.confidence)
        self.tasks = tuple(_by_use(left) if order == "use" else left)
        self._before: deque[_State] = deque(maxlen=UNDONE)

    @property
    def current(self) -> Task | None:
        """The line to look at; None if all are done."""
        return self.tasks[0] if self.tasks else None

    @property
    def done(self) -> int:
        """How many lines have been looked at, now or before."""
        return self.total - len(self.tasks)

    @property
    def corrected(self) -> Iterator[Line]:
        """The lines that have been looked at."""
        for document in self.documents:
            for page in document.pages:
                for line in (*page.lines, *(left.line for left in page.left_out)):
                    if line.correction is not None:
                        yield line

    def letters(self, count: int = 16) -> str:
        """The letters outside ASCII that the pages have most often, the most frequent first."""
        lines = [line for document in self.documents for p in document.pages for line in p.lines]
        text = "".join(line.text + (line.correction or "") for line in lines)
        counts = Counter(c for c in text if not c.isascii() and c.isprintable())
        found = [character for character, _ in counts.most_common(count)]
        return "".join(dict.fromkeys([*found, *_USUAL_LETTERS]))[:count]

    def pixels(self, task: Task) -> np.ndarray:
        """The scan of the page that a line is on: grey (H, W) uint8.

        Raises ImageError if it is missing, or has another size than when it was read.
        """
        document, page = self._place(task)
        path = self._scan_of(document, self.files[task.file])
        array = _scan(path, page.number)
        if array.shape != (page.height, page.width):
            raise ImageError(
                f"{path}: page {page.number} has {array.shape[1]} x {array.shape[0]} pixels, but "
                f"{page.width} x {page.height} when it was read; read it again"
            )
        return array

    def correct(self, text: str) -> None:
        """Save what the current line says ("" if there is no text here); the next one follows."""
        task = self.tasks[0]
        corrected = replace(task.line, correction=" ".join(text.split()))
        self._step(self.tasks[1:], _with_line(self._place(task)[1], task.line, corrected))

    def skip(self) -> None:
        """Go to the next line; this one comes again after all others."""
        self._step((*self.tasks[1:], self.tasks[0]))

    def delete(self) -> None:
        """Delete the outline of the current line, because it is not a line; the next one follows.

        The page keeps it among the lines that were left out, as "no text".
        """
        task = self.tasks[0]
        self._step(self.tasks[1:], _without_line(self._place(task)[1], task.line))

    def redraw(self, polygon: Iterable[Iterable[float]], reading: Reading) -> None:
        """Give the current line another outline, and what was read there; it stays the current one.

        The words get no boxes. Raises ValueError if the outline has no area inside the page.
        """
        task = self.tasks[0]
        page = self._place(task)[1]
        points = tuple((float(x), float(y)) for x, y in polygon)
        line = Line(points, reading.text, reading.confidence)
        box = line.box
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.width and box.y1 <= page.height
        if not inside or min(box.width, box.height) < 2:
            raise ValueError(
                f"an outline is at least 2 pixels wide and high, and inside the page of "
                f"{page.width} x {page.height} pixels"
            )
        self._step((replace(task, line=line), *self.tasks[1:]), _with_line(page, task.line, line))

    def undo(self) -> bool:
        """Take the last step back, up to 100; False if there is none."""
        if not self._before:
            return False
        state = self._before[-1]
        if self.documents[state.file] != state.document:
            self._save(state.file, state.document)
        self._before.pop()
        self.tasks = state.tasks
        return True

    def _step(self, tasks: tuple[Task, ...], page: Page | None = None) -> None:
        """Save a changed page of the current line's document, then change the lines that are left.

        If the file cannot be written nothing changes.
        """
        task = self.tasks[0]
        state = _State(self.tasks, task.file, self.documents[task.file])
        if page is not None:
            pages = list(state.document.pages)
            pages[task.page] = page
            self._save(task.file, replace(state.document, pages=tuple(pages)))
        self._before.append(state)
        self.tasks = tasks

    def _save(self, file: int, document: Document) -> None:
        path = self.files[file]
        if not path.is_file() or path.read_bytes() != self._saved[file]:
            raise OutputError(
                f"{path}: was changed or deleted by another program; open the review again"
            )
        data = to_json(document)
        write(path, data)
        pages = zip(self.documents[file].pages, document.pages, strict=True)
        self._saved[file], self.documents[file] = data, document
        try:
            index_corrections(path, [(old, new) for old, new in pages if new is not old])
        except CatalogueError as error:  # the correction is saved all the same
            warnings.warn(
                f"a search does not find this correction before the next `ocrkit read` ({error})",
                stacklevel=2,
            )

    def _place(self, task: Task) -> tuple[Document, Page]:
        document = self.documents[task.file]
        return document, document.pages[task.page]

    def _scan_of(self, document: Document, file: Path) -> Path:
        if self.scans is not None:
            for place in (self.scans / document.source, self.scans / Path(document.source).name):
                if place.is_file():
                    return place
        try:
            return scan_of(document, file)
        except ImageError as error:
            raise ImageError(f"{error}; name its folder: Review(..., scans=FOLDER)") from error


@dataclass(frozen=True)
class Expectation:
    """Wrong characters to expect, from the confidences, in lines that nobody has looked at.

    here: in the current line. others: in a line after it, on average. left: in all that are left.
    found: wrong characters in the lines done, as corrected. predicted: in the same lines, from
    their confidences.
    """

    here: float
    others: float
    left: float
    found: int
    predicted: float


def expectation(corrections: Corrections) -> Expectation:
    """What the next line is expected to bring, and the lines after it.

    A character is expected to be wrong with a probability of 1 - confidence of its line.
    """
    errors = [expected_errors(task.line) for task in corrections.tasks]
    lines = list(corrections.corrected)
    texts, readings = [line.final for line in lines], [line.text for line in lines]
    return Expectation(
        here=errors[0] if errors else 0.0,
        others=sum(errors[1:]) / max(len(errors) - 1, 1),
        left=sum(errors),
        found=round(cer(texts, readings) * max(sum(map(len, texts)), 1)),
        predicted=sum(map(expected_errors, lines)),
    )


def expected_errors(line: Line) -> float:
    """Wrong characters to expect in the reading of a line."""
    return (1 - min(line.confidence, 1.0)) * len(line.text)


def rectangle(box: tuple[float, float, float, float], like: Line) -> list[tuple[float, float]]:
    """The outline (x0, y0, x1, y1) of a line that is read in the direction of another line.

    The corners are clockwise, from the one where the top edge starts.
    """
    x0, y0, x1, y1 = box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)
    top = np.array(like.polygon[: len(like.polygon) // 2])
    along = np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum(np.linalg.norm(along, axis=1), 1e-9)
    start = int(np.argmax(along @ (top[-1] - top[0]) / lengths))
    return [(float(x), float(y)) for x, y in np.roll(corners, -start, axis=0)]


def _load(source: str | Path | Iterable[str | Path]) -> Iterator[tuple[Path, Document]]:
    """The JSON files of documents and these documents; other JSON files in a folder are skipped."""
    named = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
    empty = True
    for path in named:
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            try:
                document = load_document(file)
            except DocumentError:
                if file == path:
                    raise
                continue
            empty = False
            yield file, document
    if empty:
        raise DocumentError(
            f"{', '.join(map(str, named)) or 'nothing'}: there is no page that was read; "
            "read some first: ocrkit read SCANS -o FOLDER --format json"
        )


def _by_use(tasks: list[Task]) -> list[Task]:
    lines = [task.line for task in tasks]
    texts, confidences = [line.text for line in lines], [line.confidence for line in lines]
    return [tasks[i] for i in most_useful(texts, confidences, len(tasks))]


def _doubtful(page: Page) -> Iterator[Line]:
    """Lines that are not in the text of a page, but may be text."""
    return (left.line for left in page.left_out if left.reason in _MAY_BE_TEXT and left.line.text)


def _with_line(page: Page, old: Line, new: Line) -> Page:
    """The page with a line replaced; one that was left out becomes a line if it has a text."""
    if old in page.lines:
        at = page.lines.index(old)
        return replace(page, lines=(*page.lines[:at], new, *page.lines[at + 1 :]))
    at = [left.line for left in page.left_out].index(old)
    before, left, after = page.left_out[:at], page.left_out[at], page.left_out[at + 1 :]
    if not new.correction:
        return replace(page, left_out=(*before, replace(left, line=new), *after))
    return with_line(replace(page, left_out=(*before, *after)), new)


def _without_line(page: Page, line: Line) -> Page:
    """The page with a line moved to those that were left out, as "no text"."""
    gone = replace(line, correction="")
    if line not in page.lines:
        return _with_line(page, line, gone)
    at = page.lines.index(line)
    numbers = {number: number - (number > at) for number in range(len(page.lines)) if number != at}
    return replace(
        page,
        lines=(*page.lines[:at], *page.lines[at + 1 :]),
        blocks=tuple(renumbered(page.blocks, numbers)),
        left_out=(*page.left_out, LeftOut(gone, "no text")),
    )


@lru_cache(maxsize=8)
def _scan(path: Path, number: int) -> np.ndarray:
    for scan in load_scans(path, "redo", number):
        return scan.pixels
    raise ImageError(f"{path}: there is no page {number}")
