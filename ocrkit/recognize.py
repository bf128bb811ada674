"""From line crops to text: batched by width, decoded, and put back in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from ocrkit.alphabet import Alphabet
from ocrkit.backends import FILES, Backend, load_backend, load_file
from ocrkit.ctc import Character, Decoded, beam, greedy, log_softmax
from ocrkit.image import Preprocessing, closer, fit, fitted_width, tighten
from ocrkit.language import shipped
from ocrkit.model import CRNN, fastest_weights, weights_path

# Where the network sees less than this, a language model would make up words that are not there.
TOO_UNSURE = 0.5
# A line that leaves more doubt is looked at again, as `closer` draws it: without this share of its
# rows above and below, and so many times as wide. What then is still in doubt, language decides.
DOUBT = 0.05
CLOSER = 0.06, 1.25
# Signs that nothing but what is beside them tells apart; and the share of their chances from which
# on one that stands alone is a nought.
NOUGHTS, NOUGHT = ("0", "O", "o"), 0.1
WORD_GAP = 1.35  # times the usual gap of letters set apart is a gap between words
DECODERS = ("greedy", "beam", "language")


@dataclass(frozen=True)
class WordReading:
    """A word of a line; `start` and `end` are its sides, as shares (0..1) of the crop's width."""

    text: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class Reading:
    """What a line says; confidences are from 0 to 1, and 0 for a line without text."""

    text: str
    confidence: float
    words: tuple[WordReading, ...] = ()


NOTHING = Reading("", 0.0)


