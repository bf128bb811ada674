"""Columns of numbers: the letters in them that are figures. In old type a 1 looks like an I."""

from __future__ import annotations

import re
from collections.abc import Sequence

COLUMN, SHARE = 4, 0.5  # a column has so many texts, and so many of them are numbers
_NUMBER = re.compile(r"[^\w]*\d[\d\W]*")
_MISREAD = re.compile(r"(?=.*\d)[\dIlOo\W]+|[IlOo]")
_ROMAN = re.compile(r"([IVXLC]*[VXLC][IVXLC]*|III?)\.?")
# Letters that are figures; but "1o" is an ordinal, "5 l." are pounds, and "5 o/o" is a share.
_LETTER = re.compile(r"[IO]|(?<![\d./\s])[lo]|[lo](?!\W*$|/)")
_FIGURES = str.maketrans("IlOo", "1100")


def with_figures(texts: Sequence[str]) -> list[str]:
    """The texts of a column below each other, with figures for I, l, O and o among numbers.

    Its first text, which may be a heading, stays as it is. So does a column that also has Roman
    numbers, such as IV or II.
    """
    numbers = sum(bool(_NUMBER.fullmatch(text)) for text in texts)
    if len(texts) < COLUMN or numbers < SHARE * len(texts):
        return list(texts)
    if any(map(_ROMAN.fullmatch, texts)):
        return list(texts)
    first, *others = texts
    return [first, *(_corrected(t) if _MISREAD.fullmatch(t) else t for t in others)]


def _corrected(text: str) -> str:
    return _LETTER.sub(lambda letter: letter[0].translate(_FIGURES), text)
