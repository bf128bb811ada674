"""The roofline: what limits a network, the arithmetic of the processor or its memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ocrkit.notebook.pictures.picture import DARK_BLUE, GREY, ORANGE, Picture, panels

if TYPE_CHECKING:
    from ocrkit.measure.operations import Layer


def intensity(layers: Sequence[Layer], strips: int, value: int) -> float:
    """Multiply-adds per byte, if weights are fetched once and each output is written and read once.

    layers: of `layer_table`, for one strip. strips: in one call. value: bytes of a number.
    """
    work = strips * sum(layer.multiply_adds for layer in layers)
    numbers = sum(layer.parameters for layer in layers)
    numbers += (
        2 * strips * sum(int(np.prod(layer.output)) for layer in layers if layer.multiply_adds)
    )
    return work / (value * numbers)


def roofline(
    peaks: Mapping[str, float], bandwidth: float, points: Mapping[str, tuple[float, float]]
) -> Picture:
    """Rates of networks below the processor's limits.

    peaks: precision -> billions of multiply-adds per second. bandwidth: of the memory, GB/s.
    points: name, ending in its precision -> multiply-adds per byte, and billions per second.
    """
    xs = [x for x, _ in points.values()]
    ridges = {name: peak / bandwidth for name, peak in peaks.items()}
    x = np.geomspace(min(*xs, *ridges.values()) / 4, max(*xs, *ridges.values()) * 4, 200)
    colors = dict(zip(peaks, (DARK_BLUE, "#e08a1e", GREY), strict=False))
    bound = [n for n, (at, _) in points.items() if at < ridges.get(n.split()[-1], 0)]
    with panels(3.6) as (figure, axes):
        for name, peak in peaks.items():
            label = f"matrix product {name}: {peak:.0f}"
            axes.loglog(x, np.minimum(peak, bandwidth * x), color=colors[name], lw=2, label=label)
        slope = x[len(x) // 12]
        axes.text(slope * 1.15, bandwidth * slope, f"memory: {bandwidth:.0f} GB/s", color="#444444")
        before = 0.0  # labels of points that are close to each other are set apart
        for name, (at, rate) in sorted(points.items(), key=lambda point: point[1][1]):
            color = colors.get(name.split()[-1], ORANGE)
            axes.plot(at, rate, "o", color=color, markersize=8)
            place = (9, 3 if rate < 1.3 * before else -8)
            label = f"{name}: {rate:.0f}"
            axes.annotate(label, (at, rate), place, textcoords="offset points", fontsize=9)
            before = rate
        axes.set(xlabel="multiply-adds per byte", ylabel="billions of multiply-adds per s")
        lowest = min(rate for _, rate in points.values())
        axes.set_ylim(lowest / 3, max(peaks.values()) * 2)
        axes.legend(loc="lower right", fontsize=9)
        axes.grid(alpha=0.3)
        where = "all points lie under the flat part: arithmetic is the limit, not memory"
        if bound:
            where = f"memory limits {', '.join(bound)}"
        figure.suptitle(f"Roofline: {where}")
    rates = "; ".join(f"{name} {rate:.0f}" for name, (_, rate) in points.items())
    roofs = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items())
    return Picture(
        figure,
        f"Roofline, in billions of multiply-adds per second. Roofs: {roofs}. {rates}. {where}.",
    )
