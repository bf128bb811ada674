"""How CTC turns time steps into text: the most probable path, and the lattice of all paths."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ocrkit.notebook.pictures.picture import (
    BLUE,
    DARK_BLUE,
    GREY,
    ORANGE,
    PALE,
    RED,
    Picture,
    panels,
)
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy

_BLANK = "·"  # how a blank is drawn
_SPACE = "␣"
# The rows of `ctc_frames`: the middle of each, and its name.
_ROWS = (
    (7.5, "strip"),
    (4.9, "best class\nof each step"),
    (3.1, "repeats\nmerged"),
    (1.3, "blanks\ndropped"),
)


def ctc_frames(
    strip: np.ndarray, log_probs: np.ndarray, alphabet: Alphabet, letter: int = 0
) -> Picture:
    """A line, its time steps, and the text that the most probable path becomes.

    strip: what the network saw, (H, W), ink near 1. log_probs: (T, C). letter: the index of the
    character whose time steps are marked; the last one if there are fewer.
    """
    path, read = log_probs.argmax(axis=-1), greedy(log_probs, alphabet)
    signs = [_BLANK, *alphabet.characters.replace(" ", _SPACE)]
    starts = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist()]
    runs = list(pairwise([*starts, len(path)]))
    chosen = read.characters[min(letter, len(read.text) - 1)] if read.text else None

    def color(start: int, end: int) -> str:
        if chosen and start >= chosen.start and end <= chosen.end:
            return ORANGE
        return PALE if path[start] == 0 else BLUE

    with panels(3.4) as (figure, axes):
        right = len(path) - 0.5
        axes.imshow(1 - strip.clip(0, 1), cmap="gray", extent=(0, strip.shape[1] / 4, 6, 9))
        axes.vlines(np.arange(len(path)) - 0.5, 6, 9, color=DARK_BLUE, alpha=0.25, linewidth=0.6)
        for t, index in enumerate(path.tolist()):
            _cell(axes, t - 0.5, 4.2, 1, signs[index], color(t, t + 1))
        for start, end in runs:
            _cell(axes, start - 0.5, 2.4, end - start, signs[path[start]], color(start, end))
        for character in read.characters:
            sign = signs[1 + alphabet.characters.index(character.char)]
            width = character.end - character.start
            shade = color(character.start, character.end)
            _cell(axes, character.start - 0.5, 0.6, width, sign, shade, 12)
        axes.set_yticks(*zip(*_ROWS, strict=True))
        axes.set(xlim=(-0.6, right), ylim=(0.3, 9), xlabel="time step", aspect="auto")
        axes.tick_params(left=False)
        axes.spines[:].set_visible(False)
        counts = f"{len(path)} time steps, {len(runs)} runs, {len(read.text)} characters"
        figure.suptitle(f"{counts}: “{read.text}”")
    alt = f"The network's best class at each time step. {counts}: {read.text}."
    if chosen:
        steps = f"time steps {chosen.start} to {chosen.end - 1}"
        alt += f" The marked character {chosen.char!r} is {steps}."
    return Picture(figure, alt)


def _cell(
    axes: Any, x: float, y: float, width: float, text: str, color: str, size: float = 9
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, 1.4, facecolor=color, edgecolor="white"))
    axes.text(x + width / 2, y + 0.7, text, ha="center", va="center", fontsize=size)


@dataclass(frozen=True)
class Lattice:
    """All CTC paths of a text through T time steps.

    states: the classes that a path goes through: blank, first character, blank, ..., blank.
    share: (T, S), the share of the text's probability whose paths are in state s at step t.
    best: the states of the most probable path. paths: how many there are.
    probability: of all paths together. best_probability: of the best one.
    """

    states: tuple[int, ...]
    share: np.ndarray
    best: tuple[int, ...]
    paths: int
    probability: float
    best_probability: float

    def may_follow(self, before: int, after: int) -> bool:
        """Whether a path may go from one state to another in one step.

        It stays, goes to the next state, or leaves out a blank between two different characters.
        """
        return _may_follow(self.states, before, after)


def _may_follow(states: tuple[int, ...], before: int, after: int) -> bool:
    skips = after - before == 2 and states[after] != 0 and states[after] != states[before]
    return after - before in (0, 1) or skips


def lattice(log_probs: np.ndarray, classes: list[int]) -> Lattice:
    """The lattice of a text, given by its classes, in log-probabilities (T, C).

    By the forward-backward algorithm: Graves et al., 2006, section 4.1. Raises ValueError if T is
    too small for the text.
    """
    states = (0, *(s for c in classes for s in (c, 0)))
    size, steps = len(states), len(log_probs)
    allowed = np.array(
        [[_may_follow(states, a, b) for b in range(size)] for a in range(size)], float
    )
    probs = np.exp(log_probs[:, states].astype(float))
    begins, ends = np.zeros(size), np.zeros(size)
    begins[:2], ends[-2:] = 1, 1
    forward, counts, highest = begins * probs[0], begins, begins * probs[0]
    rows, came_from = [forward], []
    for step in probs[1:]:
        forward, counts = (forward @ allowed) * step, counts @ allowed
        reached = highest[:, None] * allowed
        came_from.append(reached.argmax(axis=0))
        highest = reached.max(axis=0) * step
        rows.append(forward)
    if not (paths := int(counts @ ends)):
        raise ValueError(f"{steps} time steps are too few for {len(classes)} characters")
    backward, columns = ends, [ends]
    for step in probs[:0:-1]:
        backward = allowed @ (step * backward)
        columns.append(backward)
    total = float(forward @ ends)
    best = [int((highest * ends).argmax())]
    for previous in reversed(came_from):
        best.append(int(previous[best[-1]]))
    share = np.array(rows) * np.array(columns[::-1]) / total
    return Lattice(states, share, tuple(best[::-1]), paths, total, float((highest * ends).max()))


def ctc_lattice(log_probs: np.ndarray, text: str, alphabet: Alphabet) -> Picture:
    """The lattice of a short text: a circle for each state and step, an arrow for each move.

    Raises ValueError as `lattice` does. log_probs: (T, C), of the text's own time steps.
    """
    found = lattice(log_probs, alphabet.encode(text))
    size, steps = len(found.states), len(log_probs)
    names = ["blank" if s == 0 else alphabet.characters[s - 1] for s in found.states]
    reachable = found.share > 0
    with panels(0.55 * size + 0.9) as (figure, axes):
        for t, a in np.ndindex(steps - 1, size):
            for b in range(a, min(a + 3, size)):
                if not (found.may_follow(a, b) and reachable[t][a] and reachable[t + 1][b]):
                    continue
                on_best = (a, b) == found.best[t : t + 2]
                style = {"color": RED, "lw": 2.5} if on_best else {"color": GREY, "lw": 0.7}
                style |= {"arrowstyle": "->", "shrinkA": 9, "shrinkB": 9}
                axes.annotate("", xy=(t + 1, b), xytext=(t, a), arrowprops=style)
        points = [(t, s) for t in range(steps) for s in range(size) if reachable[t][s]]
        shares = [found.share[point] for point in points]
        dots = axes.scatter(
            *zip(*points, strict=True), s=230, c=shares, cmap="Blues", vmin=0, vmax=1,
            edgecolors="#444444", zorder=3,
        )  # fmt: skip
        figure.colorbar(dots, ax=axes, label="share of the probability", aspect=12)
        axes.set(xlim=(-0.5, steps - 0.5), ylim=(size - 0.5, -0.5), xlabel="time step")
        axes.set_xticks(range(steps))
        axes.set_yticks(range(size), names)
        axes.spines[:].set_visible(False)
        together = f"together they have a probability of {found.probability:.2f}"
        title = f"{found.paths:,} paths give “{text}” in {steps} steps; {together}, "
        figure.suptitle(f"{title}the best one alone {found.best_probability:.2f}")
    way = ", ".join(names[s] for s in found.best)
    return Picture(
        figure,
        f"CTC lattice of {text!r}: {found.paths} paths, {together}; the best path, with "
        f"{found.best_probability:.2f}, is {way}.",
    )
