"""How likely a text is: a language model of characters, counted over what the generator writes.

A beam search weighs what the network saw with it (see `ctc.beam`): of two readings that look alike
the one wins that is more like words, amounts, dates and codes. It knows no sentences, only how
characters follow one another.

    python -m ocrkit.language              counts it anew, which takes a minute
    python -m ocrkit.language lines.tsv    counts the texts of a manifest, too, each several times
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, chain
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.random import default_rng

from ocrkit.alphabet import normalized
from ocrkit.errors import CheckpointError
from ocrkit.progress import progress
from ocrkit.synth.text import line

START = "\n"  # stands before the first character of a line
_AFTER_ALL = "\U0010ffff"
_REMEMBERED = 500_000  # chances kept for the next time, some 50 MB of them
# Single words of the reference data set, and what is drawn for practice, are no language.
_NOT_LANGUAGE = ("reference", "rows", "rare")


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """Chances of the next character, from the n - 1 before it.

    An n-gram model with the interpolation of Witten and Bell ("The zero-frequency problem", IEEE
    Trans. Information Theory, 1991). grams: for each n from 1 up, all texts of n characters that
    were seen, sorted. ends: beside each, the times that it and those before it were seen.
    """

    grams: tuple[list[str], ...]
    ends: tuple[list[int], ...]
    _known: dict[str, float] = field(default_factory=dict, repr=False)

    @classmethod
    def count(cls, texts: Iterable[str], order: int = 5, at_least: int = 3) -> LanguageModel:
        """The model of some lines of text.

        order: the largest n. at_least: those of more than three characters count from so many on.
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
        return cls(grams, tuple(list(accumulate(seen for _, seen in table)) for table in tables))

    def log_chance(self, before: str, character: str) -> float:
        """Natural logarithm of the chance of `character` after `before`, the line's beginning."""
        gram = (START + before)[1 - len(self.grams) :] + character
        if gram not in self._known:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            self._known[gram] = math.log(self._chance(gram))
        return self._known[gram]

    def _chance(self, gram: str) -> float:
        context = gram[:-1]
        grams, ends = self.grams[len(context)], self.ends[len(context)]
        shorter = self._chance(gram[1:]) if context else 1 / (len(grams) + 1)
        # Those that begin with the context lie side by side.
        first, last = bisect_left(grams, context), bisect_left(grams, context + _AFTER_ALL)
        if first == last:
            return shorter
        at = bisect_left(grams, gram, first, last)
        times = ends[at] - (ends[at - 1] if at else 0) if grams[at : at + 1] == [gram] else 0
        total, kinds = ends[last - 1] - (ends[first - 1] if first else 0), last - first
        return (times + kinds * shorter) / (total + kinds)

    def save(self, path: str | Path) -> None:
        """Write the model to an .npz file."""
        tables = {f"grams{n}": np.array(table) for n, table in enumerate(self.grams, start=1)}
        # How often each was seen: small numbers, which pack better than their sums.
        for n, ends in enumerate(self.ends, start=1):
            tables[f"times{n}"] = np.diff(ends, prepend=0).astype(np.uint32)
        np.savez_compressed(path, allow_pickle=False, **tables)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """The model of an .npz file; raises CheckpointError where there is none."""
        try:
            with np.load(path, allow_pickle=False) as file:
                orders = range(1, len(file.files) // 2 + 1)
                grams = tuple(file[f"grams{n}"].tolist() for n in orders)
                ends = tuple(np.cumsum(file[f"times{n}"]).tolist() for n in orders)
        except (OSError, EOFError, BadZipFile, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a language model ({error}); `python -m ocrkit.language` makes one"
            ) from error
        return cls(grams, ends)


_SHIPPED = Path(__file__).parent / "weights" / "ocrkit-language.npz"


@cache
def shipped() -> LanguageModel:
    """The model that the kit comes with, loaded once."""
    return LanguageModel.load(_SHIPPED)


def generated(lines: int, seed: int = 77) -> Iterable[str]:
    """So many lines of the generator, without those that are no language."""
    for i in progress(range(lines), "writing", unit="lines"):
        style, text = line(default_rng((seed, i)))
        if style not in _NOT_LANGUAGE:
            yield text


def transcribed(manifests: Iterable[str | Path], times: int = 4) -> Iterable[str]:
    """The texts of manifests, normalised, each so many times: real language weighs more."""
    for path in manifests:
        for row in Path(path).read_text(encoding="utf-8").splitlines():
            yield from [normalized(row.rpartition("\t")[2])] * times


def main(path: str | Path = _SHIPPED) -> None:
    """Counts the model that the kit comes with."""
    LanguageModel.count(chain(generated(200_000), transcribed(sys.argv[1:]))).save(path)


if __name__ == "__main__":
    main()
