"""Scans with known lines, and the JSON of their reading, for the review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import ocrkit.archive
from ocrkit import save
from ocrkit.document import Block, Document, LeftOut, Line, Page

FONT = Path(ocrkit.archive.__file__).with_name("DejaVuSans-subset.ttf")
SIZE = (700, 24)  # px of a line
STEP = 50  # px from a line to the next


def outline(row: int, width: int = SIZE[0]) -> tuple[tuple[float, float], ...]:
    """The corners of the line in a row of the scan, from 0."""
    y = 20.0 + STEP * row
    return ((20.0, y), (20.0 + width, y), (20.0 + width, y + 30), (20.0, y + 30))


def read_page(
    folder: Path,
    name: str,
    rows: Sequence[tuple[str, str, float]],
    left_out: Sequence[tuple[str, str, float]] = (),
) -> Path:
    """A scan of lines, and the JSON of what was read on it; returns the path of the JSON.

    rows, left_out: for each line what it says, what was read, and the confidence; those that were
    left out come below the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sheet = Image.new("L", (SIZE[0] + 40, 40 + STEP * (len(rows) + len(left_out))), 250)
    draw, face = ImageDraw.Draw(sheet), ImageFont.truetype(str(FONT), SIZE[1])
    lines = []
    for i, (text, reading, confidence) in enumerate([*rows, *left_out]):
        draw.text((22, 20 + STEP * i), text, 20, face)
        lines.append(Line(outline(i), reading, confidence))
    sheet.save(folder / f"{name}.png")
    kept = tuple(lines[: len(rows)])
    block = Block("paragraph", tuple(((i,),) for i in range(len(kept))))
    page = Page(
        *sheet.size,
        kept,
        blocks=(block,) if kept else (),
        left_out=tuple(LeftOut(line, "low confidence") for line in lines[len(rows) :]),
    )
    return save(Document(str(folder / f"{name}.png"), (page,)), folder / f"{name}.json")
