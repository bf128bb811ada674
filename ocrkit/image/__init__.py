"""Images: the only place where pixels become arrays.

`loading` reads files into pages, `finding` finds them in folders, `crops` cuts lines out of pages,
and `strips` prepares lines and pages as input for the networks.
"""

from ocrkit.image.crops import (
    INITIAL_HEIGHT,
    crop_polygon,
    magnified,
    moved,
    parts_of,
    points_along,
    scaled,
    slanted,
    with_initial,
)
from ocrkit.image.finding import Found, find_images, search_folders
from ocrkit.image.grey import grey
from ocrkit.image.kinds import IMAGE_SUFFIXES, KINDS, is_pdf
from ocrkit.image.loading import count_pages, load_pages, load_scans, open_image
from ocrkit.image.pdf import page_matrix, pdf_texts
from ocrkit.image.pictures import frames, orientation, pictures, resolution
from ocrkit.image.scan import (
    ASSUMED_DPI,
    MAX_PIXELS,
    PAGES_WITH_TEXT,
    PagesWithText,
    Scan,
    check_size,
)
from ocrkit.image.strips import (
    Preprocessing,
    fit,
    fitted_width,
    histogram,
    page_ink,
    tighten,
    without_blank_rows,
)

__all__ = [
    "ASSUMED_DPI",
    "Found",
    "IMAGE_SUFFIXES",
    "INITIAL_HEIGHT",
    "KINDS",
    "MAX_PIXELS",
    "PAGES_WITH_TEXT",
    "PagesWithText",
    "Preprocessing",
    "Scan",
    "check_size",
    "count_pages",
    "crop_polygon",
    "find_images",
    "fit",
    "fitted_width",
    "frames",
    "grey",
    "histogram",
    "is_pdf",
    "load_pages",
    "load_scans",
    "magnified",
    "moved",
    "open_image",
    "orientation",
    "page_ink",
    "page_matrix",
    "parts_of",
    "pdf_texts",
    "pictures",
    "points_along",
    "resolution",
    "scaled",
    "search_folders",
    "slanted",
    "tighten",
    "without_blank_rows",
    "with_initial",
]
