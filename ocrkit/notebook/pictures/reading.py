"""What damage does to a reading, and what a limit on the confidence lets pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ocrkit.metrics import cer
from ocrkit.notebook.pictures.picture import DARK_BLUE, GREY, RED, Picture, panels

if TYPE_CHECKING:
    from ocrkit.recognition.recognizer import Recognizer


def damaged(lines: Mapping[str, np.ndarray], text: str, recognizer: Recognizer) -> Picture:
    """One line under several kinds of damage, each with what is read; the last has all of them.

    lines: what was done to it -> grey line (H, W) uint8. text: the target.
    """
    predictions = [reading.text for reading in recognizer(list(lines.values()))]
    wrong = [round(cer([text], [read]) * len(text)) for read in predictions]
    with panels(0.85 * len(lines) + 0.5, nrows=len(lines)) as (figure, axes):
        for panel, (name, line), read, errors in zip(
            axes, lines.items(), predictions, wrong, strict=True
        ):
            panel.imshow(line, cmap="gray", vmin=0, vmax=255)
            label = f"{name}: {read}   ({errors} wrong)".replace("$", r"\$")
            panel.set_title(label, loc="left", color=RED if errors else "black")
            panel.axis("off")
        *single, together = wrong
        title = f"Wrong characters of {len(text)}: at most {max(single)} with one kind of damage, "
        figure.suptitle(f"{title}{together} with all of them")
    said = "; ".join(f"{n}: {read}" for n, read in zip(lines, predictions, strict=True))
    alt = f"{title}{together} with all of them. Read: {said}. Target: {text}."
    return Picture(figure, alt, photo=True)


def doubt(confidences: Sequence[float], correct: Sequence[bool], limit: float) -> Picture:
    """What a reviewer looks at, and what passes, if lines below a confidence are reviewed.

    confidences: of all lines, 0 to 1. correct: whether each was read without an error.
    """
    sure, right = np.asarray(confidences, float), np.asarray(correct, bool)
    limits = np.unique(np.concatenate([[0.0, limit, 1.0], sure, np.nextafter(sure, 2)]))
    review = np.array([(sure < at).sum() for at in limits])
    passed = np.array([((sure >= at) & ~right).sum() for at in limits])
    here = int(np.flatnonzero(limits == limit)[0])
    with panels(3.2, ncols=2) as (figure, (left, right_axes)):
        left.step(limits, review, where="post", color=GREY, label="lines to review")
        left.step(limits, passed, where="post", color=RED, label="wrong lines that pass")
        left.axvline(limit, color=DARK_BLUE, label=f"limit {limit:.2f}")
        left.set(xlabel="review lines with a confidence below", ylabel="lines")
        left.legend(fontsize=9)
        right_axes.plot(100 * review / max(1, len(sure)), passed, color=DARK_BLUE)
        at = 100 * review[here] / max(1, len(sure))
        right_axes.plot([at], [passed[here]], "o", color=RED, markersize=9, label="this limit")
        right_axes.set(xlabel="lines to review, %", ylabel="wrong lines that pass", xlim=(-2, 102))
        right_axes.set_ylim(bottom=-0.3)
        right_axes.legend(fontsize=9)
        for axes in (left, right_axes):
            axes.grid(alpha=0.3)
        title = f"Below {limit:.2f}: {review[here]} of {len(sure)} lines to review; "
        title += f"{passed[here]} of {int((~right).sum())} wrong lines pass"
        figure.suptitle(title)
    return Picture(figure, f"A limit on the confidence. {title}.")
