"""A character language model: how probable a character is after the ones before it.

A beam search combines it with the network's probabilities (see `ctc.beam`): of two texts that look
alike the one wins that is more like words, amounts, dates and codes. The model knows no sentences,
only how characters follow one another. `ocrkit.training.language_counts` counts the kit's own.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ocrkit.errors import CheckpointError

START = "\n"  # stands before the first character of a line
_LAST = "\U0010ffff"  # sorts after every other character
_CACHED = 50_000  # contexts whose probabilities are kept for the next time

# The shares of the characters that were seen after a context, the share that is left for what is
# expected after the context without its first character, and what that is.
_After = tuple[dict[str, float], float, Any]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """Probabilities of the next character, from the n - 1 characters before it.

    An n-gram model with the interpolation of Witten and Bell ("The zero-frequency problem", IEEE
    Trans. Information Theory, 1991). grams: for each n from 1 up, all texts of n characters that
    were seen, sorted. times: how often each was seen, (len(grams[n - 1]),) int.
    """

    grams: tuple[list[str], ...]
    times: tuple[np.ndarray, ...]
    _known: dict[str, _After] = field(default_factory=dict, repr=False)

    @classmethod
    def count(cls, texts: Iterable[str], order: int = 5, at_least: int = 3) -> LanguageModel:
        """The model of some lines of text.

        order: the largest n. at_least: n-grams of more than three characters are kept if they were
        seen at least so often.
        """
        counts: list[Counter[str]] = [Counter() for _ in range(order)]
        for text in texts:
            counts[0].update(text)
            text = START + text
            for n in range(2, order + 1):
                counts[n - 1].update(text[i : i + n] for i in range(len(text) - n + 1))
        tables = [
            sorted((gram, seen) for gram, seen in table.items() if n <= 3 or seen >= at_least)
            for n, table in enumerate(counts, start=1)
        ]
        grams = tuple([gram for gram, _ in table] for table in tables)
        return cls(grams, tuple(np.array([seen for _, seen in table], int) for table in tables))

    @property
    def context(self) -> int:
        """How many characters before the next one it looks at."""
        return len(self.grams) - 1

    def log_probability(self, before: str, character: str) -> float:
        """Natural logarithm of the probability of `character` after `before`, the line so far."""
        known = len(before) >= self.context
        after = self._after(before[len(before) - self.context :] if known else START + before)
        probability, weight = 0.0, 1.0
        while after:
            shares, rest, after = after
            probability += weight * shares.get(character, 0.0)
            weight *= rest
        return math.log(probability + weight / (len(self.grams[0]) + 1))

    def text_log_probability(self, text: str) -> float:
        """Natural logarithm of the probability of a line that begins with `text`."""
        return sum(self.log_probability(text[:i], char) for i, char in enumerate(text))

    def _after(self, context: str) -> _After:
        """What was seen after a context: see `_After`."""
        known = self._known.get(context)
        if known is not None:
            return known
        if len(self._known) >= _CACHED:
            self._known.clear()
        grams = self.grams[len(context)]
        # The n-grams that begin with the context lie side by side.
        first, last = bisect_left(grams, context), bisect_left(grams, context + _LAST)
        shorter = self._after(context[1:]) if context else None
        if shorter and first == last:
            found = shorter
        else:
            seen, kinds = self.times[len(context)][first:last].tolist(), last - first
            total = sum(seen) + kinds
            shares = {g[-1]: n / total for g, n in zip(grams[first:last], seen, strict=True)}
            found = shares, kinds / total, shorter
        self._known[context] = found
        return found

    def save(self, path: str | Path) -> None:
        """Write the model to an .npz file."""
        tables = {f"grams{n}": np.array(table) for n, table in enumerate(self.grams, start=1)}
        tables |= {f"times{n}": t.astype(np.uint32) for n, t in enumerate(self.times, start=1)}
        np.savez_compressed(path, allow_pickle=False, **tables)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """The model of an .npz file; raises CheckpointError if it is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as file:
                orders = range(1, len(file.files) // 2 + 1)
                grams = tuple(file[f"grams{n}"].tolist() for n in orders)
                times = tuple(file[f"times{n}"].astype(int) for n in orders)
        except (OSError, EOFError, BadZipFile, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a language model ({error}); "
                "`python -m ocrkit.training.language_counts` makes one"
            ) from error
        return cls(grams, times)


DEFAULT_LANGUAGE_MODEL = Path(__file__).parents[1] / "weights" / "ocrkit-language.npz"


@cache
def default_language_model() -> LanguageModel:
    """The kit's own model, loaded once."""
    return LanguageModel.load(DEFAULT_LANGUAGE_MODEL)
