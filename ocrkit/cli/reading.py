"""The commands `ocrkit read`, `ocrkit recognize` and `ocrkit search`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from ocrkit.archive.formats import FORMATS
from ocrkit.cli.options import (
    OUTPUT,
    SHOWN,
    AgainOption,
    BackendOption,
    ClusterOption,
    ConfidenceOption,
    DecoderOption,
    DehyphenateOption,
    DetectorOption,
    FormatOption,
    JobsOption,
    JsonOption,
    LineFiles,
    OutputOption,
    OverlayOption,
    PagesWithTextOption,
    Paths,
    RecognizerOption,
    ShowOption,
    no_address,
)
from ocrkit.cli.session import FAILED, Session, make_folder, open_session, status
from ocrkit.document import MIN_CONFIDENCE
from ocrkit.errors import CatalogueError, QueryError
from ocrkit.plain import one_line
from ocrkit.progress import Meter

if TYPE_CHECKING:
    import numpy as np

    from ocrkit.archive.folder import FolderRun
    from ocrkit.archive.results import Output
    from ocrkit.document import Document
    from ocrkit.pipeline import ReadOptions

CHUNK = 256  # line images held in memory at a time


def read(
    paths: Paths,
    output: OutputOption = None,
    formats: FormatOption = None,
    overlay: OverlayOption = False,
    detector: DetectorOption = "lines",
    recognizer: RecognizerOption = None,
    backend: BackendOption = None,
    min_confidence: ConfidenceOption = MIN_CONFIDENCE,
    decoder: DecoderOption = "language",
    pages_with_text: PagesWithTextOption = "keep",
    dehyphenate: DehyphenateOption = False,
    jobs: JobsOption = None,
    cluster: ClusterOption = None,
    again: AgainOption = False,
    show: ShowOption = None,
) -> None:
    """Read documents: PDF files, images (PNG, JPEG, TIFF and others), and folders of them.

    The text of a single file is printed, and not written, unless --output, --format, --overlay or
    --cluster is given. Otherwise the results of each file go into the output folder, under the
    file's name and in the same subfolders, with a catalogue (ocrkit.db) and a report (report.html).

    Run the same command again after it was stopped, or when files have come or changed: only what
    is new, changed, or failed before is read, and everything if other settings or weights are
    given. Results that a run has written are never read.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    kinds = _formats(formats or "txt")
    if jobs and cluster:
        wrong = "a cluster has its own workers: give one of the two"
        raise typer.BadParameter(wrong, param_hint="--jobs, --cluster")
    written = len(paths) > 1 or paths[0].is_dir() or bool(output or formats or overlay or cluster)
    with open_session() as session:
        if written:
            make_folder(output or OUTPUT)
            session.say(f"Looking for files: {_few(paths)}")
        with status("Loading"):
            from ocrkit.archive.results import Output
            from ocrkit.pipeline import ReadOptions

            options = ReadOptions(
                detector, recognizer, min_confidence, decoder, pages_with_text, dehyphenate, backend
            )
            _check_backend(backend, recognizer)
        if not written:
            _print_text(paths, options, session)
            return
        outputs = Output(tuple(kinds), overlay, jobs, cluster, again)
        _read_into(output or OUTPUT, paths, options, outputs, show, session)


