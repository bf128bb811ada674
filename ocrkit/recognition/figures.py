"""Columns of numbers: the letters in them that are figures. In old type a 1 looks like an I."""

from __future__ import annotations

import re
from collections.abc import Sequence

COLUMN, SHARE = 4, 0.5  # a column has so many texts, and so many of them are numbers
_NUMBER = re.compile(r"[^\w]*\d[\d\W]*")
_MISREAD = re.compile(r"[^\w]*[\dIlOo][\dIlOo\W]*")
_ROMAN = re.compile(r"[IVXLC]*[VXLC][IVXLC]*\.?")
_FIGURES = str.maketrans("IlOo", "1100")


def with_figures(texts: Sequence[str]) -> list[str]:
    """The texts of a column below each other, with figures for I, l, O and o among numbers.

    A column that also has Roman numbers, such as IV, stays as it is.
    """
    numbers = sum(bool(_NUMBER.fullmatch(text)) for text in texts)
    if len(texts) < COLUMN or numbers < SHARE * len(texts):
        return list(texts)
    if any(map(_ROMAN.fullmatch, texts)):
        return list(texts)
    return [t.translate(_FIGURES) if _MISREAD.fullmatch(t) else t for t in texts]
