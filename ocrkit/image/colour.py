"""Colours to grey, also where ink and paper differ in colour and not in brightness."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

SIDE = 600  # px; colours are compared on a picture whose longer side is reduced to this
NEAR = 12  # px of this picture; ink is compared with the paper up to this far away
COLOURED = 12  # levels between the channels of a pixel; a page with less has no colours
# Colour is used if its difference between ink and paper is at least this many levels, and this many
# times that of grey.
LEVELS, BETTER = 30, 3.0


def grey_of_colours(image: Image.Image) -> np.ndarray:
    """A picture of Pillow as grey (H, W) uint8.

    It is the brightness (luma), or, where this has almost no contrast but the colours have, the
    projection of the colours on the line along which ink and paper differ most (the first principal
    component of the differences to the surroundings).
    """
    grey = np.array(image.convert("L"))
    if image.mode in ("1", "L", "LA", "La"):
        return grey
    colours = np.asarray(image.convert("RGB"))
    scale = min(1.0, SIDE / max(grey.shape))
    size = [max(1, round(side * scale)) for side in grey.shape[::-1]]
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if np.quantile(np.ptp(small, axis=2), 0.9) < COLOURED:
        return grey
    axis = _ink_axis(small - cv2.GaussianBlur(small, (0, 0), NEAR))
    if axis is None:
        return grey
    projected = colours.astype(np.float32) @ axis
    low, middle, high = np.quantile(projected[::4, ::4], [0.002, 0.5, 0.998])
    if high - middle > middle - low:  # most of a page is paper, and paper is to be light
        projected, low, high = -projected, -high, -low
    return np.clip((projected - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)


def _ink_axis(differences: np.ndarray) -> np.ndarray | None:
    """The direction (3,) in which ink and paper differ; None where brightness does as well.

    differences: (h, w, 3), of each pixel to its surroundings.
    """
    flat = differences.reshape(-1, 3)
    axis = np.linalg.eigh(flat.T @ flat)[1][:, -1].astype(np.float32)
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    colour, grey = (float(np.quantile(np.abs(flat @ a), 0.99)) for a in (axis, luma))
    return axis if colour > max(LEVELS, BETTER * grey) else None
