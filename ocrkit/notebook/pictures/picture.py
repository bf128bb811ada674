"""A figure with a text that says what it shows, and the colours and text sizes of all pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, PALE = "#8fb7d9", "#e8b57d", "#999999", "#eeeeee"
DARK_BLUE, RED = "#195ad2", "#b3261e"
WIDTH = 10.0  # inches: 800 pixels, as wide as a notebook on a small screen
DPI = 80
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "axes.grid": False,
}


@dataclass(frozen=True)
class Picture:
    """A figure for a notebook.

    alt: what a reader knows after seeing it, for those who cannot see it. JupyterLab takes such a
    text only from HTML, so the picture is displayed as HTML. photo: whether it is mostly pixels.
    """

    figure: Figure
    alt: str
    photo: bool = False

    def file(self) -> bytes:
        """The figure as a small file: PNG with few colours, or JPEG if it is a `photo`."""
        self.figure.savefig(drawn := BytesIO(), format="png", dpi=DPI, facecolor="white")
        picture, data = Image.open(drawn).convert("RGB"), BytesIO()
        if self.photo:
            picture.save(data, "JPEG", quality=45)
        else:
            picture.quantize(128).save(data, "PNG", optimize=True)
        return data.getvalue()

    def _repr_html_(self) -> str:
        kind, data = "jpeg" if self.photo else "png", b64encode(self.file()).decode()
        return (
            f'<img alt="{escape(self.alt)}" src="data:image/{kind};base64,{data}" '
            'style="max-width: 100%">'
        )


@contextmanager
def panels(height: float, **options: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure, `height` inches high, and its axes as `pyplot.subplots` gives them.

    It is closed at the end, or a notebook would show it twice.
    """
    from matplotlib import pyplot

    with pyplot.rc_context(STYLE):
        options = {"figsize": (WIDTH, height), "layout": "constrained"} | options
        figure, axes = pyplot.subplots(**options)
        try:
            yield figure, axes
        finally:
            pyplot.close(figure)


def box(axes: Any, x: float, y: float, width: float, height: float, text: str, color: str) -> None:
    """A box with its lower left corner at (x, y), and a text in it; the first line is bold."""
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0.03", facecolor=color, edgecolor="#444444"
    )
    axes.add_patch(shape)
    head, *rest = text.split("\n")
    for number, line in enumerate([head, *rest]):
        axes.annotate(
            line,
            (x + width / 2, y + height / 2),
            (0, 13 * (len(rest) / 2 - number)),  # points: a line of text
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9 if number else 10,
            weight="normal" if number else "bold",
        )


def arrow(
    axes: Any, start: tuple[float, float], end: tuple[float, float], text: str = "", bend: float = 0
) -> None:
    """An arrow with a text above its middle; `bend`: the arc's height, as a share of its length."""
    style = {"arrowstyle": "-|>", "color": "#444444", "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x, y + 0.08, text, ha="center", va="bottom", fontsize=9)


def blank(axes: Any, width: float, height: float) -> None:
    """Axes without frame, from (0, 0) to (width, height)."""
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
