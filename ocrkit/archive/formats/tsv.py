"""TSV: a row for each page, block, paragraph, line and word, in the columns of Tesseract's TSV."""

from __future__ import annotations

from collections.abc import Iterator

from ocrkit.archive.formats.placing import blocks_of, box_of, words_of
from ocrkit.document import Box, Document, Page

_COLUMNS = (
    *("level", "page_num", "block_num", "par_num", "line_num", "word_num"),
    *("left", "top", "width", "height", "conf", "text"),
)
_PAGE, _BLOCK, _PARAGRAPH, _LINE, _WORD = range(1, 6)


def to_tsv(document: Document) -> bytes:
    """UTF-8, tabs between the columns. Boxes are in pixels; `conf` is 0 to 100, -1 above words."""
    rows = [_COLUMNS, *(row for page in document.pages for row in _rows(page))]
    # Separators within a text would make other rows; words have none, whatever is read.
    text = "".join("\t".join(str(entry) for entry in row) + "\n" for row in rows)
    return text.encode("utf-8", "replace")


def _rows(page: Page) -> Iterator[tuple[object, ...]]:
    yield _row(_PAGE, (page.number, 0, 0, 0, 0), Box(0, 0, page.width, page.height))
    blocks = [(block, box) for block in blocks_of(page) if (box := box_of(block, page))]
    for b, (block, box) in enumerate(blocks, start=1):
        yield _row(_BLOCK, (page.number, b, 0, 0, 0), box)
        yield _row(_PARAGRAPH, (page.number, b, 1, 0, 0), box)
        for i, number in enumerate(block.lines, start=1):
            line = page.lines[number]
            yield _row(_LINE, (page.number, b, 1, i, 0), line.box)
            for k, word in enumerate(words_of(line), start=1):
                place = (page.number, b, 1, i, k)
                yield _row(_WORD, place, word.box, f"{100 * word.confidence:.2f}", word.text)


def _row(
    level: int, place: tuple[int, ...], box: Box, confidence: str = "-1", text: str = ""
) -> tuple[object, ...]:
    left, top = round(box.x0), round(box.y0)
    return level, *place, left, top, round(box.x1) - left, round(box.y1) - top, confidence, text
