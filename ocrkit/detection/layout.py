"""Layout: the lines of a page in blocks, and the rows and columns of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ocrkit.detection.order import Lines, Region, find_regions
from ocrkit.detection.rules import Rules
from ocrkit.document import Block, BlockKind

Row = tuple[int, ...]
Cells = tuple[tuple[int, ...], ...]

# Distances are in heights of a line.
CELL_GAP = 1.0  # between the cells of a table; pieces of one line of text are nearer
TABLE_ROWS = 2  # the fewest rows of more than one cell
TABLE_SINGLES = 3  # the most rows of one cell between two rows of a table
COLUMN_SHARE = 0.12  # of the rows that have something in a column, against its neighbourhood
INDENT = 0.7  # of the first line of a paragraph
LEADING = 1.45  # lines further apart than this, over the usual distance, are two paragraphs
HEADING = 1.2  # height of a heading over the usual height
HEADING_ROWS = 3
HEADING_WIDTH = 0.75  # of a heading in capitals, as a share of the widest line
_PAGE_NUMBER = re.compile(r"\W{0,3}(\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7})\W{0,3}")


def find_blocks(
    polygons: Sequence[np.ndarray], texts: Sequence[str], rules: Rules | None = None
) -> list[Block]:
    """The lines of an upright page in blocks, in reading order.

    polygons: (2k, 2) of x, y, as in `Detector`. texts: what they say. The numbers in the blocks are
    indices of `polygons`.
    """
    if not len(polygons):
        return []
    page = Lines.measured(polygons, rules or Rules(), texts)
    regions = find_regions(polygons, rules, texts)
    blocks = [block for region in regions for block in _blocks(page, region)]
    return [Block("page number", b.rows) if _is_page_number(page, b) else b for b in blocks]


def _blocks(page: Lines, region: Region) -> Iterator[Block]:
    if region.margin:
        yield Block("margin note", tuple(_cells(page, row) for row in region.rows))
        return
    for is_table, rows in _tables(page, region.rows):
        if is_table:
            yield Block("table", _grid(page, rows))
        else:
            yield from _paragraphs(page, rows)


def _cells(page: Lines, row: Row) -> Cells:
    """The lines of a row in cells: pieces of one line of text are in one cell."""
    cells = [[row[0]]]
    for before, after in pairwise(row):
        if _gap(page, before, after) < CELL_GAP:
            cells[-1].append(after)
        else:
            cells.append([after])
    return tuple(map(tuple, cells))


def _gap(page: Lines, before: int, after: int) -> float:
    return float(page.spans[after, 0] - page.spans[before, 2]) / page.height


def _tables(page: Lines, rows: Sequence[Row]) -> Iterator[tuple[bool, list[Row]]]:
    """Runs of rows that are tables, and the runs between them."""
    wide = [i for i, row in enumerate(rows) if len(_cells(page, row)) > 1]
    runs: list[list[int]] = []
    for i in wide:
        if runs and i - runs[-1][-1] <= TABLE_SINGLES + 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    start = 0
    for run in runs:
        if len(run) < TABLE_ROWS:
            continue
        first, end = run[0], run[-1] + 1
        if first > start:
            yield False, list(rows[start:first])
        yield True, list(rows[first:end])
        start = end
    if start < len(rows):
        yield False, list(rows[start:])


def _grid(page: Lines, rows: Sequence[Row]) -> tuple[Cells, ...]:
    """The rows of a table, all with as many cells as the table has columns."""
    edges = _column_edges(page, rows)
    grid = []
    for row in rows:
        cells: list[list[int]] = [[] for _ in range(len(edges) + 1)]
        for i in row:
            cells[_column_of(page, i, edges)].append(i)
        grid.append(tuple(map(tuple, cells)))
    return tuple(grid)


def _column_edges(page: Lines, rows: Sequence[Row]) -> list[float]:
    """The x between the columns of a table: where few of its rows have anything."""
    spans = page.spans[[i for row in rows if len(row) > 1 for i in row]]
    left, right = float(spans[:, 0].min()), float(spans[:, 2].max())
    step = page.height / 4
    x = np.arange(left, right + step, step)
    filled = ((spans[:, 0] <= x[:, None]) & (x[:, None] <= spans[:, 2])).sum(axis=1)
    few = filled <= COLUMN_SHARE * len(rows)
    changes = np.flatnonzero(np.diff(few.astype(int), prepend=0, append=0))
    strips = zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)
    return [float((x[a] + x[b - 1]) / 2) for a, b in strips if a > 0 and b < len(x)]


def _column_of(page: Lines, line: int, edges: Sequence[float]) -> int:
    """The column that holds most of a line; of several, the first."""
    left, right = page.spans[line, [0, 2]]
    bounds = [-np.inf, *edges, np.inf]
    held = [min(right, b) - max(left, a) for a, b in pairwise(bounds)]
    return int(np.argmax(np.round(held, 3)))


def _paragraphs(page: Lines, rows: Sequence[Row]) -> Iterator[Block]:
    left = np.array([page.spans[row[0], 0] for row in rows])
    middle = np.array([page.middle[list(row)].mean() for row in rows])
    height = np.array([np.ptp(page.spans[list(row)][:, [1, 3]], axis=1).max() for row in rows])
    margin = float(np.quantile(left, 0.1))
    leading = float(np.median(np.diff(middle))) if len(rows) > 1 else 0.0
    capital = [_in_capitals(page, row, rows) for row in rows]
    starts = [0]
    for i in range(1, len(rows)):
        indented = left[i] - margin > INDENT * page.height
        returns = i + 1 == len(rows) or left[i + 1] - margin < INDENT * page.height
        first = indented and returns and left[i - 1] - margin < INDENT * page.height
        apart = middle[i] - middle[i - 1] > LEADING * leading
        sizes = sorted((height[i], height[i - 1]))
        head = capital[i] != capital[i - 1]
        if first or apart or head or sizes[1] > HEADING * sizes[0]:
            starts.append(i)
    for start, end in pairwise([*starts, len(rows)]):
        part = rows[start:end]
        kind: BlockKind = "heading" if _is_heading(page, part, rows) else "paragraph"
        yield Block(kind, tuple(_cells(page, row) for row in part))


def _is_heading(page: Lines, part: Sequence[Row], rows: Sequence[Row]) -> bool:
    lines = [i for row in part for i in row]
    letters = sum(map(str.isalpha, " ".join(page.text(i) for i in lines)))
    if len(part) > HEADING_ROWS or letters < 2:
        return False
    heights = page.spans[lines, 3] - page.spans[lines, 1]
    large = heights.min() >= HEADING * page.height
    return bool(large) or all(_in_capitals(page, row, rows) for row in part)


def _in_capitals(page: Lines, row: Row, rows: Sequence[Row]) -> bool:
    """Whether a row is in capitals, short and in the middle between the ends of all rows."""
    text = " ".join(page.text(i) for i in row)
    if not text.isupper() or sum(map(str.isalpha, text)) < 3 or len(rows) < 2:
        return False
    everything, span = page.spans[[i for row in rows for i in row]], page.spans[list(row)]
    whole = float(everything[:, 2].max() - everything[:, 0].min())
    centred = abs(span[:, [0, 2]].mean() - everything[:, [0, 2]].mean()) < 0.1 * whole
    return bool(centred) and float(np.ptp(span[:, [0, 2]])) < HEADING_WIDTH * whole


def _is_page_number(page: Lines, block: Block) -> bool:
    """Whether a block is a number by itself at the head or the foot of the page."""
    if len(block.lines) != 1 or len(page.spans) < 3:
        return False
    (line,) = block.lines
    middle = page.middle
    outermost = middle[line] in (middle.min(), middle.max())
    return bool(outermost) and _PAGE_NUMBER.fullmatch(page.text(line).strip()) is not None
