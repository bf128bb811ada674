"""What a run has to do: which files are new, changed, unfinished or known, and where results go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ocrkit.archive.catalogue import Catalogue, Content, FileRow
from ocrkit.archive.formats import FORMATS
from ocrkit.archive.results import OVERLAY, Output
from ocrkit.files import output_stems

# Why a run takes a file, and how it says so.
REASONS = {
    "new": "new",
    "changed": "changed",
    "settings": "read with other settings or weights",
    "failed": "failed before",
    "reading": "begun before",
    "again": "to be read again",
    "unwritten": "read, but without these results",
    "corrected": "whose JSON was changed, for example by corrections",
    "unchanged": "unchanged",
}


@dataclass(frozen=True)
class Plan:
    """Files with the reason, one of REASONS, why the run takes them, in the order of a run.

    settings: the number of the settings in the catalogue. written: the results of earlier runs, by
    the number of their file and their format.
    """

    files: list[tuple[FileRow, str]]
    settings: int
    written: Mapping[int, Mapping[str, Sequence[Path]]]

    @cached_property
    def counts(self) -> Counter[str]:
        """How many files there are for each reason."""
        return Counter(reason for _, reason in self.files)

    def __str__(self) -> str:
        """The counts in words: "12 new, 3 changed, 200 unchanged"."""
        parts = [f"{self.counts[key]} {text}" for key, text in REASONS.items() if self.counts[key]]
        return ", ".join(parts) or "nothing to read"


def make_plan(
    catalogue: Catalogue,
    sources: Sequence[Path],
    roots: Sequence[Path],
    settings: int,
    output: Output,
) -> Plan:
    """Compare files with the catalogue, and note the new ones in it.

    roots: the files and folders that the user named. Results of earlier runs are left out.
    """
    results = catalogue.outputs()
    named = {Path(os.path.abspath(source)): source for source in sources}
    for path in results:
        named.pop(path, None)
    known = {row.path: row for row in catalogue.files()}
    new = [path for path in named if path not in known]
    if new:
        catalogue.add_files(_placed(catalogue.folder, new, named, roots, known.values()))
        known = {row.path: row for row in catalogue.files()}
    written: dict[int, dict[str, list[Path]]] = {}
    for path, (file, format) in results.items():
        written.setdefault(file, {}).setdefault(format, []).append(path)
    files = []
    for path, source in named.items():
        row = replace(known[path], name=str(source))
        reason = _reason(catalogue, row, settings, output, written.get(row.id, {}))
        files.append((row, reason))
    return Plan(files, settings, written)


def _placed(
    folder: Path,
    new: Sequence[Path],
    named: Mapping[Path, Path],
    roots: Sequence[Path],
    known: Iterable[FileRow],
) -> dict[Path, tuple[str, str]]:
    """For new files the name as it was given, and the stem of the results below the folder."""
    taken = {row.stem.casefold() for row in known}
    suffixes = [kind.suffix for kind in FORMATS.values()]

    def is_free(stem: Path) -> bool:
        """Whether results of this stem overwrite no scan, and no results of another file."""
        paths = (Path(os.path.abspath(f"{stem}{suffix}")) for suffix in suffixes)
        return os.path.relpath(stem, folder).casefold() not in taken and not any(
            path in named for path in paths
        )

    stems = output_stems([named[path] for path in new], roots, folder, is_free)
    return {
        path: (str(named[path]), os.path.relpath(stem, folder))
        for path, stem in zip(new, stems, strict=True)
    }


def _reason(
    catalogue: Catalogue,
    row: FileRow,
    settings: int,
    output: Output,
    written: Mapping[str, Sequence[Path]],
) -> str:
    if row.state != "read":
        return row.state
    try:
        found = row.path.stat()
    except OSError:
        return "changed"  # reading it says what is wrong
    if output.again:
        return "again"
    if (found.st_size, found.st_mtime_ns) != (row.size, row.changed):
        return "changed"
    if row.settings != settings:
        return "settings"
    formats = [*output.formats, *[OVERLAY] * output.overlay]
    complete = all(
        format in written and all(map(os.path.exists, written[format])) for format in formats
    )
    if not complete:
        return "unwritten"
    corrected = any(_was_corrected(catalogue, row.id, path) for path in written.get("json", ()))
    return "corrected" if corrected else "unchanged"


def _was_corrected(catalogue: Catalogue, file: int, path: Path) -> bool:
    """Whether the JSON of a file is another than the kit wrote.

    A copy may have another time. If its content is the same, the time is remembered, so that the
    next run need not look into it.
    """
    try:
        written, now = catalogue.written_json(file), path.stat()
        if written and (written.size, written.changed) == (now.st_size, now.st_mtime_ns):
            return False
        content = Content.of(path)
    except OSError:  # it cannot be read: there is nothing to take over
        return False
    if content and written and written.sha256 == content.sha256:
        catalogue.set_written_json(file, content)
        return False
    return content is not None
