"""Small widgets beside the pictures: move a slider, and the picture is drawn again.

Each has a `picture` of its present settings, which can be shown without a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ocrkit.notebook import pictures
from ocrkit.notebook.pictures import Picture
from ocrkit.notebook.widgets import styles
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.packages import needs
from ocrkit.synth import degrade

with needs("ipywidgets", "ipywidgets", "look at the explorer's `picture` instead"):
    import ipywidgets


class Explorer(ipywidgets.VBox):
    """Sliders above a picture.

    draw: settings by keyword -> picture. sliders: one for each setting.
    """

    def __init__(self, draw: Callable[..., Picture], **sliders: ipywidgets.Widget) -> None:
        self._draw, self.sliders, self.view = draw, sliders, ipywidgets.HTML()
        for slider in sliders.values():
            slider.style.description_width = "initial"
            slider.layout.width = "95%"
            slider.observe(self._show, "value")
        super().__init__([styles(), *sliders.values(), self.view])
        self.add_class("ocrkit")
        self._show()

    @property
    def picture(self) -> Picture:
        """The picture of the present settings."""
        return self._draw(**{name: slider.value for name, slider in self.sliders.items()})

    def _show(self, change: Any = None) -> None:
        self.view.value = self.picture._repr_html_()


def _float(label: str, value: float, high: float, step: float, low: float = 0) -> Any:
    # The picture is drawn when the slider is let go: drawing takes a part of a second.
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, description=label, continuous_update=False
    )


def _int(label: str, value: int, low: int, high: int) -> Any:
    return ipywidgets.IntSlider(
        value, min=low, max=high, description=label, continuous_update=False
    )


def damage(
    recognizer: Recognizer, ink: np.ndarray, em: float, text: str, seed: int = 0
) -> Explorer:
    """Damage of a line by sliders: each kind alone, and all together, with what is read.

    ink: the line as `typeset` draws it, (H, W) float32; em: its letter size in pixels.
    """

    def draw(missing: float, blurred: float, coarse: float, noisy: float) -> Picture:
        def rng() -> np.random.Generator:
            return np.random.default_rng(seed)  # the same spots at every strength

        def scan(*steps: str) -> np.ndarray:
            worn = degrade.broken(ink, em, missing, rng()) if "ink missing" in steps else ink
            page = degrade.print_on_paper(worn, rng())
            if "blur" in steps and blurred:
                page = degrade.blur(page, blurred * em)
            if "few pixels" in steps:
                page = degrade.low_resolution(page, coarse)
            return degrade.noise(page, noisy, rng()) if "noise" in steps else page

        amounts = {"ink missing": f"{missing:.0%}", "blur": f"{blurred:.2f} em"}
        amounts |= {"few pixels": f"1 of {coarse:.1f}", "noise": f"{noisy:.0f} grey levels"}
        lines = {f"{name} ({amount})": scan(name) for name, amount in amounts.items()}
        return pictures.damaged(lines | {"all together": scan(*amounts)}, text, recognizer)

    return Explorer(
        draw,
        missing=_float("Ink missing, share", 0.2, 0.6, 0.05),
        blurred=_float("Blur, em", 0.04, 0.15, 0.01),
        coarse=_float("Pixels: one of", 2, 6, 0.5, low=1),
        noisy=_int("Noise, grey levels", 40, 0, 100),
    )


def frames(strip: np.ndarray, log_probs: np.ndarray, alphabet: Alphabet) -> Explorer:
    """CTC's time steps of a line: a slider marks what becomes a character.

    strip: (H, W), ink near 1. log_probs: (T, C). Raises ValueError if nothing is read.
    """
    text = greedy(log_probs, alphabet).text
    if not text:
        raise ValueError("nothing is read on this strip, so there is no character to mark")
    return Explorer(
        lambda letter: pictures.ctc_frames(strip, log_probs, alphabet, letter - 1),
        letter=_int("Character number", 1, 1, len(text)),
    )


def int8_range(values: np.ndarray) -> Explorer:
    """Range and number of bits against the error of quantised activations (any shape)."""
    return Explorer(
        lambda share, bits: pictures.clipping(values, share, bits),
        share=_float("Range, share of the largest value", 0.5, 1, 0.02, low=0.02),
        bits=_int("Bits", 8, 2, 8),
    )


def doubt(confidences: Sequence[float], correct: Sequence[bool], limit: float = 0.9) -> Explorer:
    """A limit on the confidence against lines to review and wrong lines that pass."""
    return Explorer(
        lambda limit: pictures.doubt(confidences, correct, limit),
        limit=_float("Review lines with a confidence below", limit, 1, 0.01),
    )
