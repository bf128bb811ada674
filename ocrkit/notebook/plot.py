"""Figures of the notebooks: learning curves, reliability, layers, heat maps, line images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ocrkit.measure.operations import Layer
    from ocrkit.metrics import ReliabilityBin


def learning_curve(log: Any) -> Figure:
    """Training loss and character error rate over time.

    `log` is the path of a `log.csv` that training wrote, or a data frame with the same columns.
    """
    import pandas as pd
    from matplotlib import pyplot

    rows = log if isinstance(log, pd.DataFrame) else pd.read_csv(log)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.plot(rows["minutes"], rows["loss"], marker=".")
    left.set(xlabel="minutes", ylabel="loss")
    right.plot(rows["minutes"], rows["cer"], marker=".", label="synthetic lines")
    if "real_cer" in rows:
        right.plot(rows["minutes"], rows["real_cer"], marker=".", label="real lines")
        right.legend()
    right.set(xlabel="minutes", ylabel="character error rate, held out")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    pyplot.close(figure)  # otherwise a notebook would show it twice
    return figure


def reliability(bins: Sequence[ReliabilityBin], title: str) -> Figure:
    """A reliability diagram: how often readings of a confidence are right; the diagonal is ideal.

    The bars below show how many readings each bin has.
    """
    from matplotlib import pyplot

    figure, (top, bottom) = pyplot.subplots(
        2, 1, figsize=(4, 4.5), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    centres = [(row.low + row.high) / 2 for row in bins]
    top.plot([0, 1], [0, 1], color="grey", linestyle="--")
    top.plot([row.confidence for row in bins], [row.accuracy for row in bins], marker="o")
    top.set(ylabel="share that is right", ylim=(0, 1.02), title=title)
    bottom.bar(centres, [row.count for row in bins], width=0.9 / max(len(bins), 10))
    bottom.set(xlabel="confidence", ylabel="count", yscale="log", xlim=(0, 1))
    for axes in (top, bottom):
        axes.grid(alpha=0.3)
    pyplot.close(figure)
    return figure


def network(rows: Sequence[Layer]) -> Figure:
    """The layers of a network from left to right, from `measure.operations.layer_table`.

    There is a box for each convolution, pooling layer and LSTM. Its height is the number of rows of
    the output, and it is wider for more channels. LSTMs work on one row and have another colour.
    """
    from matplotlib import pyplot
    from matplotlib.patches import Rectangle

    figure, axes = pyplot.subplots(figsize=(11, 3), layout="constrained")
    x, tallest = 0.0, 1
    for row in (row for row in rows if row.kind in ("Conv2d", "MaxPool2d", "LSTM")):
        name, color = row.layer, "#8fb7d9"
        if row.kind == "LSTM":
            name, color = "LSTM", "#e8b57d"
            columns, _, channels = row.output
            height = 1
        else:
            _, channels, height, columns = row.output
        tallest = max(tallest, height)
        width = 0.15 + channels / 150
        axes.add_patch(Rectangle((x, -height / 2), width, height, facecolor=color, edgecolor="k"))
        label = f"{name}\n{channels} x\n{height} x {columns}"
        axes.text(x + width / 2, height / 2 + 1, label, fontsize=9, ha="center")
        x += 1.6 + width
    axes.set(xlim=(-1, x), ylim=(-tallest / 2 - 1, 0.85 * tallest))  # room for the text above
    axes.axis("off")
    pyplot.close(figure)
    return figure


def heat_maps(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Tables of numbers side by side, each with its name, on one colour scale; dark is low."""
    from matplotlib import pyplot

    size = (4 * len(tables), 3)
    figure, row = pyplot.subplots(1, len(tables), figsize=size, squeeze=False, layout="constrained")
    lows, highs = zip(*((t.min(axis=None), t.max(axis=None)) for t in tables.values()), strict=True)
    for axes, (name, table) in zip(row[0], tables.items(), strict=True):
        axes.imshow(table, aspect="auto", vmin=min(lows), vmax=max(highs), cmap="Blues_r")
        for (y, x), value in np.ndenumerate(table):
            box = {"color": "w", "alpha": 0.7}
            axes.text(x, y, f"{value:.4f}", ha="center", va="center", bbox=box)
        axes.set(title=name, xlabel=table.columns.name, ylabel=table.index.name)
        axes.set_xticks(range(table.shape[1]), table.columns)
        axes.set_yticks(range(table.shape[0]), table.index)
    pyplot.close(figure)
    return figure


def contact_sheet(crops: Sequence[np.ndarray], labels: Sequence[str], columns: int = 3) -> Figure:
    """Grey crops (H, W) uint8 in a grid, each with its label above."""
    from matplotlib import pyplot

    rows = max(1, -(-len(crops) // columns))
    figure, cells = pyplot.subplots(
        rows, columns, figsize=(4 * columns, 0.9 * rows), squeeze=False, layout="constrained"
    )
    for cell in cells.flat:
        cell.axis("off")
    for cell, crop, label in zip(cells.flat, crops, labels, strict=False):
        cell.imshow(crop, cmap="gray", vmin=0, vmax=255)
        # matplotlib reads the text between two dollar signs as a formula.
        cell.set_title(label.replace("$", r"\$"), fontsize=9, loc="left")
    pyplot.close(figure)
    return figure
