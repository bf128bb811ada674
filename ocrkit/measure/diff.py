"""The differences between a true text and a reading, as HTML."""

from __future__ import annotations

import html
from difflib import SequenceMatcher

# Styles of words in a diff. Both text and background colour are set: in a dark theme the text would
# otherwise be light on a light background.
_MISSED = "color:#7a1f00;background:#ffe3d3;text-decoration:line-through"
_FALSE = "color:#00337a;background:#dce9ff;text-decoration:underline"


def diff(truth: str, reading: str, context: int = 4) -> str:
    """HTML of the errors of a reading, word by word: missed words struck out, false underlined.

    context: how many correct words are shown on each side of an error.
    """
    true_words, read_words = truth.split(), reading.split()
    steps = SequenceMatcher(None, true_words, read_words, autojunk=False).get_opcodes()
    parts: list[str] = []
    for n, (kind, i, j, k, m) in enumerate(steps):
        if kind == "equal":
            same, before, after = true_words[i:j], context * (n > 0), context * (n + 1 < len(steps))
            if len(same) > before + after:
                same[before : len(same) - after] = ["…"]
            parts.append(html.escape(" ".join(same)))
            continue
        for tag, words, style in (
            ("del", true_words[i:j], _MISSED),
            ("ins", read_words[k:m], _FALSE),
        ):
            if words:
                parts.append(f"<{tag} style='{style}'>{html.escape(' '.join(words))}</{tag}>")
    return f"<p style='line-height:1.7'>{' '.join(parts)}</p>"
