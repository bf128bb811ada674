"""Flow charts: the notebooks, and the files of a network on its way from training to INT8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocrkit.notebook.pictures.picture import BLUE, ORANGE, PALE, Picture, arrow, blank, box, panels

# The notebook, what it does, and what it leaves; column and row from the upper left.
_LESSONS = (
    ("01 data", "make and check lines\nlines with their text", 0, 0),
    ("02 train", "teach the network\ncrnn.safetensors", 1, 0),
    ("03 tune", "try other settings\ncrnn-tuned.safetensors", 2, 0),
    ("04 Neural Compressor", "INT8 in PyTorch\ncrnn-inc.pt2", 3, 0),
    ("05 OpenVINO", "INT8 in OpenVINO\ncrnn-int8.xml", 3, 1),
    ("06 benchmark", "compare all of them\na table of speeds", 2, 1),
    ("07 end to end", "find and read lines\na page's text", 1, 1),
    ("08 own pages", "correct what was read\nlines of your own", 0, 1),
    ("09 archive", "read many files\ntext you can search", 1, 2),
)


def workflow() -> Picture:
    """The nine notebooks and what each hands to the next."""
    size = (2.1, 0.85)

    def corner(column: int, row: int) -> tuple[float, float]:
        return 0.1 + 2.5 * column, 3.1 - 1.4 * row

    with panels(4.0) as (figure, axes):
        blank(axes, 9.9, 4.1)
        for name, what, column, row in _LESSONS:
            color = (BLUE, ORANGE, PALE)[0 if row == 0 and column < 3 else 1 if column > 1 else 2]
            box(axes, *corner(column, row), *size, f"{name}\n{what}", color)
        for row, columns in ((0, (0, 1, 2)), (1, (3, 2, 1))):
            for column in columns:
                x, y = corner(column, row)
                middle = y + size[1] / 2
                ends = (x + size[0] + 0.05, x + 2.45) if row == 0 else (x - 0.05, x - 0.35)
                arrow(axes, (ends[0], middle), (ends[1], middle))
        for column, row, text in ((3, 0, "the same network"), (1, 1, "many pages")):
            x, y = corner(column, row)
            arrow(axes, (x + 1.05, y - 0.05), (x + 1.05, y - 0.48))
            axes.text(x + 1.15, y - 0.27, text, va="center", fontsize=9)
        x, y = corner(0, 1)
        arrow(axes, (x + 1.05, y + size[1] + 0.07), (x + 1.05, y + 1.33))
        axes.text(x + 1.15, y + 1.12, "teach it again", va="center", fontsize=9)
        figure.suptitle(
            "Each notebook hands a file to the next; what you correct becomes new lines to learn"
        )
    order = "; ".join(
        f"{name}: {what.replace(chr(10), ', leaves ')}" for name, what, *_ in _LESSONS
    )
    return Picture(figure, f"The notebooks in order. {order}. Corrected lines lead back to 01.")


@dataclass(frozen=True)
class Stage:
    """A file of the network: its name, how its numbers are stored, and its size.

    tool: what makes it from the stage before it. source: the index of that stage; None for the
    first.
    """

    name: str
    numbers: str
    megabytes: float
    tool: str = ""
    source: int | None = None


def conversion(stages: Sequence[Stage]) -> Picture:
    """The files of one network, each with an arrow from the file that it is made of."""
    first, last = stages[0], min(stages, key=lambda stage: stage.megabytes)
    gap, width = 10.0 / len(stages), 10.0 / len(stages) - 0.85
    with panels(2.2) as (figure, axes):
        blank(axes, 10, 1.9)
        for number, stage in enumerate(stages):
            text = f"{stage.name}\n{stage.numbers}\n{stage.megabytes:.2f} MB"
            color = ORANGE if "8" in stage.numbers.split()[0] else BLUE
            box(axes, 0.1 + gap * number, 0.55, width, 1.0, text, color)
            if stage.source is None:
                continue
            end = (0.05 + gap * number, 1.05)
            if stage.source == number - 1:
                arrow(axes, (end[0] - 0.72, 1.05), end, stage.tool)
            else:  # below the stages between
                start = (0.1 + gap * stage.source + width / 2, 0.5)
                arrow(axes, start, (end[0] + width / 2 + 0.05, 0.5), bend=0.15)
                axes.text((start[0] + end[0] + width / 2) / 2, 0.0, stage.tool, fontsize=9)
        title = f"One network, {len(stages)} files: from {first.megabytes:.2f} MB ({first.name}) "
        figure.suptitle(f"{title}to {last.megabytes:.2f} MB ({last.name})")
    parts = []
    for stage in stages:
        made = "" if stage.source is None else f", by {stage.tool} of {stages[stage.source].name}"
        parts.append(f"{stage.name}, {stage.numbers}, {stage.megabytes:.2f} MB{made}")
    return Picture(figure, f"Stages of conversion. {'; '.join(parts)}.")
