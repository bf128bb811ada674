"""Reading order: the order in which a person reads the lines of a page, and its columns and rows.

None of the usual methods is enough alone. Reading row by row mixes the columns of a newspaper. The
topological order of Breuel ("High Performance Document Layout Analysis", 2003) and the XY-cut
(Nagy and Seth, "Hierarchical Representation of Optically Scanned Documents", 1984) read all items
of a receipt before all prices.

Here the page is searched for gutters: strips between lines, nearly vertical, that end where a line
or a rule crosses them. What stands on both sides of a gutter is either two columns of text, or the
cells of a table; the widths of the lines tell, and their texts where they are known. The tallest
gutter between columns cuts the page into what stands above it, the left column, the right one, and
what stands below; and each of them is cut again. What has no such gutter is read row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from ocrkit.detection.rules import Rules

Ids = np.ndarray  # (m,): indices of some lines

# Widths and distances are in heights of a line.
CROSSING = 0.5  # a line crosses a gutter that it reaches beyond by more than this
SLANT = 0.04  # of a gutter: how far it leans in one pixel down
LEVEL = 0.25  # lines stand beside each other if they share this part of the lower one's height
NEAR = 1.5  # the ends of lines along a gutter differ by less than this, or it leans
AROUND, AROUND_LINES = 4.0, 2  # so many lines so near must show the gutter that a line crosses
ALIGNED, STARTS_AFTER = 0.3, 0.3  # lines of a column begin so near, and so far from its gutter
PART_WIDTH = 5.0  # the least of each part of a line that reaches across a gutter
COLUMN_WIDTH = 6.0  # the least of columns; less is a table
COLUMN_LINES = 3
COLUMN_BALANCE = 0.35  # lines of the shorter column over lines of the longer one
BESIDE_LETTERS = 4  # of the usual line of a note or a poem beside running text
# Running text: most lines are nearly as wide as their column, or begin with a small letter.
FULL, FULL_SHARE, RUNNING_WIDTH, CONTINUED_SHARE = 0.75, 0.6, 7.0, 0.35
# Cells of a table: so many of their lines are level with one beside them, of the side with fewer
# and of the other one; and the distance of rows that stand apart.
SAME_LEVEL, PAIRED, PAIRED_LONGER, ROW_STEP = 0.2, 0.9, 0.5, 1.33
NUMBERS = 0.5  # a column with a larger share of numbers belongs to a table
HEAD = 1.15  # height of a headline over the usual height
MARGIN_WIDTH = 0.34  # a margin note is narrower than this share of the text beside it


@dataclass(frozen=True)
class Region:
    """A part of a page that is read row by row: rows of indices of lines, from left to right.

    margin: whether it stands in the margin of another part.
    """

    rows: tuple[tuple[int, ...], ...]
    margin: bool = False


def reading_order(polygons: Sequence[np.ndarray], rules: Rules | None = None) -> list[int]:
    """Indices of `polygons` in reading order; each is (2k, 2) of x, y on an upright page."""
    return [i for region in find_regions(polygons, rules) for row in region.rows for i in row]


def find_regions(
    polygons: Sequence[np.ndarray],
    rules: Rules | None = None,
    texts: Sequence[str] | None = None,
) -> list[Region]:
    """The parts of a page in reading order; each line is in one of them.

    polygons: (2k, 2) of x, y on an upright page, as in `Detector`. texts: what the lines say, if
    it is known; it tells columns of text from those of a table.
    """
    if not len(polygons):
        return []
    page = Lines.measured(polygons, rules or Rules(), texts)
    return _regions(page, np.arange(len(polygons)), False)


@dataclass(frozen=True)
class Lines:
    """The lines of a page after its skew is removed: spans (n, 4), left, top, right, bottom.

    height: the usual one of a line. slope: the skew that is removed, in px down for 1 px across.
    """

    spans: np.ndarray
    height: float
    rules: Rules
    texts: Sequence[str] | None
    slope: float

    @classmethod
    def measured(
        cls, polygons: Sequence[np.ndarray], rules: Rules, texts: Sequence[str] | None
    ) -> Lines:
        edges = [np.split(np.asarray(p, np.float64), 2) for p in polygons]
        slope = _usual_slope(edges)
        spans = np.array([_span(top, bottom, slope) for top, bottom in edges])
        heights = np.maximum(spans[:, 3] - spans[:, 1], 1e-6)
        lengths = np.maximum(spans[:, 2] - spans[:, 0], heights)
        order = np.argsort(heights)
        weight = np.cumsum(lengths[order])
        usual = float(heights[order][np.searchsorted(weight, weight[-1] / 2)])
        turned = [_unskewed(kind, slope) for kind in (rules.vertical, rules.horizontal)]
        return cls(spans, usual, Rules(*turned), texts, slope)

    def text(self, line: int) -> str:
        """What a line says, "" if it is not known."""
        return self.texts[line] if self.texts is not None else ""

    @property
    def middle(self) -> np.ndarray:
        return self.spans[:, [1, 3]].mean(axis=1)

    @property
    def width(self) -> np.ndarray:
        return self.spans[:, 2] - self.spans[:, 0]


def crossings(polygons: Sequence[np.ndarray], rules: Rules) -> dict[int, list[float]]:
    """Where lines reach across a gutter: the x of the gutter for the index of each such line.

    There may be two lines of two columns that were taken for one. The lines above and below it end
    and begin at this gutter, or a vertical rule runs through it.
    """
    if len(polygons) < 3:
        return {}
    page = Lines.measured(polygons, rules, None)
    pairs = _neighbours(page, np.arange(len(polygons)))
    middle, height = page.middle, page.spans[:, 3] - page.spans[:, 1]
    before, after = (np.array(side, int) for side in (list(pairs), list(pairs.values())))
    gaps = (page.spans[before, 2] + page.spans[after, 0]) / 2
    level = (middle[before] + middle[after]) / 2
    x0, y0, x1, y1 = page.rules.vertical.T
    found: dict[int, list[float]] = {}
    for i, (left, _, right, _) in enumerate(page.spans.tolist()):
        reach = PART_WIDTH * height[i]
        near = np.abs(level - middle[i]) < AROUND * height[i]
        near &= (gaps > left + reach) & (gaps < right - reach)
        ruled = (y0 < middle[i] - height[i]) & (y1 > middle[i] + height[i])
        ruled &= (x0 > left + 2 * height[i]) & (x1 < right - 2 * height[i])
        places = [float(x) for x in (x0[ruled] + x1[ruled]) / 2]
        for x in gaps[near]:
            same = near & (np.abs(gaps - x) < height[i])
            alike = height[before[same]].mean() < 1.4 * height[i] < 2 * height[before[same]].mean()
            if same.sum() >= AROUND_LINES and alike:
                places.append(float(np.median(gaps[same])))
        places += _starts_across(page, after[np.abs(level - middle[i]) < AROUND * height[i]], i)
        found[i] = [x - page.slope * middle[i] for x in places]
    return {i: sorted(places) for i, places in found.items() if places}


def _starts_across(page: Lines, after: Ids, line: int) -> list[float]:
    """Where lines above and below a line begin below each other, within it: just before this x."""
    left, right = page.spans[line, [0, 2]]
    height = page.spans[line, 3] - page.spans[line, 1]
    starts = page.spans[after, 0]
    reach = PART_WIDTH * height
    within = (starts > left + reach) & (starts < right - reach)
    after, starts = after[within], starts[within]
    places = []
    for x in starts.tolist():
        below = page.middle[after[np.abs(starts - x) < ALIGNED * height]] > page.middle[line]
        if below.any() and not below.all():
            places.append(x - STARTS_AFTER * height)
    return places


def _usual_slope(edges: Sequence[Sequence[np.ndarray]]) -> float:
    """The slope of most lines, longer ones counting more; 0 if there are too few."""
    along = np.array([top[-1] - top[0] for top, _ in edges])
    level = np.abs(along[:, 1]) < 0.5 * along[:, 0]
    if level.sum() < 3:
        return 0.0
    slopes, lengths = along[level, 1] / along[level, 0], along[level, 0]
    order = np.argsort(slopes)
    weight = np.cumsum(lengths[order])
    return float(slopes[order][np.searchsorted(weight, weight[-1] / 2)])


def _span(top: np.ndarray, bottom: np.ndarray, slope: float) -> tuple[float, ...]:
    points = np.concatenate([top, bottom])
    level = points[:, 1] - slope * points[:, 0]
    across = points[:, 0] + slope * points[:, 1]
    along = np.abs(top[-1] - top[0])
    if along[0] < along[1]:  # text that is turned by 90 degrees
        return across.min(), level.min(), across.max(), level.max()
    half = len(top)
    left = (across[0] + across[-1]) / 2
    right = (across[half - 1] + across[half]) / 2
    y0, y1 = level[:half].mean(), level[half:].mean()
    return min(left, right), min(y0, y1), max(left, right), max(y0, y1)


def _unskewed(boxes: np.ndarray, slope: float) -> np.ndarray:
    x0, y0, x1, y1 = boxes.T
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    dx, dy = slope * middle_y, -slope * middle_x
    return np.stack([x0 + dx, y0 + dy, x1 + dx, y1 + dy], axis=1)


def _regions(page: Lines, ids: Ids, margin: bool) -> list[Region]:
    gutter = _tallest_gutter(page, ids)
    if gutter is None:
        rows = _rows(page, ids)
        return [Region(tuple(map(tuple, rows)), margin)] if rows else []
    heads = _heads(page, gutter)
    rest = np.setdiff1d(ids, np.concatenate([gutter.left, gutter.right]))
    higher = page.middle[rest] <= gutter.top
    above, below = np.concatenate([rest[higher], heads]), rest[~higher]
    sides = [
        (np.setdiff1d(gutter.left, heads), margin or gutter.margin == "left"),
        (np.setdiff1d(gutter.right, heads), margin or gutter.margin == "right"),
    ]
    # A note in the left margin is read after the text beside it.
    sides = sides[::-1] if gutter.margin == "left" else sides
    parts = [(above, margin), *sides, (below, margin)]
    return [region for part, note in parts for region in _regions(page, part, note)]


def _heads(page: Lines, gutter: Gutter) -> Ids:
    """Large lines above both columns of a gutter: a headline that does not reach across it."""
    for side, other in ((gutter.left, gutter.right), (gutter.right, gutter.left)):
        top, bottom = page.spans[side, 1], page.spans[side, 3]
        body = bottom - top < HEAD * page.height
        if body.any():
            first = min(top[body].min(), page.spans[other, 1].min()) + 0.5 * page.height
            heads = side[~body & (bottom <= first)]
            if len(heads):
                return heads
    return gutter.left[:0]


@dataclass(frozen=True)
class Gutter:
    """A strip between two columns, from `top` to `bottom`, and the lines on both sides of it.

    margin: the side that is a margin note, "left" or "right", or "".
    """

    top: float
    bottom: float
    left: Ids
    right: Ids
    margin: str = ""


def _tallest_gutter(page: Lines, ids: Ids) -> Gutter | None:
    """The gutter between columns that has lines on both sides for the longest way.

    Of gutters of about the same length it is the one between two lines or rules that cross it,
    because these stand above or below its neighbours as well.
    """
    best: tuple[tuple[int, int, float], Gutter] | None = None
    right_of = _neighbours(page, ids)
    for x, slant in _places(page, right_of):
        for gutter in _gutters_at(page, ids, x, slant):
            left, right = (page.spans[side] for side in (gutter.left, gutter.right))
            low = min(left[:, 3].max(), right[:, 3].max())
            long = round(float(low - max(left[:, 1].min(), right[:, 1].min())) / page.height / 2)
            ends = int(np.isfinite(gutter.top)) + int(np.isfinite(gutter.bottom))
            key = long, 0 if _holds_lines(page, ids, gutter) else ends, -x
            if best is None or key > best[0]:
                sides = _beside(page, gutter, right_of)
                if _are_columns(page, *sides) and not _are_cells(page, ids, *sides):
                    best = key, replace(gutter, margin=_margin(page, *sides))
    return best[1] if best else None


def _holds_lines(page: Lines, ids: Ids, gutter: Gutter) -> bool:
    """Whether lines above or below a gutter fit into it: those of a column that ends or begins."""
    left, _, right, _ = page.spans[ids].T
    reach = CROSSING * page.height
    start = page.spans[gutter.left, 2].max() - reach
    end = page.spans[gutter.right, 0].min() + reach
    return bool(((left >= start) & (right <= end)).any())


def _beside(page: Lines, gutter: Gutter, right_of: dict[int, int]) -> tuple[list[int], list[int]]:
    """The lines next to a gutter, on its left and on its right, not those of columns beyond."""
    left_of = {b: a for a, b in right_of.items()}
    left, right = gutter.left.tolist(), gutter.right.tolist()
    on_left, on_right = set(left), set(right)
    pairs = [(i, right_of[i]) for i in left if right_of.get(i) in on_right]
    if not pairs:
        return [], []  # nothing stands beside anything
    # Below a short column, the next line is one of the column beyond it, which does not count.
    spans, near = page.spans, 2 * page.height
    inner = max(spans[i, 2] for i, _ in pairs) - near, min(spans[i, 0] for _, i in pairs) + near
    start = min(spans[i, 0] for i, _ in pairs if spans[i, 2] >= inner[0])
    end = max(spans[i, 2] for _, i in pairs if spans[i, 0] <= inner[1])
    return (
        [i for i in left if right_of.get(i) not in on_left and spans[i, 2] > start],
        [i for i in right if left_of.get(i) not in on_right and spans[i, 0] < end],
    )


def _neighbours(page: Lines, ids: Ids) -> dict[int, int]:
    """The next line to the right of each line that has one on its level."""
    if len(ids) < 2:
        return {}
    left, top, right, bottom = page.spans[ids].T
    overlap = np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)
    level = overlap >= LEVEL * np.minimum.outer(bottom - top, bottom - top)
    after = left[None] >= right[:, None] - CROSSING * page.height
    after &= (left[None] > left[:, None]) & (right[None] > right[:, None])
    starts = np.where(level & after, left[None], np.inf)
    nearest = starts.argmin(axis=1)
    found = np.isfinite(starts.min(axis=1))
    return {int(ids[i]): int(ids[nearest[i]]) for i in np.flatnonzero(found)}


def _places(page: Lines, right_of: dict[int, int]) -> list[tuple[float, float]]:
    """Where gutters may be: x at y = 0, and how far they lean in one pixel down."""
    if not right_of:
        return []
    pairs = np.array(list(right_of.items()))
    x = (page.spans[pairs[:, 0], 2] + page.spans[pairs[:, 1], 0]) / 2
    y = page.middle[pairs].mean(axis=1)
    places: dict[tuple[int, int], tuple[float, float]] = {}
    for at in x[np.unique(np.round(2 * x / page.height), return_index=True)[1]]:
        near = np.abs(x - at) < NEAR * page.height
        slant, start = 0.0, float(np.median(x[near]))
        if near.sum() >= 6 and np.ptp(y[near]) > 8 * page.height:
            leaning, offset = np.polyfit(y[near], x[near], 1)
            if abs(leaning) <= SLANT:
                slant, start = float(leaning), float(offset)
        key = round(2 * start / page.height), round(slant * 200)
        places[key] = start, slant
    return sorted(places.values())


def _gutters_at(page: Lines, ids: Ids, x: float, slant: float) -> list[Gutter]:
    """The pieces of a nearly vertical strip between the lines and rules that cross it."""
    left, top, right, bottom = page.spans[ids].T
    middle = page.middle[ids]
    at = x + slant * middle
    reach = CROSSING * page.height
    crosses = (left < at - reach) & (right > at + reach)
    barriers = [*middle[crosses].tolist()]
    x0, y0, x1, y1 = page.rules.horizontal.T
    rule_y = (y0 + y1) / 2
    rule_at = x + slant * rule_y
    crossing = (x0 < rule_at - 2 * page.height) & (x1 > rule_at + 2 * page.height)
    barriers += rule_y[crossing].tolist()
    edges = [-np.inf, *sorted(barriers), np.inf]
    pieces = np.searchsorted(edges, middle, side="right") - 1
    on_left = (left + right) / 2 < at
    gutters = []
    for piece in np.unique(pieces[~crosses]).tolist():
        here = (pieces == piece) & ~crosses
        sides = ids[here & on_left], ids[here & ~on_left]
        if all(map(len, sides)):
            gutters.append(Gutter(edges[piece], edges[piece + 1], *sides))
    return gutters


def _are_columns(page: Lines, left: Sequence[int], right: Sequence[int]) -> bool:
    """Whether the lines on both sides of a gutter are columns of text and not of a table."""
    if not left or not right:
        return False
    if any(_is_turned(page, a) and len(b) > 2 for a, b in ((left, right), (right, left))):
        return True  # a note in the margin
    if any(_numbers(page, side) > NUMBERS for side in (left, right)):
        return False
    widths = [median(page.width[side].tolist()) / page.height for side in (left, right)]
    fewer, more = sorted((len(left), len(right)))
    if fewer >= max(COLUMN_LINES, COLUMN_BALANCE * more) and min(widths) >= COLUMN_WIDTH:
        return True
    running = [_is_running(page, side) for side in (left, right)]
    if all(running):
        return True
    return any(running) and all(_is_text(page, side) for side in (left, right))


def _are_cells(page: Lines, ids: Ids, left: Sequence[int], right: Sequence[int]) -> bool:
    """Whether lines on both sides of a gutter are the cells of a wide table of words.

    Each line of the one side is level with a line of the other, and they are ragged, and neither
    side is running text. The rows stand apart, or they have numbers as well.
    """
    sides = left, right
    if page.texts is None or any(_is_turned(page, side) for side in sides):
        return False
    running = [_is_running(page, side) for side in sides]
    full = [len(side) > 2 and _is_full(page, side) for side in sides]
    if all(running) or all(full) or any(map(all, zip(running, full, strict=True))):
        return False
    middle = page.middle
    away = np.abs(np.subtract.outer(middle[list(left)], middle[list(right)])) / page.height
    level = [float(np.mean(away.min(axis=axis) < SAME_LEVEL)) for axis in (0, 1)]
    if max(level) < PAIRED or min(level) < PAIRED_LONGER:
        return False
    rows = np.sort(middle[list(left if len(left) > len(right) else right)])
    if len(rows) > 1 and np.median(np.diff(rows)) > ROW_STEP * page.height:
        return True
    others = np.setdiff1d(ids, np.concatenate([left, right]))
    numbers = middle[[i for i in others.tolist() if _is_number(page.texts[i])]]
    near = np.abs(np.subtract.outer(rows, numbers)) < SAME_LEVEL * page.height
    return bool(near.any(axis=1).mean() > NUMBERS)


def _is_full(page: Lines, side: Sequence[int]) -> bool:
    """Whether most lines are nearly as wide as their column."""
    spans = page.spans[list(side)]
    whole = np.quantile(spans[:, 2], 0.9) - np.quantile(spans[:, 0], 0.1)
    return float(np.mean(spans[:, 2] - spans[:, 0] >= FULL * whole)) >= FULL_SHARE


def _is_text(page: Lines, side: Sequence[int]) -> bool:
    """Whether lines beside running text are text of their own, not the labels of its items."""
    if page.texts is None:
        return False
    letters = median(sum(map(str.isalpha, page.texts[i])) for i in side)
    return letters >= BESIDE_LETTERS


def _is_turned(page: Lines, side: Sequence[int]) -> bool:
    """Whether all of these lines are turned by 90 degrees."""
    width, height = page.width[side], page.spans[side, 3] - page.spans[side, 1]
    return bool((height > 2 * np.maximum(width, page.height)).all())


def _is_running(page: Lines, side: Sequence[int]) -> bool:
    """Whether lines below each other are running text and not the cells of a table."""
    if len(side) < 2:
        return False
    spans = page.spans[side]
    widths = spans[:, 2] - spans[:, 0]
    if np.median(widths) < RUNNING_WIDTH * page.height:
        return False
    if page.texts is not None:
        order = sorted(side, key=lambda i: page.spans[i, 1])
        texts = [page.texts[i] for i in order]
        begun = [text[:1].islower() for text in texts[1:]]
        return sum(begun) >= CONTINUED_SHARE * len(begun)
    return len(side) > 2 and _is_full(page, side)


def _numbers(page: Lines, side: Sequence[int]) -> float:
    """The share of lines that are numbers; 0 if the texts are not known."""
    if page.texts is None:
        return 0.0
    return sum(_is_number(page.texts[i]) for i in side) / len(side)


def _is_number(text: str) -> bool:
    signs = [c for c in text if c.isalnum()]
    return sum(map(str.isdigit, signs)) * 2 >= len(signs)


def _margin(page: Lines, left: Sequence[int], right: Sequence[int]) -> str:
    """Which of the two columns beside a gutter is a margin note, "left", "right" or ""."""
    widths = [
        float(np.quantile(page.spans[side, 2], 0.9) - np.quantile(page.spans[side, 0], 0.1))
        for side in (left, right)
    ]
    fewer, more = sorted((len(left), len(right)))
    if 2 * fewer > more or min(widths) >= MARGIN_WIDTH * max(widths):
        return ""
    return "left" if widths[0] < widths[1] else "right"


def _rows(page: Lines, ids: Ids) -> list[list[int]]:
    """Row by row; a line belongs to a row if it is level with its lines and beside all of them."""
    spans, middle, height = page.spans, page.middle, page.spans[:, 3] - page.spans[:, 1]
    rows: list[list[int]] = []
    for i in ids[np.argsort(middle[ids], kind="stable")].tolist():
        row = rows[-1] if rows else []
        level = bool(row) and middle[i] - middle[row].mean() < 0.3 * (
            height[i] + height[row].mean()
        )
        shared = np.minimum(spans[row, 2], spans[i, 2]) - np.maximum(spans[row, 0], spans[i, 0])
        if level and (shared < CROSSING * np.minimum(height[row], height[i])).all():
            row.append(i)
        else:
            rows.append([i])
    return [sorted(row, key=lambda j: spans[j, 0]) for row in rows]
