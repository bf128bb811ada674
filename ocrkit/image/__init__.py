"""Images: the only place where pixels become arrays.

`loading` reads files into pages, `crops` cuts lines out of pages, and `strips` prepares lines and
pages as input for the networks.
"""

from ocrkit.image.crops import (
    INITIAL_HEIGHT,
    crop_polygon,
    parts_of,
    points_along,
    scaled,
    with_initial,
)
from ocrkit.image.loading import IMAGE_SUFFIXES, MAX_PIXELS, find_images, load_pages
from ocrkit.image.strips import (
    Preprocessing,
    fit,
    fitted_width,
    histogram,
    magnified,
    page_ink,
    tighten,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "INITIAL_HEIGHT",
    "MAX_PIXELS",
    "Preprocessing",
    "crop_polygon",
    "find_images",
    "fit",
    "fitted_width",
    "histogram",
    "load_pages",
    "magnified",
    "page_ink",
    "parts_of",
    "points_along",
    "scaled",
    "tighten",
    "with_initial",
]
