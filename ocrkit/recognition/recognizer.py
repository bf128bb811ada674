"""From line crops to text: batched by width, run through the network, decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocrkit.image import Preprocessing, fit, fitted_width, tighten
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import FILES, load_backend, load_file
from ocrkit.recognition.ctc import (
    LANGUAGE_WEIGHT,
    Decoded,
    beam,
    log_softmax,
    most_probable,
    uncertainty,
)
from ocrkit.recognition.dollars import with_dollars
from ocrkit.recognition.joint import best_of
from ocrkit.recognition.language import default_language_model
from ocrkit.recognition.reading import EMPTY, Reading, reading_of
from ocrkit.recognition.variants import ALONE, ROUNDS, UNCERTAIN, Round
from ocrkit.recognition.zeros import ROUND_CHARACTERS, single_zero
from ocrkit.runtime import Backend, run_batches
from ocrkit.runtime.weights import default_weights, weights_path

if TYPE_CHECKING:  # imported in the functions that need torch
    from ocrkit.recognition.metadata import ReaderMetadata
    from ocrkit.recognition.network import CRNN

# Below this confidence a language model would invent words that are not on the page.
MIN_CONFIDENCE = 0.5
KEPT = 512  # lines whose outputs are in memory at a time, some hundred kB for each reading
PAGE_LINES = 150  # more lines than most pages have
PART_SIZES = (1, 2, 3, 4, 6, 8, 12)  # lines in a batch that is not full
DECODERS = ("greedy", "beam", "language")


@dataclass(frozen=True, eq=False)
class Output:
    """What the network gives for a line: log-probabilities (T, C), and how uncertain they are."""

    log_probs: np.ndarray
    uncertainty: float


@dataclass(frozen=True)
class Recognizer:
    """Reads line crops with any backend; one object may be used by several threads at once.

    backend: the network, (N, 1, H, W) float32 -> logits (T, N, C) float32.
    batch_size: lines in one call of the backend.
    decoder: "greedy" takes the most probable class at each time step. "beam" finds the most
        probable text. "language" reads uncertain lines again, in other sizes and slants (see
        `variants.ROUNDS`); lines that are still uncertain are decoded by beam search with a
        character language model, and the text is taken that all readings together support; a line
        that is a single O, o or 0 is read as a zero, and an S before an amount may be a dollar.
    language_weight: of the language model beside the network, see `beam`.
    rounds: when the "language" decoder reads lines again.

    With every decoder, the spaces inside l e t t e r s p a c e d words are left out.
    """

    backend: Backend
    alphabet: Alphabet
    preprocessing: Preprocessing = Preprocessing()
    batch_size: int = 16
    decoder: str = "greedy"
    language_weight: float = LANGUAGE_WEIGHT
    rounds: tuple[Round, ...] = ROUNDS

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
        """A recogniser from a file of weights: a path, or the name of weights the kit comes with.

        Without a name, "ocrkit-fast-int8" where OpenVINO is installed and no backend is asked for,
        because it makes no more errors and is faster; else "ocrkit-fast".
        backend: for a checkpoint as in `load_backend`, "pytorch" if None; for a compressed file as
        in `load_file`.

        Raises CheckpointError for a file that is missing, damaged or does not fit, and what
        `load_backend` or `load_file` raise.
        """
        if name_or_path is None:
            name_or_path = default_weights("ocrkit-fast", backend)
        path = weights_path(name_or_path)
        if path.suffix in FILES:
            run, metadata = load_file(path, backend, precision)
            return cls._from_settings(run, metadata, decoder)
        from ocrkit.recognition.network import CRNN

        model = CRNN.load(path)
        run = load_backend(backend or "pytorch", model, precision)
        return cls._from_settings(run, model, decoder)

    @classmethod
    def _from_settings(
        cls, run: Backend, settings: ReaderMetadata | CRNN, decoder: str
    ) -> Recognizer:
        return cls(
            run,
            settings.alphabet,
            settings.preprocessing,
            decoder=decoder,
            language_weight=settings.language_weight,
        )

    def quick(self) -> Recognizer:
        """The same recogniser, which reads a line at most twice: to find a page's direction."""
        return replace(self, rounds=self.rounds[:1])

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        """Read grey crops (H, W) uint8, of any sizes; the readings are in the crops' order.

        The reading of a crop with less than 2 pixels on a side is empty.
        """
        readings = [EMPTY] * len(crops)
        readable = [i for i, crop in enumerate(crops) if min(crop.shape) > 1]
        trim = self.preprocessing.trim
        for start in range(0, len(readable), KEPT):
            part = readable[start : start + KEPT]
            tight = {i: tighten(crops[i]) if trim else crops[i] for i in part}
            for index, outputs in self._repeated_outputs(tight):
                decoded, steps = self._decode(outputs)
                readings[index] = reading_of(decoded, steps)
        return readings

    def _repeated_outputs(
        self, tight: Mapping[int, np.ndarray]
    ) -> Iterator[tuple[int, list[Output]]]:
        """The index of each tightened crop and the outputs of its readings, most certain first.

        An uncertain line is read more than once, see `variants.ROUNDS`.
        """
        rounds = self.rounds if self.decoder == "language" else ()
        uncertain: dict[int, list[Output]] = {}
        for index, log_probs in self._outputs(tight):
            output = Output(log_probs, uncertainty(log_probs) if rounds else 0.0)
            if rounds and output.uncertainty > UNCERTAIN:
                # A copy: the array belongs to a batch, which would stay in memory.
                uncertain[index] = [replace(output, log_probs=log_probs.copy())]
            else:
                yield index, [output]
        for number, each in enumerate(rounds):
            unsure = {i: outputs[0].uncertainty for i, outputs in uncertain.items()}
            again = [i for i in uncertain if each.above < unsure[i] <= each.below]
            *before, last = each.variants
            for variant in before:
                for index, log_probs in self._outputs({i: variant(tight[i]) for i in again}):
                    uncertain[index].append(Output(log_probs.copy(), uncertainty(log_probs)))
            # Lines that are done are decoded while the network reads the next ones.
            for index, log_probs in self._outputs({i: last(tight[i]) for i in again}):
                outputs = uncertain[index]
                outputs.append(Output(log_probs.copy(), uncertainty(log_probs)))
                outputs.sort(key=attrgetter("uncertainty"))
                certain = outputs[0].uncertainty
                if not any(r.above < certain <= r.below for r in rounds[number + 1 :]):
                    yield index, uncertain.pop(index)
        yield from uncertain.items()

    def _outputs(self, tight: Mapping[int, np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """The index of each tightened crop, and its log-probabilities (T, C)."""
        prep = replace(self.preprocessing, trim=False)
        widths = {i: fitted_width(crop, prep) for i, crop in tight.items()}
        groups = list(self._batches(widths))
        strips = (np.stack([fit(tight[i], prep) for i in group]) for group in groups)
        outputs = run_batches(self.backend, strips)
        for group, logits in zip(groups, outputs, strict=True):
            log_probs = log_softmax(logits)
            for n, index in enumerate(group):
                content, padded = widths[index]
                steps = -(-len(logits) * content // padded)  # the rest is padding
                yield index, log_probs[:steps, n]

    def _batches(self, widths: Mapping[int, tuple[int, int]]) -> Iterator[list[int]]:
        """Indices of crops of the same padded width; a crop's reading does not depend on others.

        Batches that are not full have one of PART_SIZES, because each new shape of a batch takes
        time and memory, and each page would bring others. Among very many lines this matters less
        than full batches.
        """
        by_width: dict[int, list[int]] = {}
        for i, (_, padded) in widths.items():
            by_width.setdefault(padded, []).append(i)
        for _, indices in sorted(by_width.items()):
            while indices:
                size = min(len(indices), self.batch_size)
                if size < self.batch_size and len(widths) <= PAGE_LINES:
                    size = max(part for part in PART_SIZES if part <= size)
                yield indices[:size]
                indices = indices[size:]

    def _decode(self, outputs: Sequence[Output]) -> tuple[Decoded, int]:
        """The text in the outputs of a line's readings, and the steps of the one it is from."""
        first, unsure = outputs[0].log_probs, outputs[0].uncertainty
        if self.decoder == "beam":
            return beam(first, self.alphabet), len(first)
        best = most_probable(first, self.alphabet)
        if self.decoder == "greedy":
            return best, len(first)
        if best.text in ROUND_CHARACTERS:
            return single_zero(best, first, self.alphabet), len(first)
        if best.confidence < MIN_CONFIDENCE or unsure <= UNCERTAIN:
            return with_dollars(best, first, self.alphabet), len(first)
        used = outputs if len(outputs) > ALONE else outputs[:1]
        found = [output.log_probs for output in used]
        language = default_language_model()
        decoded, which = best_of(found, self.alphabet, language, self.language_weight)
        return with_dollars(decoded, found[which], self.alphabet), len(found[which])
