"""Images: the only place where pixels become arrays.

`loading` reads files into pages, `crops` cuts lines out of pages, and `strips` makes the input of
the networks from both.
"""

from ocrkit.image.crops import along, crop_polygon, scaled
from ocrkit.image.loading import IMAGE_SUFFIXES, MAX_PIXELS, find_images, load_pages
from ocrkit.image.strips import (
    Preprocessing,
    fit,
    fitted_width,
    magnified,
    page_ink,
    tighten,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Preprocessing",
    "along",
    "crop_polygon",
    "find_images",
    "fit",
    "fitted_width",
    "load_pages",
    "magnified",
    "page_ink",
    "scaled",
    "tighten",
]
