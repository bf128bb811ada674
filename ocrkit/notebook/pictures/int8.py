"""Affine quantisation: range, step, zero point, rounding and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from ocrkit.notebook.pictures.picture import BLUE, DARK_BLUE, GREY, ORANGE, RED, Picture, panels


def quantised(values: np.ndarray, low: float, high: float, bits: int = 8) -> np.ndarray:
    """Values after affine quantisation of the range low <= 0 <= high, turned back into floats.

    q = clip(round(x / step) + zero point, 0, 2**bits - 1), and x is about (q - zero point) * step,
    with step = (high - low) / (2**bits - 1). Jacob et al., "Quantization and Training of Neural
    Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
    """
    largest = 2**bits - 1
    step = (high - low) / largest
    zero = round(-low / step)
    return (np.clip(np.round(values / step) + zero, 0, largest) - zero) * step


def relative_error(values: np.ndarray, found: np.ndarray) -> float:
    """The norm of the differences, divided by the norm of the values."""
    return float(np.linalg.norm(found - values) / np.linalg.norm(values))


def affine(weights: np.ndarray, activations: np.ndarray) -> Picture:
    """Weights of one channel, activations of one layer (any shapes), and what 16 steps do.

    The range of the activations is that of all but 0.1 % of them at each end.
    """
    weights, activations = weights.ravel(), activations.ravel()
    most = float(abs(weights).max())
    low, high = (float(v) for v in np.quantile(activations, (0.001, 0.999)))
    low, high = min(low, 0.0), max(high, 0.0)
    zero = round(-low / (high - low) * 255)
    clipped = float(((activations < low) | (activations > high)).mean())
    with panels(3.4, ncols=3) as (figure, (left, middle, right)):
        left.hist(weights, 40, color=BLUE)
        left.set(title="weights: symmetric, 0 stays 0", xlabel="weight (above: INT8)")
        left.set(xlim=(-1.1 * most, 1.1 * most), ylabel="how many")
        left.locator_params("x", nbins=5)
        _second_axis(left, (-most, 0, most), ("-127", "0", "127"))
        middle.hist(activations, 80, color=ORANGE, log=True)
        for end in (low, high):
            middle.axvline(end, color=RED)
        middle.set(title=f"activations: zero point {zero}", xlabel="value (above: 8 bits)")
        _second_axis(middle, (low, 0, high), ("0", str(zero), "255"))
        x = np.linspace(low - 0.25 * (high - low), high + 0.25 * (high - low), 600)
        right.plot(x, x, color=GREY, linestyle="--", label="before")
        right.plot(x, quantised(x, low, high, 4), color=DARK_BLUE, label="after, 4 bits")
        for end in (low, high):
            right.axvline(end, color=RED, label="range" if end == high else None)
        right.set(title="rounded inside, clipped outside", xlabel="value")
        right.legend(loc="upper left", fontsize=9)
        step = (high - low) / 255
        title = f"The range {low:.2f} to {high:.2f} has 255 steps of {step:.3f}; "
        figure.suptitle(f"{title}{clipped:.1%} of the activations lie outside and are clipped")
    return Picture(
        figure,
        f"Affine quantisation. Weights from {-most:.2f} to {most:.2f} become -127 to 127. {title}"
        f"{clipped:.1%} of the activations lie outside and are clipped. 0 becomes {zero}.",
    )


def _second_axis(axes: Any, places: tuple[float, ...], names: tuple[str, ...]) -> None:
    """Integers above the histogram, on a second axis; the title goes above them."""
    top = axes.secondary_xaxis("top")
    top.set_xticks(places, names, color=RED)


def clipping(values: np.ndarray, share: float, bits: int) -> Picture:
    """What a range of `share` of the values' largest costs, by rounding and by clipping.

    values: activations of any shape. share: above 0, up to 1. bits: of the integers.
    """
    values = values.ravel()
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    shares = np.geomspace(0.02, 1, 60)
    cut = np.array([values.clip(low * s, high * s) for s in shares])
    total = [relative_error(values, quantised(values, low * s, high * s, bits)) for s in shares]
    lost = [relative_error(values, part) for part in cut]
    best = int(np.argmin(total))
    here = relative_error(values, quantised(values, low * share, high * share, bits))
    with panels(3.2, ncols=2) as (figure, (left, right)):
        left.hist(values, 80, color=BLUE, log=True)
        left.axvspan(low * share, high * share, color=ORANGE, alpha=0.4, label="range")
        left.set(xlabel="activation", ylabel="how many", title=f"range: {share:.0%} of the largest")
        left.legend()
        right.loglog(shares, total, color=DARK_BLUE, label="rounding and clipping")
        right.loglog(
            shares, np.maximum(lost, 1e-6), color=GREY, linestyle="--", label="clipping alone"
        )
        right.plot([share], [here], "o", color=RED, markersize=9, label=f"here: {here:.1%}")
        right.set(xlabel="range, as a share of the largest value", ylabel="relative error")
        right.set_ylim(max(min(total) / 3, 1e-4), 2)
        right.set_title(f"{2**bits - 1} steps of {(high - low) * share / (2**bits - 1):.2g}")
        right.legend(loc="lower left", fontsize=9)
        title = f"{bits} bits, range {share:.0%}: error {here:.1%}; the lowest is {total[best]:.1%}"
        figure.suptitle(f"{title}, at {shares[best]:.0%}")
    return Picture(
        figure, f"Error of quantised activations by range. {title}, at {shares[best]:.0%}."
    )
