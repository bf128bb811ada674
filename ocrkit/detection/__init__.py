"""Finding the text on a page: a detector takes a grey page and gives the polygons to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    import numpy as np

DetectorName = Literal["lines", "craft"]
DETECTORS: tuple[str, ...] = get_args(DetectorName)


class Detector(Protocol):
    """Any callable that finds text."""

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        """Polygons of the text of a grey page (H, W) uint8, in reading order.

        Each is a float32 array (2k, 2) of x, y in page pixels: k points along its top edge in
        reading direction, then k back along the bottom. Most have four, which are its corners.
        """


def load_detector(name: str = "lines") -> Detector:
    """The kit's own detector of lines, "lines", or EasyOCR's of words, "craft".

    Raises ValueError for another name, MissingPartError where CRAFT or its weights are not there.
    """
    if name == "lines":
        from ocrkit.detection.lines import LineDetector

        return LineDetector.load()
    if name == "craft":
        from ocrkit.detection.craft import CraftDetector

        return CraftDetector.load()
    raise ValueError(f"no detector is called {name!r}; choose one of {', '.join(DETECTORS)}")