def recognize(
    files: LineFiles,
    recognizer: RecognizerOption = None,
    backend: BackendOption = None,
    decoder: DecoderOption = "language",
    json_lines: JsonOption = False,
) -> None:
    """Read images of single lines; prints file, confidence and text, separated by tabs.

    In a file name, tabs, line ends and other control characters are printed as backslash escapes;
    --json gives every name as it is.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    with open_session() as session:
        sources = session.find(files).images
        with status("Loading"):
            from ocrkit.recognition.recognizer import Recognizer

            _check_backend(backend, recognizer)
            reader = Recognizer.load(recognizer, backend, decoder=decoder)
        crops = _crops(sources, session)
        while chunk := list(islice(crops, CHUNK)):
            readings = reader([crop for _, crop in chunk])
            for (source, _), reading in zip(chunk, readings, strict=True):
                name, confidence = str(source), round(float(reading.confidence), 3)
                if json_lines:
                    row = {"file": name, "confidence": confidence, "text": reading.text}
                    session.print(json.dumps(row))
                else:
                    text = one_line(reading.text)
                    session.print(f"{one_line(name)}\t{confidence:.3f}\t{text}")


def search(
    query: Annotated[
        str, typer.Argument(help='Words: mill, mill*, *mill*, "old mill", mill OR mine, mill -old')
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The output folder of `ocrkit read`.", callback=no_address
        ),
    ] = OUTPUT,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Pages to show.")] = 20,
    json_lines: JsonOption = False,
) -> None:
    """Search what was read: prints file, page, line and the text around the words, best first.

    All words must be on the page. Case, accents and long s make no difference; after pages with the
    words themselves come pages where one letter of a longer word was misread.

    Exit status: 0 something was found, 1 nothing, 2 a query or folder that cannot be searched.
    """
    with open_session(QueryError, CatalogueError) as session:
        from ocrkit.archive.search import search as find

        hits = find(query, folder, limit)
        for hit in hits:
            if json_lines:
                session.print(json.dumps(hit.to_dict()))
            else:
                place = f"{one_line(hit.file)}, page {hit.page}, line {hit.line}"
                session.print(f"{place}: {one_line(hit.snippet)}")
        if not hits:
            session.say("nothing found")
            raise typer.Exit(FAILED)


def _check_backend(backend: str | None, recognizer: str | None) -> None:
    """Raises typer.BadParameter for a backend that cannot run the weights."""
    from ocrkit.recognition.backends import backends_of
    from ocrkit.runtime.weights import weights_path

    if not backend:
        return
    path = weights_path(recognizer or "ocrkit-fast")
    if backend not in (known := backends_of(path)):
        wrong = f"{path.name} is run by {' or '.join(known)}, not by {backend}"
        raise typer.BadParameter(wrong, param_hint="--backend")


def _read_into(
    folder: Path,
    paths: Sequence[Path],
    options: ReadOptions,
    output: Output,
    show: bool | None,
    session: Session,
) -> None:
    """Read files into a folder, and show the progress and the result."""
    from ocrkit.archive.folder import FolderRun
    from ocrkit.archive.report import write_report
    from ocrkit.archive.workers import sensible_jobs

    found = session.find(paths)
    if not (output.jobs or output.cluster):
        output = replace(output, jobs=sensible_jobs(len(found.images)))
    with FolderRun.into(folder, found.images, paths, options, output) as run:
        session.say(f"{len(run.plan.files)} files: {run.plan}")
        left_out = run.left_out(found.others)
        if left_out:
            session.say(f"{len(left_out)} files are not images and are left out: {_few(left_out)}")
        if not run.expected:
            session.say("there is nothing to read; --again reads all files again")
        show = run.expected <= SHOWN if show is None else show
        summary = _read_files(run, folder, show, session)
        with session.catching_errors():
            session.say(f"report: {write_report(run.catalogue, summary, left_out)}")


def _read_files(run: FolderRun, folder: Path, show: bool, session: Session) -> str:
    """Read the files of a run; returns a summary, which is printed even if the run is stopped."""
    table = Table("file", "pages", "lines", "left out", "confidence", "seconds")
    failed = 0
    meter = Meter("Reading", "pages", run.expected)
    try:
        for step in run.steps():
            meter.update(run.pages, run.expected)
            if step.file is None:
                continue
            if step.error:
                session.fail(step.error)
                failed += 1
            if step.document is not None:
                if len(run.plan.files) <= SHOWN:
                    table.add_row(*map(Text, _summary(step.document)))
                if show:
                    session.print(_titled(step.document))
    finally:
        meter.close()
        if table.row_count:
            Console(stderr=True).print(table)
        summary = f"{_counted(run, failed, meter)}, results in {folder}"
        session.say(summary)
    return summary


def _counted(run: FolderRun, failed: int, meter: Meter) -> str:
    parts = [f"{run.written} written"]
    if run.pages:
        parts[0] += f" ({run.pages} pages read{meter.rate and ', '}{meter.rate})"
    if known := run.plan.counts["unchanged"]:
        parts.append(f"{known} unchanged")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)


def _few(paths: Sequence[Path]) -> str:
    """The first names of a long list."""
    names = ", ".join(str(path) for path in paths[:3])
    return names + (f" and {len(paths) - 3} others" if len(paths) > 3 else "")


def _print_text(paths: Sequence[Path], options: ReadOptions, session: Session) -> None:
    from ocrkit.archive.run import read_documents

    for result in read_documents(session.find(paths).images, options):
        if result.error:
            session.fail(result.error)
        if result.document is not None:
            session.print(result.document.text)


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            wrong = f"{name or 'nothing'} is not among the formats: {', '.join(FORMATS)}"
            raise typer.BadParameter(wrong, param_hint="--format")
    return names


def _titled(document: Document) -> str:
    """The text of each page under a title with its confidence and time."""
    blocks = []
    for page in document.pages:
        number = f", page {page.number}" if len(document.pages) > 1 else ""
        seconds = sum(page.seconds.values())
        name = f"{one_line(document.source)}{number}"
        title = f"{name}: confidence {page.confidence:.0%}, {seconds:.2f} s"
        blocks.append(f"{title}\n{'-' * len(title)}\n{page.text}\n")
    return "\n".join(blocks)


def _summary(document: Document) -> tuple[str, ...]:
    pages, lines = len(document.pages), sum(len(page.lines) for page in document.pages)
    confidence = f"{document.confidence:.0%}" if document.text.strip() else "-"
    seconds = sum(sum(page.seconds.values()) for page in document.pages)
    left_out = sum(len(page.left_out) for page in document.pages)
    name = one_line(document.source)
    return name, str(pages), str(lines), str(left_out), confidence, f"{seconds:.2f}"


def _crops(sources: Sequence[Path], session: Session) -> Iterator[tuple[Path, np.ndarray]]:
    from ocrkit.image import load_pages

    for source in tqdm(sources, unit=" files", leave=False, disable=None):
        with session.catching_errors():
            for crop in load_pages(source):
                yield source, crop
