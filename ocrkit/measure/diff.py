"""The differences between a text and what was read, as HTML."""

from __future__ import annotations

import html
from difflib import SequenceMatcher

# Of words in a diff; both colours of each, or a dark theme would put its own light letters on a
# light ground.
_MISSED = "color:#7a1f00;background:#ffe3d3;text-decoration:line-through"
_FALSE = "color:#00337a;background:#dce9ff;text-decoration:underline"


def diff(truth: str, reading: str, context: int = 4) -> str:
    """HTML of what a reading got wrong, word by word: missed words struck out, false underlined.

    Of the words that are right, `context` are shown on each side of an error.
    """
    true, read = truth.split(), reading.split()
    steps = SequenceMatcher(None, true, read, autojunk=False).get_opcodes()
    parts: list[str] = []
    for n, (kind, i, j, k, m) in enumerate(steps):
        if kind == "equal":
            right, before, after = true[i:j], context * (n > 0), context * (n + 1 < len(steps))
            if len(right) > before + after:
                right[before : len(right) - after] = ["…"]
            parts.append(html.escape(" ".join(right)))
            continue
        for tag, words, style in (("del", true[i:j], _MISSED), ("ins", read[k:m], _FALSE)):
            if words:
                parts.append(f"<{tag} style='{style}'>{html.escape(' '.join(words))}</{tag}>")
    return f"<p style='line-height:1.7'>{' '.join(parts)}</p>"
