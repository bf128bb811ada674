"""Leaders: the rows of dots between an entry and its page number or price."""

from __future__ import annotations

import re
from dataclasses import replace

from ocrkit.recognition.reading import Reading, WordReading

_LEADER = re.compile(r"[.·…]([ .·…]*[.·…]){5,}")


def with_short_leader(reading: Reading, leads: bool) -> Reading:
    """The reading with at most three dots in a row; `leads` adds those that were cut off."""
    text = _LEADER.sub(" ... ", reading.text) + (" ..." if leads and reading.text else "")
    if text == reading.text:
        return reading
    words: list[WordReading] = []
    for word in reading.words:
        dots = not word.text.strip(".·…")
        parts = [word.text] if dots else _LEADER.sub(" ... ", word.text).split()
        step = (word.end - word.start) / len(parts)
        for i, part in enumerate(parts):
            if dots and words and not words[-1].text.strip(".·…"):
                words[-1] = replace(words[-1], text="...", end=word.end)
            else:
                start = word.start + i * step
                words.append(WordReading(part, word.confidence, start, start + step))
    words = [replace(w, text=_LEADER.sub("...", w.text)) for w in words]
    if leads and words and words[-1].text != "...":
        words.append(WordReading("...", words[-1].confidence, 1.0, 1.0))
    return Reading(" ".join(word.text for word in words), reading.confidence, tuple(words))


def without_first_dots(reading: Reading) -> Reading:
    """The reading without the end of a leader before its text."""
    words = reading.words
    first = next((i for i, word in enumerate(words) if word.text.strip(".·…")), 0)
    if not first or sum(len(word.text) for word in words[:first]) < 2:
        return reading
    return replace(reading, text=" ".join(word.text for word in words[first:]), words=words[first:])
