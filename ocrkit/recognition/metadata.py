"""What the file of a recogniser must say about itself, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrkit.errors import CheckpointError
from ocrkit.image import Preprocessing
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import LANGUAGE_WEIGHT
from ocrkit.runtime.metadata import FORMAT, OTHER_FILE, parse_metadata
from ocrkit.runtime.weights import check_format


@dataclass(frozen=True)
class ReaderMetadata:
    """The settings that a recogniser was trained with, and that it has to be used with."""

    alphabet: Alphabet
    preprocessing: Preprocessing
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    language_weight: float = LANGUAGE_WEIGHT

    @property
    def input_sizes(self) -> tuple[int, int, int, int]:
        """The network's input (N, 1, H, W), -1 where any size is taken."""
        return -1, 1, self.preprocessing.height, -1

    @classmethod
    def from_mapping(cls, stored: Any) -> ReaderMetadata:
        """From the metadata of a model file, decoded; ValueError says what is wrong with it."""
        if not isinstance(stored, Mapping):
            raise ValueError("the metadata is not a table")
        parts: dict[str, Any] = {}
        for key, kind in (("alphabet", str), ("preprocessing", dict), ("config", dict)):
            if not isinstance(stored.get(key), kind):
                raise ValueError(f"there is no valid {key!r} in the metadata")
            parts[key] = stored[key]
        provenance = stored.get("provenance", {})
        weight = stored.get("language_weight", LANGUAGE_WEIGHT)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 2:
            raise ValueError(f"the language_weight is {weight!r}; it must be from 0 to 2")
        try:
            preprocessing = Preprocessing(**parts["preprocessing"])
        except TypeError as error:  # a setting that is unknown
            raise ValueError(f"preprocessing: {error}") from error
        return cls(
            Alphabet(parts["alphabet"]),
            preprocessing,
            parts["config"],
            provenance if isinstance(provenance, Mapping) else {},
            float(weight),
        )

    @classmethod
    def from_text(cls, text: str | None, path: Path) -> ReaderMetadata:
        """From the JSON in an .xml, .onnx or .pt2 file; CheckpointError says what is wrong."""
        if text is None:
            raise CheckpointError(f"{path} does not say which alphabet it reads; {OTHER_FILE}")
        stored = parse_metadata(text, path)
        check_format(path, stored.get("format") if isinstance(stored, Mapping) else None, FORMAT)
        try:
            return cls.from_mapping(stored)
        except ValueError as error:
            raise CheckpointError(
                f"{path} has settings that this version of ocrkit does not understand: {error}"
            ) from error
