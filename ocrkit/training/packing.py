"""Packs real lines for pretraining: all crops in one file, so that they need not be decoded again.

    python -m ocrkit.training.packing MANIFEST FOLDER           packs the lines of a manifest
    python -m ocrkit.training.packing --gaps FOLDER [WEIGHTS]   finds the gaps between their words

With the gaps, training makes new lines from the beginning of one line and the end of another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocrkit.errors import OcrkitError
from ocrkit.files import write
from ocrkit.image import tighten
from ocrkit.metrics import cer
from ocrkit.progress import progress
from ocrkit.recognition.alphabet import Alphabet, normalized
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.manifest import Sample, load_crops, read_manifest

_MIN_SIDE = 8  # px; smaller crops have no readable letters
_BATCH = 256  # lines that are read at a time
# The gaps of a line are used only if the reading is good enough for its words to be the right ones.
_MAX_CER = 0.15


@dataclass(frozen=True, eq=False)
class PackedLines:
    """Line crops in one array of bytes, in pairs: as cut, and tightened.

    pixels: all crops one after the other, uint8. shapes (2n, 2) and starts (2n,): of each crop.
    names, texts: of the n lines. gaps: line -> the columns of its tightened crop at which one word
    ends and the next begins.
    """

    pixels: np.ndarray
    shapes: np.ndarray
    starts: np.ndarray
    names: tuple[str, ...]
    texts: tuple[str, ...]
    gaps: dict[int, list[int]]

    def __len__(self) -> int:
        return len(self.names)

    def crop(self, index: int, tight: bool = True) -> np.ndarray:
        """A line's crop, grey uint8 (h, w)."""
        which = 2 * index + tight
        (h, w), start = self.shapes[which], self.starts[which]
        return self.pixels[start : start + int(h) * int(w)].reshape(h, w)

    @classmethod
    def load(cls, folder: str | Path) -> PackedLines:
        """The lines of a folder that `pack` wrote; the pixels stay on the disk until they are used.

        Raises OcrkitError if a file is missing or damaged.
        """
        folder = Path(folder)
        remedy = f"`python -m ocrkit.training.packing MANIFEST {folder}` packs a manifest's lines"
        try:
            pixels = np.load(folder / "pixels.npy", mmap_mode="r")
            table = _rows(folder / "lines.tsv")
            shapes = np.array([row[:4] for row in table], np.int64).reshape(-1, 2)
            names, texts = (tuple(row[column] for row in table) for column in (4, 5))
            gaps = {}
            if (folder / "gaps.tsv").is_file():
                for row in _rows(folder / "gaps.tsv"):
                    index, *columns = map(int, row)
                    gaps[index] = columns
        except OSError as error:
            raise OcrkitError(f"{error.filename or folder}: {error.strerror}; {remedy}") from error
        except (ValueError, IndexError) as error:
            raise OcrkitError(f"{folder} is damaged: {error}; {remedy}") from error
        ends = np.cumsum(shapes.prod(axis=1))
        if pixels.shape != (ends[-1] if len(ends) else 0,):
            raise OcrkitError(f"{folder} is damaged: its files do not fit together; {remedy}")
        return cls(pixels, shapes, np.concatenate([[0], ends[:-1]]), names, texts, gaps)


def _rows(path: Path) -> list[list[str]]:
    return [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]


def pack(samples: Sequence[Sample], folder: str | Path, alphabet: Alphabet | None = None) -> int:
    """Write the crops of samples to a folder, and their texts as `normalized`; returns how many.

    Lines without text, with characters outside the alphabet, or less than 8 px high or wide are
    left out. Raises ImageError if an image cannot be read.
    """
    alphabet, folder = alphabet or Alphabet(), Path(folder)
    pixels, rows = [], []
    for sample in progress(samples, "packing"):
        text = normalized(sample.text)
        if not text or alphabet.missing(text):
            continue
        (crop,) = load_crops([sample])
        if min(crop.shape) < _MIN_SIDE:
            continue
        tight = tighten(crop)
        pixels += [crop.ravel(), tight.ravel()]
        rows.append("\t".join([*map(str, crop.shape + tight.shape), sample.path.stem, text]) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pixels.npy", np.concatenate(pixels) if pixels else np.empty(0, np.uint8))
    write(folder / "lines.tsv", "".join(rows).encode())
    return len(rows)


def find_gaps(folder: str | Path, read: Callable[[Sequence[np.ndarray]], Sequence[Reading]]) -> int:
    """Find the gaps between the words of packed lines, with a recogniser; returns in how many.

    A line counts if its reading has as many words as its text and few errors. The gap is at the
    column with the least ink between two words.
    """
    packed, rows = PackedLines.load(folder), []
    indices = range(len(packed))
    for start in progress(range(0, len(packed), _BATCH), "finding gaps", unit="batches"):
        part = indices[start : start + _BATCH]
        for i, reading in zip(part, read([packed.crop(i) for i in part]), strict=True):
            text = packed.texts[i]
            words = text.count(" ") + 1
            if len(reading.words) == words > 1 and cer([text], [reading.text]) < _MAX_CER:
                rows.append("\t".join(map(str, (i, *_gaps(packed.crop(i), reading)))) + "\n")
    write(Path(folder) / "gaps.tsv", "".join(rows).encode())
    return len(rows)


def _gaps(crop: np.ndarray, reading: Reading) -> list[int]:
    """The lightest column between each two words of a reading."""
    brightness, width = crop.mean(axis=0), crop.shape[1]
    gaps = []
    for word, following in zip(reading.words, reading.words[1:], strict=False):
        end, start = int(word.end * width), int(following.start * width) + 1
        left = max(0, end - 3)
        room = brightness[left : max(start + 3, end + 4)]
        lightest = np.flatnonzero(room >= room.max() - 1)
        gaps.append(left + int(lightest[len(lightest) // 2]))
    return gaps


def main() -> None:
    """Packs the lines of a manifest, or finds the gaps of packed lines."""
    try:
        first, folder, *weights = sys.argv[1:]
    except ValueError:
        raise SystemExit(__doc__) from None
    if first == "--gaps":
        reader = Recognizer.load(weights[0] if weights else None, decoder="greedy")
        print(f"{find_gaps(folder, reader)} lines with gaps")
    else:
        print(f"{pack(read_manifest(first), folder)} lines packed")


if __name__ == "__main__":
    main()
