"""Teaching a reader your own lines: from corrected pages to new weights, in one call.

`ocrkit train` uses it. The steps are `archive.own_lines.lines_of`,
`training.labels.check_labels` and `split_by_page`, `training.fit`, `training.calibration`, and
`measure.taught`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrkit.archive.own_lines import lines_of
from ocrkit.errors import CheckpointError, OcrkitError
from ocrkit.measure.taught import TOLERANCE, Change, changes, general_lines, write_int8
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.recognition.widening import with_alphabet
from ocrkit.training.calibration import calibrated
from ocrkit.training.config import TrainConfig, own_lines_config
from ocrkit.training.fit import fit
from ocrkit.training.history import History
from ocrkit.training.labels import check_labels, missing_characters, split_by_page
from ocrkit.training.manifest import Refused, Sample

OWN = "ocrkit-fast"  # the weights that the reader in use was made of
CHECKPOINT, INT8 = "model.safetensors", "model-int8.xml"
_SHOWN = 10  # refused lines that are named


@dataclass(frozen=True)
class Taught:
    """A reader that has learned.

    weights: the .xml in INT8, for `--recognizer`; the checkpoint is beside it. changes: what it
    reads better or worse, on own lines and on general ones. temperature: what the logits were
    divided by, to calibrate them on the validation lines.
    """

    weights: Path
    history: History
    changes: tuple[Change, ...]
    temperature: float = 1.0

    @property
    def notes(self) -> list[str]:
        """How far the confidences can be trusted, for a person."""
        notes = [
            f"confidences on {change.name}: calibration error {old:.4f} before, {new:.4f} now"
            for change in self.changes
            for old, new in [change.calibration]
        ]
        if self.temperature != 1:
            chosen = f"temperature {self.temperature:.2f}"
            return [*notes, f"the confidences are calibrated on your validation lines: {chosen}"]
        return [
            *notes,
            "the confidences are as training left them: your validation lines do not show that "
            "they are too high",
        ]

    @property
    def warnings(self) -> list[str]:
        """What a person should know before using it."""
        return [
            f"{change.name} are read worse than before, by more than {TOLERANCE:.3f} CER: use "
            "these weights for documents like yours only, or correct more lines and train again"
            for change in self.changes
            if change.lost
        ]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is to be learned: a reader, and checked lines for training and validation.

    model: the reader before; its alphabet has the characters that are added. start_from: its
    weights, by name or path. added: these characters. refused: lines that cannot be used.
    """

    model: CRNN
    start_from: str | Path
    train: list[Sample]
    validation: list[Sample]
    refused: tuple[Refused, ...]
    added: str = ""

    @classmethod
    def of(
        cls,
        sources: Iterable[str | Path],
        validation: Iterable[str | Path] | None = None,
        start_from: str | Path | None = None,
        add_characters: bool = False,
        seed: int = 0,
        progress: bool = True,
    ) -> Lesson:
        """The lesson in files and folders, as `lines_of` finds them; every label is checked.

        validation: other sources for the validation set; None takes some pages of `sources`.
        Raises OcrkitError if too few lines are left, CheckpointError for weights that cannot be
        trained.
        """
        start_from = start_from or OWN
        if Path(start_from).suffix == ".xml":
            raise CheckpointError(
                f"{start_from} can be run but not trained; give the .safetensors it was made of"
            )
        model = CRNN.load(start_from)
        found = lines_of(sources)
        held = lines_of(validation) if validation else None
        every = [*found.samples, *(held.samples if held else ())]
        missing = missing_characters(model.alphabet, every)
        if missing and add_characters:
            alphabet = Alphabet(model.alphabet.characters + missing)
            model = with_alphabet(model, alphabet)
        checked = check_labels(model, found.samples, progress)
        refused = [*found.refused, *checked.refused]
        if held is None:
            parts = split_by_page(checked.samples, seed=seed)
        else:
            other = check_labels(model, held.samples, progress)
            refused += [*held.refused, *other.refused]
            parts = list(checked.samples), list(other.samples)
        if not all(parts):
            raise OcrkitError(f"no line can be learned from; {_reasons(refused)}")
        added = missing if add_characters else ""
        return cls(model, start_from, *parts, tuple(refused), added)

    @property
    def notes(self) -> list[str]:
        """What is learned and what is left out, for a person."""
        pages = [{sample.page for sample in part} for part in (self.train, self.validation)]
        notes = [
            f"{len(self.train)} lines of {len(pages[0])} pages to learn from, "
            f"{len(self.validation)} lines of {len(pages[1])} pages to validate with"
        ]
        if pages[0] & pages[1]:
            notes.append(
                "both are of the same page, so the validation is too easy: correct another page"
            )
        if self.added:
            notes.append(f"new in the alphabet: {' '.join(self.added)}")
        if self.refused:
            notes += [f"{len(self.refused)} lines are left out:"]
            notes += [f"  {line.name}: {line.reason}" for line in self.refused[:_SHOWN]]
            if len(self.refused) > _SHOWN:
                notes.append(f"  and {len(self.refused) - _SHOWN} others; {_reasons(self.refused)}")
            if any("outside the alphabet" in line.reason for line in self.refused):
                notes.append("  --add-characters teaches the characters that are missing")
        return notes

    def teach(
        self,
        folder: str | Path,
        config: TrainConfig | None = None,
        sets: dict[str, Sequence[Sample]] | None = None,
        progress: bool = True,
    ) -> Taught | None:
        """Train, and write the weights in FP32 and INT8; None if no epoch is better than the start.

        config: None takes `own_lines_config`. sets: more lines to read before and after. Raises
        OutputError if the folder cannot be written to.
        """
        folder = Path(folder)
        # The kit's own reader is used in INT8.
        own = None if self.start_from == OWN else self.start_from
        before = Recognizer.load(own)
        config = config or own_lines_config(len(self.train))
        history = fit(self.model, self.train, self.validation, config, progress=progress)
        if history.best.epoch == 0:
            return None
        # The general lines are not asked: the kit's own reader, which is calibrated on real lines,
        # would get a temperature of 0.73 on these synthetic ones, and be too sure of all others.
        model = calibrated(self.model, self.validation)
        model.save(folder / CHECKPOINT)
        weights = write_int8(model, folder / INT8, self.train)
        measured = {"your validation lines": self.validation, "general lines": general_lines()}
        result = changes(before, Recognizer.load(weights), measured | (sets or {}))
        temperature = model.provenance.get("temperature", 1.0)
        return Taught(weights, history, tuple(result), temperature)


def _reasons(refused: Sequence[Refused]) -> str:
    """How many lines are left out for each kind of reason."""
    counts: dict[str, int] = {}
    for line in refused:
        kind = line.reason.partition(":")[0].partition(";")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count}: {kind}" for kind, count in counts.items())