@dataclass(frozen=True)
class Recognizer:
    """Reads line crops with any backend.

    batch_size: lines in one call of the backend. decoder: "greedy" takes what the network saw most
    clearly at each step; "beam" the likeliest text; "language" looks closer at lines that the first
    look leaves in doubt, and what is then still in doubt it reads as the likeliest text, minding
    how likely that is in itself; a round sign alone on its line is a nought. Words that are
    l e t t e r s p a c e d are closed up.
    """

    backend: Backend
    alphabet: Alphabet
    preprocessing: Preprocessing = Preprocessing()
    batch_size: int = 16
    decoder: str = "greedy"

    def __post_init__(self) -> None:
        if self.decoder not in DECODERS:
            raise ValueError(f"decoder is {self.decoder!r}; choose one of {', '.join(DECODERS)}")

    @classmethod
    def load(
        cls,
        name_or_path: str | Path | None = None,
        backend: str | None = None,
        precision: str = "float32",
        decoder: str = "language",
    ) -> Recognizer:
        """A recogniser from a checkpoint: a path, or the name of weights the kit comes with.

        Without either, "ocrkit-fast-int8" where OpenVINO is installed and no other backend is asked
        for, as it errs no more and is faster; else "ocrkit-fast".
        backend: as `load_backend` has them for a checkpoint, where None takes "pytorch", and as
        `load_file` has them for a model that `quantize` wrote.

        Raises CheckpointError for a checkpoint that is not there or does not fit.
        """
        if name_or_path is None:
            name_or_path = "ocrkit-fast" if backend else fastest_weights("ocrkit-fast")
        path = weights_path(name_or_path)
        if path.suffix in FILES:
            run, alphabet, preprocessing = load_file(path, backend, precision)
        else:
            model = CRNN.load(path)
            run = load_backend(backend or "pytorch", model, precision)
            alphabet, preprocessing = model.alphabet, model.preprocessing
        return cls(run, alphabet, preprocessing, decoder=decoder)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        """Read grey crops (H, W) uint8, of any sizes; the readings are in the crops' order.

        A crop of less than 2 pixels on a side is answered with an empty reading.
        """
        readings = [NOTHING] * len(crops)
        readable = [i for i, crop in enumerate(crops) if min(crop.shape) > 1]
        tight = {i: tighten(crops[i]) if self.preprocessing.trim else crops[i] for i in readable}
        for index, logits in self._looks(tight):
            readings[index] = _reading(self._decode(logits), len(logits))
        return readings

    def _looks(self, tight: Mapping[int, np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """As `_outputs`; a line left in doubt is looked at again, closer: the surer look counts."""
        unsure: dict[int, tuple[float, np.ndarray]] = {}
        for index, logits in self._outputs(tight):
            if self.decoder != "language" or (doubt := _doubt(logits)) <= DOUBT:
                yield index, logits
            else:
                unsure[index] = doubt, logits
        for index, logits in self._outputs({i: closer(tight[i], *CLOSER) for i in unsure}):
            yield index, min(unsure[index], (_doubt(logits), logits), key=itemgetter(0))[1]

    def _outputs(self, tight: Mapping[int, np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """The index of each tightened crop, and the network's outputs (T, C) for it."""
        prep = replace(self.preprocessing, trim=False)
        widths = {i: fitted_width(crop, prep) for i, crop in tight.items()}
        for indices in self._batches(widths):
            logits = self.backend(np.stack([fit(tight[i], prep) for i in indices]))
            for n, index in enumerate(indices):
                content, padded = widths[index]
                steps = -(-len(logits) * content // padded)  # what lies beyond is padding
                yield index, logits[:steps, n]

    def _batches(self, widths: Mapping[int, tuple[int, int]]) -> Iterator[list[int]]:
        """Indices of crops of one padded width: so a crop is read alike alone and in company."""
        by_width: dict[int, list[int]] = {}
        for i, (_, padded) in widths.items():
            by_width.setdefault(padded, []).append(i)
        for _, indices in sorted(by_width.items()):
            for start in range(0, len(indices), self.batch_size):
                yield indices[start : start + self.batch_size]

    def _decode(self, logits: np.ndarray) -> Decoded:
        if self.decoder == "beam":
            return beam(log_softmax(logits), self.alphabet)
        best = greedy(logits, self.alphabet)
        if self.decoder == "language" and best.text in NOUGHTS:
            return _nought(best, logits, self.alphabet)
        if self.decoder == "greedy" or best.confidence < TOO_UNSURE or _doubt(logits) <= DOUBT:
            return best
        return beam(log_softmax(logits), self.alphabet, language=shipped().log_chance)


def _nought(best: Decoded, logits: np.ndarray, alphabet: Alphabet) -> Decoded:
    """A line of one round sign, from outputs (T, C): a nought, unless it hardly looks like one.

    What stands alone is a figure in a column far more often than a letter. As sure as that it is
    any of the round signs.
    """
    (sign,) = best.characters
    known = [c for c in NOUGHTS if c in alphabet.characters]
    ids = [alphabet.encode(c)[0] for c in known]
    shares = np.exp(log_softmax(logits)[sign.start : sign.end, ids]).max(axis=0).tolist()
    chance = dict(zip(known, shares, strict=True)).get("0", 0.0)
    if chance < NOUGHT * sum(shares):
        return best
    sure = min(1.0, sum(shares))
    return Decoded("0", sure, (replace(sign, char="0", confidence=sure),))


def _doubt(logits: np.ndarray) -> float:
    """Of outputs (T, C): -log of the chance of their likeliest path, a character."""
    path = logits.argmax(axis=-1)
    characters = int(np.count_nonzero(path[np.diff(path, prepend=-1) != 0]))
    return -float(log_softmax(logits).max(axis=-1).sum()) / max(1, characters)


def _reading(decoded: Decoded, steps: int) -> Reading:
    """Text and words of a decoded line of so many time steps; spaces part the words."""
    characters = without_letterspacing(decoded.characters)
    centres = [_centre(c) for c in characters]
    # CTC marks a character with a spike somewhere inside it; its width has to be guessed.
    pitch = float(np.median(np.diff(centres))) if len(centres) > 1 else steps / 2
    words: list[WordReading] = []
    for first, end in _words(characters):
        # No further than the space before and the space after.
        start = max(centres[first - 1] if first else 0.0, centres[first] - pitch / 2)
        limit = centres[end] if end < len(characters) else float(steps)
        stop = min(limit, centres[end - 1] + pitch / 2)
        words.append(_word(characters[first:end], start / steps, stop / steps))
    text = " ".join(word.text for word in words)
    return Reading(text, decoded.confidence if words else 0.0, tuple(words))


def without_letterspacing(characters: Sequence[Character]) -> tuple[Character, ...]:
    """A line's characters, words that are set with a space after each letter closed up.

    S U C H words are known by four letters in a row that stand alone, and rows . . . . of a mark by
    four of it. A gap that is clearly wider than the others is a space between two of them.
    """
    spaces: list[int] = []  # those within words
    runs = groupby(_words(characters), key=lambda word: _apart(characters[slice(*word)]))
    for run in (list(words) for kind, words in runs if kind):
        if sum(end - first == 1 for first, end in run) >= 4:
            at = [end for _, end in run[:-1]]
            gaps = [_centre(characters[i + 1]) - _centre(characters[i - 1]) for i in at]
            usual = float(np.median(gaps))
            if at[0] == 1 and characters[0].start == 0:  # a spike at the edge may be half a gap off
                gaps[0] -= usual / 2
            spaces += [i for i, gap in zip(at, gaps, strict=True) if gap < WORD_GAP * usual]
    return tuple(c for i, c in enumerate(characters) if i not in spaces)


def _apart(word: Sequence[Character]) -> str:
    """The kind of run that a word may belong to: "letters", its mark if it is nothing else, or "".

    A letter stands alone, or as in L'O U E S T with an apostrophe or another mark beside it.
    """
    text = "".join(c.char for c in word)
    letters = re.sub(r"\W", "", text)
    if letters.isalpha() and len(text) <= 3 and len(letters) <= 1 + bool({*text} & {*"'’"}):
        return "letters"
    return text[0] if len({*text}) == 1 and not text[0].isalnum() else ""


def _words(characters: Sequence[Character]) -> Iterator[tuple[int, int]]:
    """The first character of each word and the first after it; spaces part them."""
    ends = [i for i, c in enumerate(characters) if c.char == " "] + [len(characters)]
    for first, end in zip([0, *(i + 1 for i in ends)], ends, strict=False):
        if end > first:
            yield first, end


def _centre(character: Character) -> float:
    return (character.start + character.end) / 2


def _word(characters: Sequence[Character], start: float, end: float) -> WordReading:
    confidence = sum(c.confidence for c in characters) / len(characters)
    return WordReading("".join(c.char for c in characters), confidence, start, end)
