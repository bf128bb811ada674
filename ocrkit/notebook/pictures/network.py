"""The CRNN at work on a line: its layers' values, and the gates of an LSTM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ocrkit.notebook.pictures.picture import (
    BLUE,
    DARK_BLUE,
    ORANGE,
    PALE,
    RED,
    Picture,
    arrow,
    blank,
    box,
    panels,
)
from ocrkit.recognition.ctc import greedy, log_softmax

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ocrkit.recognition.network import CRNN

STAGES = ("pool1", "pool2", "pool4", "relu5")  # layers whose output is drawn


def crnn(model: CRNN, strip: np.ndarray) -> Picture:
    """From image to sequence to text, with the values of a real line: strip (1, 1, H, W)."""
    with _outputs(model, STAGES) as kept:
        logits = _run(model, strip)
    log_probs = log_softmax(logits[:, 0])
    text = greedy(log_probs, model.alphabet).text
    shown = list(dict.fromkeys(text))
    classes = [0, *(model.alphabet.encode(c)[0] for c in shown)]
    rows: dict[str, np.ndarray] = {f"strip\n{strip.shape[2]} rows": 1 - strip[0, 0].clip(0, 1)}
    for name in STAGES[:-1]:
        channels, height, _ = kept[name].shape[1:]
        rows[f"{name}\n{channels} x {height} rows"] = kept[name][0].mean(axis=0)
    features = kept[STAGES[-1]][0, :, 0]
    rows[f"sequence\n{len(features)} features"] = features
    rows[f"LSTMs\n{logits.shape[2]} classes"] = np.exp(log_probs[:, classes]).T
    with panels(6.6, nrows=len(rows), height_ratios=(1, 1, 1, 1, 1.6, 0.25 * len(classes))) as (
        figure,
        axes,
    ):
        for panel, (label, values) in zip(axes, rows.items(), strict=True):
            # A few very large values, at the padding, must not darken the rest.
            most = np.quantile(values, 0.98) if "x" in label or "sequence" in label else 1
            color = "gray" if "strip" in label else "viridis"
            panel.imshow(values, aspect="auto", cmap=color, vmin=0, vmax=most)
            panel.set_ylabel(label, rotation=0, ha="right", va="center")
            panel.set(xticks=[], yticks=[])
        axes[-1].set_yticks(
            range(len(classes)), ["blank", *("␣" if c == " " else c for c in shown)], fontsize=8
        )
        axes[-1].set(ylabel="")
        axes[-1].set_xticks(range(0, len(log_probs), 5), range(0, len(log_probs), 5))
        axes[-1].set_xlabel(
            f"time step (probability of the {len(classes)} of {logits.shape[2]} classes that "
            "are used here; light is high)"
        )
        _, _, height, columns = strip.shape
        title = f"{height} x {columns} pixels become {len(logits)} time steps, and these become "
        figure.suptitle(f"{title}“{text}”")
    layers = "; ".join(label.replace("\n", ": ") for label in rows)
    alt = f"The layers of the network for one line, from top to bottom. {layers}. {title}{text}."
    return Picture(figure, alt)


@contextmanager
def _outputs(model: CRNN, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """What the layers of these names give while the block runs."""
    kept: dict[str, np.ndarray] = {}

    def keeper(name: str) -> Callable[..., None]:
        return lambda layer, inputs, output: kept.update({name: output.detach().numpy()})

    hooks = [getattr(model, name).register_forward_hook(keeper(name)) for name in names]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _run(model: CRNN, strip: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        logits: Tensor = model(torch.from_numpy(strip))
    return logits.numpy()


def lstm_states(lstm: nn.LSTM, x: np.ndarray) -> dict[str, np.ndarray]:
    """Gates and states of an LSTM in its forward direction, for inputs (T, inputs).

    Returns (T, hidden) for "input", "forget", "output" (the gates, 0 to 1), "candidate", "cell"
    and "hidden". Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; the forget gate: Gers
    et al., 2000. The order of the gates in the weights is PyTorch's: input, forget, candidate,
    output.
    """
    weights = {name: value.detach().numpy() for name, value in lstm.named_parameters()}
    hidden = cell = np.zeros(lstm.hidden_size, np.float32)
    states: dict[str, list[np.ndarray]] = {}
    for step in x:
        total = weights["weight_ih_l0"] @ step + weights["bias_ih_l0"]
        total = total + weights["weight_hh_l0"] @ hidden + weights["bias_hh_l0"]
        i, f, g, o = np.split(total, 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
        names = ("input", "forget", "output", "candidate", "cell", "hidden")
        for name, value in zip(names, (i, f, o, np.tanh(g), cell, hidden), strict=True):
            states.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in states.items()}


def lstm_gates(model: CRNN, strip: np.ndarray) -> Picture:
    """An LSTM cell, and the gates of one unit of the first LSTM along a real line (1, 1, H, W).

    The unit is the one whose forget gate changes most along the line.
    """
    with _outputs(model, ("relu5",)) as kept:
        text = greedy(_run(model, strip)[:, 0], model.alphabet).text
    states = lstm_states(model.rnn[0].rnn, kept["relu5"][0, :, 0].T)  # type: ignore[arg-type]
    unit = int(states["forget"].std(axis=0).argmax())
    forgets = int((states["forget"][:, unit] < 0.5).sum())
    with panels(3.6, ncols=2, width_ratios=(1, 1.15)) as (figure, (left, right)):
        _draw_cell(left)
        steps = np.arange(len(states["cell"]))
        ends = (-0.5, len(steps) - 0.5)
        image = 1 - strip[0, 0].clip(0, 1)
        right.imshow(image, cmap="gray", extent=(0, strip.shape[3] / 4, 2.3, 3.1), aspect="auto")
        shades = {"forget": RED, "input": DARK_BLUE, "output": "#777777"}
        for name, shade in shades.items():
            right.plot(
                steps, 1.15 + states[name][:, unit], color=shade, lw=1.3, label=f"{name} gate"
            )
        cell = states["cell"][:, unit]
        scaled = cell / max(1e-9, abs(cell).max())
        right.plot(steps, -0.1 + scaled, color="#e08a1e", lw=2, label="cell, scaled")
        right.set(xlim=ends, ylim=(-2.1, 3.1), xlabel=f"time step of “{text}”")
        right.set_yticks([-1.1, -0.1, 0.9, 1.15, 2.15], ["-1", "0", "1", "0", "1"])
        right.legend(loc="lower center", ncols=4, fontsize=8, frameon=False, columnspacing=1)
        right.set_title(f"unit {unit} of {len(states['cell'][0])}")
        title = "Gates decide what the cell keeps: this unit forgets more than half of it at "
        title += f"{forgets} of {len(steps)} steps"
        figure.suptitle(title)
    return Picture(
        figure,
        "An LSTM cell. From the input and the previous output come three gates between 0 and 1 and "
        "a candidate. New cell: forget gate times old cell plus input gate times candidate. "
        f"Output: output gate times the cell's tanh. {title} of {text!r}.",
    )


def _draw_cell(axes: Any) -> None:
    blank(axes, 6.2, 4.4)
    box(axes, 0.1, 0.1, 1.6, 0.7, "input\nx at this step", BLUE)
    box(axes, 0.1, 2.0, 1.6, 0.7, "output before\nh, one step earlier", BLUE)
    box(axes, 0.1, 3.5, 1.6, 0.7, "cell before\nc, one step earlier", ORANGE)
    names = {"forget gate f\nkeep the old?": 2.75, "input gate i\nwrite the new?": 1.9}
    names |= {"candidate g\nwhat is new": 1.05, "output gate o\nshow it?": 0.2}
    for name, y in names.items():
        box(axes, 2.5, y, 1.5, 0.6, name, PALE)
        for start in (0.45, 2.35):
            arrow(axes, (1.78, start), (2.42, y + 0.3))
    box(axes, 4.6, 3.5, 1.5, 0.7, "cell\nc = f c + i g", ORANGE)
    box(axes, 4.6, 0.6, 1.5, 0.7, "output\nh = o tanh(c)", BLUE)
    arrow(axes, (1.78, 3.85), (4.52, 3.85))
    for y in (3.05, 2.2, 1.35):
        arrow(axes, (4.08, y), (4.75, 3.44))
    arrow(axes, (4.08, 0.5), (4.55, 0.8))
    arrow(axes, (5.6, 3.42), (5.6, 1.38))
