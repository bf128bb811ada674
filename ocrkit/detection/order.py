"""Reading order: the order in which a person reads the lines of a page.

None of the usual methods is enough alone. Reading row by row mixes the columns of a newspaper. The
topological order of Breuel ("High Performance Document Layout Analysis", 2003) and the XY-cut
(Nagy and Seth, "Hierarchical Representation of Optically Scanned Documents", 1984) read all items
of a receipt before all prices.

Here the page is cut into bands at horizontal white space, as in an XY-cut. Consecutive bands that
share a gutter (a vertical white strip) with long lines on both sides are columns: the left one is
read to its end before the right one, and each may contain further columns. All other bands are read
row by row, from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Spans = np.ndarray  # (n, 4): left, top, right, bottom of all lines
Ids = np.ndarray  # (m,): indices of some lines

# The least that makes columns; less is a table. Widths are in line heights.
GUTTER = 0.7
COLUMN_WIDTH = 6.0
COLUMN_LINES = 3
COLUMN_BALANCE = 0.35  # lines of the shorter column over lines of the longer one


def reading_order(polygons: Sequence[np.ndarray]) -> list[int]:
    """Indices of `polygons` in reading order; each is (k, 2) of x, y on an upright page."""
    if not len(polygons):
        return []
    spans = np.array([(*p.min(axis=0), *p.max(axis=0)) for p in polygons], np.float64)
    return _order(spans, np.arange(len(spans)))


def _order(spans: Spans, ids: Ids) -> list[int]:
    bands = _bands(spans, ids)
    result: list[int] = []
    while bands:
        end, gutter = _columns(spans, bands)
        here = np.concatenate(bands[:end])
        if gutter is None:
            result += _rows(spans, here)
        else:
            left = spans[here][:, [0, 2]].mean(axis=1) < gutter
            result += _order(spans, here[left]) + _order(spans, here[~left])
        bands = bands[end:]
    return result


def _bands(spans: Spans, ids: Ids) -> list[Ids]:
    """The lines in bands from top to bottom, with white space between bands.

    Only the middle half of each line counts: descenders reach between the ascenders below them.
    """
    quarter = (spans[ids, 3] - spans[ids, 1]) / 4
    top, bottom = spans[ids, 1] + quarter, spans[ids, 3] - quarter
    by_top = np.argsort(top, kind="stable")
    reach = np.maximum.accumulate(bottom[by_top])
    return np.split(ids[by_top], np.flatnonzero(top[by_top][1:] >= reach[:-1]) + 1)


def _columns(spans: Spans, bands: list[Ids]) -> tuple[int, float | None]:
    """How many of the first bands are columns with one gutter between them, and the gutter's x.

    (1, None) if there is no gutter.
    """
    height = float(np.median(np.subtract(*spans[np.concatenate(bands)][:, [3, 1]].T)))
    best: tuple[int, float | None] = (1, None)
    for low, high in _gaps(spans[np.concatenate(bands[:3])]):
        for end, band in enumerate(bands, start=1):
            left = spans[band][:, [0, 2]].mean(axis=1) < (low + high) / 2
            low = max([low, *spans[band[left], 2]])
            high = min([high, *spans[band[~left], 0]])
            if high - low < GUTTER * height:
                break
            gutter = (low + high) / 2
            if end > best[0] and _are_columns(spans[np.concatenate(bands[:end])], gutter, height):
                best = (end, gutter)
    return best


def _gaps(spans: Spans) -> list[tuple[float, float]]:
    """The vertical white strips (left, right) between lines."""
    spans = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(spans[:, 2])[:-1]
    return [(a, b) for a, b in zip(reach, spans[1:, 0], strict=True) if b > a]


def _are_columns(spans: Spans, gutter: float, height: float) -> bool:
    """Whether the lines left and right of the gutter are columns of text and not of a table."""
    left = spans[:, [0, 2]].mean(axis=1) < gutter
    sides = spans[left], spans[~left]
    fewer, more = sorted(len(side) for side in sides)
    return (
        fewer >= max(COLUMN_LINES, COLUMN_BALANCE * more)
        and min(np.median(side[:, 2] - side[:, 0]) for side in sides) >= COLUMN_WIDTH * height
    )


def _rows(spans: Spans, ids: Ids) -> list[int]:
    """Row by row; a line belongs to a row if it is level with its lines and beside all of them."""
    middle, height = spans[:, [1, 3]].mean(axis=1), spans[:, 3] - spans[:, 1]
    rows: list[list[int]] = []
    for i in ids[np.argsort(middle[ids], kind="stable")].tolist():
        row = rows[-1] if rows else []
        level = bool(row) and middle[i] - middle[row].mean() < 0.3 * (
            height[i] + height[row].mean()
        )
        if level and not ((spans[row, 0] < spans[i, 2]) & (spans[i, 0] < spans[row, 2])).any():
            row.append(i)
        else:
            rows.append([i])
    return [i for row in rows for i in sorted(row, key=lambda j: spans[j, 0])]
