"""Notebooks to work in: copies, so that running and changing them leaves the originals alone.

`python -m ocrkit.notebook.copies` copies those of notebooks/ into my_notebooks/. The copies lie one
folder deep as well, so that ../data and ../output are the same folders.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

from ocrkit.errors import OutputError
from ocrkit.files import write

ORIGINALS, COPIES = Path("notebooks"), Path("my_notebooks")
NOTES = ".originals.json"  # in the folder of the copies: which original each was made from


def copy_notebooks(originals: Path = ORIGINALS, copies: Path = COPIES) -> Iterator[str]:
    """Copy the notebooks that have no copy yet; yields a sentence about each that was written.

    A copy is never overwritten. If an original has changed since, its new form is put beside the
    copy, as 01_data.new.ipynb; outputs do not count as a change. Raises OutputError if there is no
    notebook, or a copy cannot be written.
    """
    found = sorted(originals.glob("*.ipynb"))
    if not found:
        raise OutputError(f"{originals}: there are no notebooks; run this where they are")
    known = _notes(copies)
    for original in found:
        copy, name, state = copies / original.name, original.name, _fingerprint(original)
        if not copy.exists():
            write(copy, original.read_bytes())
            yield f"{copy}: a copy of {original}"
        elif known.get(name) != state and _fingerprint(copy) != state:
            beside = _free(copy)
            write(beside, original.read_bytes())
            yield f"{beside}: {original} has changed; your copy {copy} stays as it is"
        known[name] = state
    write(copies / NOTES, json.dumps(known, indent=1).encode())


def _free(copy: Path) -> Path:
    """A path beside a copy that no file has: 01_data.new.ipynb, 01_data.new-2.ipynb, ..."""
    endings = chain([".new"], (f".new-{number}" for number in count(2)))
    paths = (copy.with_suffix(f"{ending}{copy.suffix}") for ending in endings)
    return next(path for path in paths if not path.exists())


def _notes(copies: Path) -> dict[str, str]:
    try:
        notes = json.loads((copies / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or damaged: then every change counts as new
        return {}
    return notes if isinstance(notes, dict) else {}


def _fingerprint(notebook: Path) -> str:
    """A hash of the cells without their outputs."""
    data = notebook.read_bytes()
    try:
        cells = [[cell["cell_type"], cell["source"]] for cell in json.loads(data)["cells"]]
    except (ValueError, KeyError, TypeError):
        return hashlib.sha256(data).hexdigest()
    # A text may be stored as one string or as a list of its lines.
    texts = [[kind, "".join(source)] for kind, source in cells]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def main() -> None:
    """Make the copies, and print what was written."""
    try:
        for sentence in copy_notebooks():
            print(sentence)
    except OutputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
