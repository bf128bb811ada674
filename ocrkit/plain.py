"""Makes foreign texts, such as file names, safe to show on one line."""

from __future__ import annotations

import unicodedata

# Line and paragraph separators, control characters, and marks that turn the direction of writing.
_UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: object) -> str:
    r"""The text with backslash escapes for what would end a line or change the screen: "a\nb.png".

    A file name may hold a newline, a tab, a terminal's control codes, or bytes that are not UTF-8
    (which Python keeps as lone surrogates).
    """
    return "".join(_escaped(c) if _is_unshown(c) else c for c in str(text))


def _is_unshown(character: str) -> bool:
    return unicodedata.category(character) in _UNSHOWN or character in _TURNING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()
