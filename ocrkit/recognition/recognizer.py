"""From line crops to text: batched by width, decoded, and put back in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import numpy as np

from ocrkit.image import Preprocessing, fit, fitted_width, magnified, tighten
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import FILES, load_backend, load_file
from ocrkit.recognition.ctc import Decoded, beam, greedy, log_softmax
from ocrkit.recognition.language import default_language_model
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.noughts import NOUGHTS, lone_nought
from ocrkit.recognition.reading import NOTHING, Reading, reading_of
from ocrkit.runtime.pytorch import Backend
from ocrkit.runtime.weights import fastest_weights, weights_path

# Where the network sees less than this, a language model would make up words that are not there.
TOO_UNSURE = 0.5
# A line that leaves more doubt is looked at again, as `magnified` draws it: without this share of its
# rows above and below, and so many times as wide. What then is still in doubt, language decides.
DOUBT = 0.05
CLOSER = 0.06, 1.25
DECODERS = ("greedy", "beam", "language")


@dataclass(frozen=True)
class Recognizer:
    """Reads line crops with any backend.

    batch_size: lines in one call of the backend. decoder: "greedy" takes what the network saw most
    clearly at each step; "beam" the likeliest text; "language" looks magnified at lines that the first
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
            readings[index] = reading_of(self._decode(logits), len(logits))
        return readings

    def _looks(self, tight: Mapping[int, np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """As `_outputs`; a line left in doubt is looked at again, magnified: the surer look counts."""
        unsure: dict[int, tuple[float, np.ndarray]] = {}
        for index, logits in self._outputs(tight):
            if self.decoder != "language" or (doubt := uncertainty(logits)) <= DOUBT:
                yield index, logits
            else:
                unsure[index] = doubt, logits
        for index, logits in self._outputs({i: magnified(tight[i], *CLOSER) for i in unsure}):
            yield index, min(unsure[index], (uncertainty(logits), logits), key=itemgetter(0))[1]

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
            return lone_nought(best, logits, self.alphabet)
        if self.decoder == "greedy" or best.confidence < TOO_UNSURE or uncertainty(logits) <= DOUBT:
            return best
        return beam(
            log_softmax(logits), self.alphabet, language=default_language_model().log_probability
        )


def uncertainty(logits: np.ndarray) -> float:
    """Of outputs (T, C): -log of the chance of their likeliest path, a character."""
    path = logits.argmax(axis=-1)
    characters = int(np.count_nonzero(path[np.diff(path, prepend=-1) != 0]))
    return -float(log_softmax(logits).max(axis=-1).sum()) / max(1, characters)
