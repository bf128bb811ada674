"""Pixels of every kind to grey (H, W) uint8; 255 is white."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageCms

from ocrkit.image.colour import grey_of_colours

_TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 262, 0
# Ink that leaves less than this share of its contrast on white paper is light ink; see `_on_paper`.
_LIGHT_INK = 0.25


def grey(image: Image.Image) -> np.ndarray:
    """The pixels of a loaded image as grey (H, W) uint8.

    A colour profile is applied first. Transparent parts become white; light ink on a transparent
    page becomes dark. Pixels of 16 bits are scaled by the depth that is used (10, 12, 14 or 16
    bits), those of 32 bits from the darkest to the lightest.
    """
    if image.mode.startswith("I;16"):
        # Pillow inverts such an image if it has 8 bits, but not if it has 16.
        tags = getattr(image, "tag_v2", {})
        return _of_16_bits(
            np.asarray(image, np.uint32), tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO
        )
    if image.mode == "I" and image.format in ("PNG", "PPM"):  # 16 bits, held in 32
        return _of_16_bits(np.asarray(image, np.uint32), False)
    if image.mode in ("I", "F"):  # 32 bits have no agreed white, so the extremes are stretched
        deep = np.nan_to_num(np.asarray(image, np.float32))
        deep = (deep - deep.min()) / max(float(np.ptp(deep)), 1e-12)
        return np.rint(deep * 255).astype(np.uint8)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return _on_paper(np.asarray(_in_srgb(rgba).convert("L")), np.asarray(rgba.getchannel("A")))
    if image.mode == "LAB":
        return np.array(image.getchannel("L"))
    return grey_of_colours(_in_srgb(image))


def _of_16_bits(deep: np.ndarray, white_is_zero: bool) -> np.ndarray:
    """Scanners of 10 to 14 bits write their values into 16 bits as they are."""
    white = (1 << max(8, int(deep.max(initial=0)).bit_length())) - 1
    values = ((deep * 255 + white // 2) // white).astype(np.uint8)
    return 255 - values if white_is_zero else values


def _on_paper(ink: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Grey pixels (H, W) with an alpha channel, laid over white paper.

    Light ink on a transparent page would vanish there; it is laid over black, and inverted.
    """
    on_white = 255 - cv2.multiply(255 - ink, alpha, scale=1 / 255)
    on_black = cv2.multiply(ink, alpha, scale=1 / 255)
    if on_white.std() < _LIGHT_INK * on_black.std():
        return 255 - on_black
    return on_white


def _in_srgb(image: Image.Image) -> Image.Image:
    """The image with its colour profile (ICC) converted to sRGB; as it is without a valid one."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).lower():
            return image
        colours = own.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[colours]
        source = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.profileToProfile(
            source, own, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return converted or image
    return image
