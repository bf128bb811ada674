"""Leaders: the dots between an entry and its page number or price. Lines end where they begin.

The dots stand apart, or they touch and are one long piece of ink or a rule; then the ink along it
rises and falls with each dot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocrkit.detection.found import Found, between, box_of, contains, edges_at
from ocrkit.detection.pieces import Pieces, box_around
from ocrkit.detection.rules import Rules

# Lengths in heights of a line.
DOT, DOTS, DOT_STEP = 0.3, 6, 1.3  # a leader is so many dots, each so far from the next
MOST_DOTS = 4000  # a page with more is full of specks
LEVEL = 0.12  # dots of a leader are level
STOP_GAP, STOP_SHARE = 0.2, 0.5  # from a letter to its full stop; and as a share of the dots' gap
STOP_STEP = 1.3  # from a full stop to the leader, in steps of its dots
LONG = 2.5  # the least length of a leader whose dots touch
# Of the ink along dots that touch: the least standard deviation over mean, and autocorrelation.
LEAST_WAVE, LEAST_MATCH = 0.08, 0.5
SPACE = 0.6  # a line that reaches so far beyond a leader has text there


@dataclass(frozen=True)
class _Leader:
    """A leader: its box (4,) and the indices of its pieces; a rule has none.

    points: (n, 2), along its middle.
    """

    box: np.ndarray
    pieces: np.ndarray
    points: np.ndarray


def without_leaders(
    lines: Sequence[Found], pieces: Pieces, rules: Rules, page: np.ndarray
) -> tuple[list[Found], Pieces]:
    """The lines cut where leaders begin and end, and the pieces outside of lines and leaders.

    pieces, rules: those of the grey page (H, W) uint8 with these lines.
    """
    in_leader = np.zeros(len(pieces.boxes), bool)
    letters = pieces.only(pieces.size[:, 1] > DOT * pieces.height)
    result = list(lines)
    for leader in _leaders(pieces, rules, page):
        x0, y0, x1, y1 = leader.box
        others = np.ones(len(pieces.boxes), bool)
        others[leader.pieces] = False
        x, y = pieces.middle.T
        # Worn letters are rows of dots as well, with more ink above.
        others &= (pieces.boxes[:, 2] > x0) & (pieces.boxes[:, 0] < x1)
        others &= (y > y0 - 0.6 * pieces.height) & (y < y1 + 0.25 * pieces.height)
        if others.any():
            continue
        level = [_is_level(line, leader) for line in result]
        on_level = (line for line, on in zip(result, level, strict=True) if on)
        # A row of dots without a text before or after it is a line by itself.
        if any(_has_text_beside(leader.box, line, letters) for line in on_level):
            in_leader[leader.pieces] = True
            cut = (
                _cut(line, leader.box, pieces) if on else [line]
                for line, on in zip(result, level, strict=True)
            )
            result = [part for parts in cut for part in parts]
    return result, pieces.only((pieces.line < 0) & ~in_leader)


def _leaders(pieces: Pieces, rules: Rules, page: np.ndarray) -> Iterator[_Leader]:
    dots = np.flatnonzero((pieces.size <= DOT * pieces.height).all(axis=1))
    for run in _rows(pieces.only(dots)):
        run = dots[_without_full_stop(run, dots, pieces)]
        yield _Leader(box_around(pieces.boxes[run]), run, pieces.middle[run])
    low = np.flatnonzero(pieces.size[:, 1] <= DOT * pieces.height)
    for run in _touching(pieces.only(low)):
        box = box_around(pieces.boxes[low[run]])
        if _is_dotted(page, box, pieces.height):
            yield _Leader(box, low[run], pieces.middle[low[run]])
    for box in rules.horizontal:
        if box[3] - box[1] <= DOT * pieces.height and _is_dotted(page, box, pieces.height):
            yield _Leader(box, np.zeros(0, int), (box[None, :2] + box[None, 2:]) / 2)


def _rows(dots: Pieces) -> list[np.ndarray]:
    """Rows of dots at equal distances: the indices of each row, from left to right."""
    if not DOTS <= len(dots.boxes) <= MOST_DOTS:
        return []
    x, y = dots.middle.T
    right = x[None] - x[:, None]
    level = np.abs(y[None] - y[:, None]) < LEVEL * dots.height
    right = np.where(level & (right > 0) & (right < DOT_STEP * dots.height), right, np.inf)
    following = np.where(np.isfinite(right.min(axis=1)), right.argmin(axis=1), -1)
    runs = []
    for start in np.setdiff1d(np.arange(len(x)), following).tolist():
        run = [start]
        while (after := int(following[run[-1]])) >= 0:
            run.append(after)
        steps = np.diff(x[run])
        usual = float(np.median(steps)) if len(steps) else 0.0
        if len(run) >= DOTS and np.mean(np.abs(steps - usual) < 0.25 * usual + 1) >= 0.85:
            runs.append(np.array(run))
    return runs


def _without_full_stop(run: np.ndarray, dots: np.ndarray, pieces: Pieces) -> np.ndarray:
    """A row of `dots` without its first one if that is the full stop of the text before it.

    It stands nearer to the last letter than dots of a leader stand to each other, or further from
    the second dot.
    """
    row = pieces.boxes[dots[run]]
    x0, y0, _, y1 = row[0]
    boxes = pieces.boxes
    letter = (boxes[:, 1] < (y0 + y1) / 2) & (boxes[:, 3] > y0 - LEVEL * pieces.height)
    letter &= (boxes[:, 0] < x0) & (pieces.size[:, 1] > DOT * pieces.height)
    if not letter.any():
        return run
    gap = x0 - float(boxes[letter, 2].max())
    steps = np.diff(row[:, [0, 2]].mean(axis=1))
    usual = float(np.median(row[1:, 0] - row[:-1, 2]))
    near = gap < min(STOP_GAP * pieces.height, STOP_SHARE * usual)
    apart = steps[0] > STOP_STEP * float(np.median(steps)) and gap < 2 * STOP_GAP * pieces.height
    return run[1:] if near or apart else run


def _touching(low: Pieces) -> list[np.ndarray]:
    """Rows of low pieces in which some dots run together: the indices of each row."""
    wide = low.size[:, 0] > 2 * DOT * low.height
    if not wide.any() or len(low.boxes) > MOST_DOTS:
        return []
    y, rows = low.middle[:, 1], []
    free = np.ones(len(y), bool)
    for first in np.flatnonzero(wide)[np.argsort(low.boxes[wide, 0])].tolist():
        if not free[first]:
            continue
        level = np.flatnonzero(free & (np.abs(y - y[first]) < LEVEL * low.height))
        level = level[np.argsort(low.boxes[level, 0])]
        gaps = low.boxes[level[1:], 0] - low.boxes[level[:-1], 2]
        parts = np.split(level, np.flatnonzero(gaps > DOT_STEP * low.height) + 1)
        row = next(part for part in parts if first in part)
        free[row] = False
        if low.boxes[row[-1], 2] - low.boxes[row[0], 0] > LONG * low.height:
            rows.append(row)
    return rows


def _is_dotted(page: np.ndarray, box: np.ndarray, height: float) -> bool:
    """Whether the ink along a box of a grey page rises and falls at equal distances."""
    x0, y0, x1, y1 = box.round().astype(int).tolist()
    ink = float(np.median(page)) - page[max(0, y0 - 1) : y1 + 1, max(0, x0) : x1].mean(axis=0)
    if len(ink) < LONG * height:
        return False
    usual = cv2.blur(ink[None], (round(height) | 1, 1))[0]
    wave = ink - usual
    if wave.std() < LEAST_WAVE * max(1.0, float(usual.mean())):
        return False
    match = np.correlate(wave, wave, "full")[len(wave) - 1 :][: round(0.8 * height) + 2]
    rises = np.flatnonzero(np.diff(match) >= 0)
    return bool(len(rises)) and match[rises[0] :].max() > LEAST_MATCH * match[0]


def _is_level(line: Found, leader: _Leader) -> bool:
    """Whether a leader is on the level of a line, where they meet or come nearest."""
    left, top, right, bottom = box_of(line.polygon)
    if leader.box[1] > bottom or leader.box[3] < top:
        return False
    x, y = leader.points.T
    away = np.maximum(left - x, x - right).clip(0)
    near = away == away.min()
    upper, lower = edges_at(line.polygon, x[near])
    return float(np.mean((upper < y[near]) & (y[near] < lower))) > 0.5


def _has_text_beside(leader: np.ndarray, line: Found, letters: Pieces) -> bool:
    """Whether a line has letters before or after a leader, a box (4,) on its level."""
    left, top, right, bottom = box_of(line.polygon)
    before = letters.inside(np.array([left, top, leader[0], bottom]))
    after = letters.inside(np.array([leader[2], top, right, bottom]))
    return bool((before | after).any())


def _cut(line: Found, leader: np.ndarray, pieces: Pieces) -> list[Found]:
    """A line without a leader, a box (4,) on its level; the part before it leads to the other."""
    x0, _, x1, _ = leader.tolist()
    left, _, right, _ = box_of(line.polygon)
    space = SPACE * pieces.height
    if right < x0 - space or left > x1 + space:
        # A line that ends a little before its leader.
        joins = right < x0 and x0 - right < 2 * pieces.height
        return [replace(line, leader=True)] if joins else [line]
    parts = []
    if x0 - left > space:
        part = between(line.polygon, -np.inf, x0 - 1)
        parts.append(replace(line, polygon=part, number=None, leader=True))
    if right - x1 > space:
        part = between(line.polygon, x1 + 1, np.inf)
        inside = (pieces.line >= 0) & (pieces.boxes[:, 0] > x1) & (pieces.boxes[:, 2] < right)
        if (inside & contains(part, pieces.middle)).any():
            parts.append(replace(line, polygon=part, number=None, initial=None, led_to=True))
    return parts
