"""What formats need to know about a line: its words, its baseline, and text that XML can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from ocrkit.document import Block, Box, Line, Page, Word

Point = tuple[float, float]

# The polygon of a line reaches from above its ascenders to below its descenders. This share of its
# height is below the baseline, as in common typefaces.
DESCENT = 0.22
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with characters that XML 1.0 does not allow replaced by U+FFFD."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def blocks_of(page: Page) -> tuple[Block, ...]:
    """The blocks of a page, with all its lines: those of no block are the last, a paragraph."""
    placed = {number for block in page.blocks for number in block.lines}
    others = tuple(((number,),) for number in range(len(page.lines)) if number not in placed)
    return (*page.blocks, Block("paragraph", others)) if others else page.blocks


def box_of(block: Block, page: Page) -> Box | None:
    """The box around the lines of a block; None if it has none."""
    points = [point for number in block.lines for point in page.lines[number].polygon]
    return Box.around(points) if points else None


def edges(line: Line) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The top and the bottom edge of a line, k points each, both in reading direction."""
    half = len(line.polygon) // 2
    return line.polygon[:half], line.polygon[half:][::-1]


def baseline(line: Line) -> tuple[Point, ...]:
    """The points of the line that letters stand on, in reading direction."""
    top, bottom = edges(line)
    return tuple(
        (xb + DESCENT * (xt - xb), yb + DESCENT * (yt - yb))
        for (xt, yt), (xb, yb) in zip(top, bottom, strict=True)
    )


def words_of(line: Line) -> tuple[Word, ...]:
    """The words of a line, which joined by single spaces are its text.

    If `line.words` are not these, because there are none or the text was corrected, the line is
    divided by numbers of characters.
    """
    texts = line.text.split()
    if [word.text for word in line.words] == texts:
        return line.words
    if len(line.words) == len(texts):  # corrected without a change to the number of words
        pairs = zip(texts, line.words, strict=True)
        return tuple(Word(text, word.confidence, word.box) for text, word in pairs)
    total = len(" ".join(texts))
    words, start = [], 0
    for text in texts:
        end = start + len(text)
        words.append(Word(text, line.confidence, _part(line, start / total, end / total)))
        start = end + 1
    return tuple(words)


def _part(line: Line, start: float, end: float) -> Box:
    """The box around the part of a line between two shares of its length, 0 to 1."""
    return Box.around(_along(edge, share) for edge in edges(line) for share in (start, end))


def _along(points: Sequence[Point], share: float) -> Point:
    """The point at a share of the length of a polyline."""
    steps = [math.dist(a, b) for a, b in pairwise(points)]
    left = share * sum(steps)
    for (a, b), step in zip(pairwise(points), steps, strict=True):
        if left <= step and step:
            return a[0] + (b[0] - a[0]) * left / step, a[1] + (b[1] - a[1]) * left / step
        left -= step
    return points[-1]
