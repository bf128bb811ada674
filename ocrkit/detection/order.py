"""The order in which a person reads the lines of a page.

Neither of the usual rules will do alone. Reading row by row mixes the columns of a newspaper; the
topological order of Breuel ("High Performance Document Layout Analysis", 2003) and the XY-cut of
Nagy and Seth (1984) read all of a receipt's names before its prices. Here the page is cut into
bands by its horizontal white space, as in an XY-cut; consecutive bands that share a gutter, with
long lines on both sides of it, are columns, which are read to their end one after the other and
may hold columns themselves. All else is read row by row, left to right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Spans = np.ndarray  # (n, 4): left, top, right, bottom
Ids = np.ndarray
# What parts columns, and not the cells of a table; widths in line heights.
GUTTER = 0.7
COLUMN_WIDTH = 6.0
COLUMN_LINES = 3
COLUMN_BALANCE = 0.35  # lines of the shorter column over those of the longer


def reading_order(polygons: Sequence[np.ndarray]) -> list[int]:
    """Indices of `polygons`, each (k, 2) of x, y in an upright page, in reading order."""
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
    """The lines in bands from top to bottom, clear white space between one band and the next.

    The middle half of each line is what must be clear: descenders hang between ascenders.
    """
    quarter = (spans[ids, 3] - spans[ids, 1]) / 4
    top, bottom = spans[ids, 1] + quarter, spans[ids, 3] - quarter
    by_top = np.argsort(top, kind="stable")
    reach = np.maximum.accumulate(bottom[by_top])
    return np.split(ids[by_top], np.flatnonzero(top[by_top][1:] >= reach[:-1]) + 1)


def _columns(spans: Spans, bands: list[Ids]) -> tuple[int, float | None]:
    """How many of the first bands one gutter parts into columns, and its middle.

    Where none does it is (1, None).
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
    """The white strips (left, right) between lines, seen from above."""
    spans = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(spans[:, 2])[:-1]
    return [(a, b) for a, b in zip(reach, spans[1:, 0], strict=True) if b > a]


def _are_columns(spans: Spans, gutter: float, height: float) -> bool:
    left = spans[:, [0, 2]].mean(axis=1) < gutter
    sides = spans[left], spans[~left]
    fewer, more = sorted(len(side) for side in sides)
    return (
        fewer >= max(COLUMN_LINES, COLUMN_BALANCE * more)
        and min(np.median(side[:, 2] - side[:, 0]) for side in sides) >= COLUMN_WIDTH * height
    )


def _rows(spans: Spans, ids: Ids) -> list[int]:
    """Row by row: lines about level with those of the row, and beside them."""
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
