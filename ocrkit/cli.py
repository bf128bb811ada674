"""The command line: `ocrkit read`, `recognize`, `doctor` and `pretrain`.

What takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from ocrkit.detect import DetectorName
from ocrkit.document import MIN_CONFIDENCE
from ocrkit.errors import CheckpointError, MissingPartError, OcrkitError, OutputError
from ocrkit.export import FORMATS, save
from ocrkit.files import output_stems

if TYPE_CHECKING:
    import numpy as np

    from ocrkit.document import Document

T = TypeVar("T")

OUTPUT = Path("output/read")
OVERLAY = re.compile(r"\.overlay(\.\d+)?\.jpg$")  # the end of what --overlay writes
SHOWN = 12  # documents whose text is printed unasked
WIDTH, HIDDEN = 0.25, 128  # of a recogniser that is trained from random weights
CHUNK = 256  # line images held in memory at a time
FAILED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    help="Read historical documents on an ordinary CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecognizerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="The weights to read with: ocrkit-fast, ocrkit-fast-int8 (faster, by OpenVINO), or "
        "the path of a .safetensors or .xml file. [default: ocrkit-fast-int8 where OpenVINO is "
        "installed, else ocrkit-fast]",
    ),
]
DecoderOption = Annotated[
    Literal["greedy", "beam", "language"],
    typer.Option(
        help="greedy takes the clearest characters, which is fastest; beam the likeliest text; "
        "language looks closer where there is doubt, and then asks a language model."
    ),
]


@app.command()
def read(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Images, and folders to search for them.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help=f"Folder for the results. [default: {OUTPUT}]"
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="LIST",
            help=f"What to write: {', '.join(FORMATS)} or {','.join(FORMATS)}. [default: txt]",
        ),
    ] = None,
    overlay: Annotated[
        bool,
        typer.Option(
            "--overlay", help="Also write a picture of each page, its lines boxed, its text beside."
        ),
    ] = False,
    detector: Annotated[
        DetectorName,
        typer.Option(
            help="What finds the text: lines is the kit's own network; craft is EasyOCR's, whose "
            "weights have to be fetched first."
        ),
    ] = "lines",
    recognizer: RecognizerOption = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out lines read with less confidence.")
    ] = MIN_CONFIDENCE,
    decoder: DecoderOption = "language",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Read so many files at the same time.")
    ] = 1,
    show: Annotated[
        bool | None,
        typer.Option(
            "--show/--no-show",
            help=f"Print the text of what is written, too. [default: of up to {SHOWN} files]",
        ),
    ] = None,
) -> None:
    """Read documents: PNG, JPEG and TIFF images, and folders of them.

    The text of a single file is printed, and not written, unless --output, --format or --overlay is
    given. Otherwise each file's results go into the output folder, under its own name and in
    subfolders like those it lies in. The pictures that --overlay wrote are never searched for.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    kinds = _formats(formats or "txt")
    written = len(paths) > 1 or paths[0].is_dir() or bool(output or formats or overlay)
    folder = output or OUTPUT
    with _session() as session:
        if written:
            _make(folder)
        sources = session.find(paths)
        stems = output_stems(sources, paths, folder)
        show = len(sources) <= SHOWN if show is None else show
        table = Table("file", "pages", "lines", "confidence", "seconds")
        from ocrkit.pipeline import read_documents

        results = read_documents(sources, detector, recognizer, jobs, min_confidence, decoder)
        for stem, result in _bar(zip(stems, results, strict=True), len(sources)):
            if result.error:
                session.fail(result.error)
            if result.document is None:
                continue
            if not written:
                session.say(result.document.text)
                continue
            with session.failing():
                table.add_row(*map(Text, _summary(result.document)))
                if show:
                    session.say(_shown(result.document))
                _write(result.document, stem, kinds, overlay)
        if written:
            if table.row_count:
                Console(stderr=True).print(table)
            failed = f", {session.failures} failed" if session.failures else ""
            typer.echo(f"{table.row_count} read{failed}, results in {folder}", err=True)


@app.command()
def recognize(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Images of a line each, and folders.")
    ],
    recognizer: RecognizerOption = None,
    decoder: DecoderOption = "language",
) -> None:
    """Read images of single lines; prints file, confidence and text, parted by tabs.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    with _session() as session:
        sources = session.find(files)
        from ocrkit.recognize import Recognizer

        reader = Recognizer.load(recognizer, decoder=decoder)
        crops = _crops(sources, session)
        while chunk := list(islice(crops, CHUNK)):
            readings = reader([crop for _, crop in chunk])
            for (source, _), reading in zip(chunk, readings, strict=True):
                session.say(f"{source}\t{reading.confidence:.3f}\t{reading.text}")


@app.command()
def doctor() -> None:
    """Say what this machine has for the kit, what is missing or broken, and what to do about it.

    Exit status: 0 nothing is broken, 1 something is.
    """
    from ocrkit.doctor import doctor as examine

    report = examine()
    typer.echo(str(report))
    raise typer.Exit(0 if report.ok else FAILED)


@app.command()
def pretrain(
    folder: Annotated[
        Path, typer.Argument(help="Where the run keeps its state; a run that is there goes on.")
    ] = Path("output/pretrain"),
    task: Annotated[
        Literal["recognizer", "detector"],
        typer.Option(help="To read lines, or to find them on pages."),
    ] = "recognizer",
    minutes: Annotated[float, typer.Option(min=0.1, help="Budget over all runs together.")] = 60.0,
    width: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Of a recogniser: multiplier of the channels; 1 is the reference CRNN. Weights to "
            f"start from are widened. [default: {WIDTH}]",
        ),
    ] = None,
    hidden: Annotated[
        int | None,
        typer.Option(
            min=8, help=f"Of a recogniser: LSTM units in one direction. [default: {HIDDEN}]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the weights and of what is drawn.")] = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that draw; 0 draws between steps.")
    ] = 1,
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Weights that a new run begins with. Lines have their full length and damage from "
            "the first, for which random weights are given time.",
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            help="The highest learning rate. [default: 0.002, and half of it with --start-from]",
        ),
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Of a recogniser: real lines to train on as well, packed by "
            "`python -m ocrkit.mixture MANIFEST FOLDER`. Some books are held out.",
        ),
    ] = None,
    real: Annotated[
        float, typer.Option(min=0, max=1, help="Share of real lines, where there are any.")
    ] = 0.5,
    height: Annotated[
        int | None,
        typer.Option(min=32, max=47, help="Of a recogniser: rows of a strip. [default: 32]"),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=2, max=4, help="Of a recogniser: columns of a time step, 2 or 4. [default: 4]"
        ),
    ] = None,
    pages: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="For a detector: a folder of pages of your own, as JSON of `ocrkit read` whose "
            "lines are right; they give every second page.",
        ),
    ] = None,
) -> None:
    """Train a recogniser on synthetic lines, or a detector on pages, from random weights or others.

    Stop it at any time; the same command goes on from the last evaluation. Prints the path of the
    weights: `ocrkit read --recognizer` takes those of a recogniser.
    """
    if (width or hidden) and task == "detector":
        wrong = "these are the size of a recogniser; a detector has none to choose: leave them out"
        raise typer.BadParameter(wrong, param_hint="--width, --hidden")
    if pages and task == "recognizer":
        wrong = "a recogniser does not learn from pages: give --task detector, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--pages")
    with _session() as session:
        from ocrkit import pretrain as training
        from ocrkit.model import ModelConfig

        budget: dict[str, Any] = {"minutes": minutes, "seed": seed, "workers": workers}
        budget["lr"] = lr or training.Budget.lr / (2 if start_from else 1)
        if task == "detector":
            finding = training.DetectorPretrainConfig(**budget, pages=pages)
            weights = training.pretrain_detector(folder, finding, start_from)
        else:
            sized = width or hidden or stride
            size = (width or WIDTH, hidden or HIDDEN, "all", stride or 4)
            reading = training.PretrainConfig(
                **budget,
                model=ModelConfig(*size) if sized else None,
                ramp=0 if start_from else training.PretrainConfig.ramp,
                height=height,
                lines=lines,
                real=real,
            )
            weights = training.pretrain(folder, reading, start_from)
        session.say(str(weights))


class _Session:
    """What a command says while it runs: results on standard output, all else on standard error."""

    failures = 0

    def say(self, text: str) -> None:
        with tqdm.external_write_mode():  # or the bar and the text would mix
            typer.echo(text)

    def fail(self, message: str) -> None:
        self.failures += 1
        with tqdm.external_write_mode():
            typer.secho(message, fg="red", err=True)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What goes wrong within is a failure, but not the end."""
        try:
            yield
        except OcrkitError as error:
            self.fail(str(error))

    def find(self, paths: Sequence[Path]) -> list[Path]:
        """The images at the paths, each once; of those in folders none that --overlay wrote."""
        from ocrkit.image import find_images

        found: list[Path] = []
        for path in paths:
            with self.failing():
                images = find_images([path])
                if path.is_dir():
                    images = [image for image in images if not OVERLAY.search(image.name)]
                if not images:
                    self.fail(
                        f"{path}: there are no PNG, JPEG or TIFF images in this folder "
                        "(pictures that --overlay wrote do not count)"
                    )
                found += images
        return list(dict.fromkeys(found))


@contextmanager
def _session() -> Iterator[_Session]:
    """A session whose end sets the exit status, and that shows no traceback to a person."""
    session = _Session()
    if isinstance(sys.stdout, TextIOWrapper):  # not every name or text can be shown everywhere
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield session
    except OcrkitError as error:
        session.fail(str(error))
        wrong = isinstance(error, CheckpointError | MissingPartError)
        raise typer.Exit(USAGE if wrong else FAILED) from error
    except BrokenPipeError:
        raise  # such as `| head` closes; typer ends quietly
    except OSError as error:
        session.fail(f"{error.filename or 'a file'}: {error.strerror or error}")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        session.fail("stopped; what has been written is whole")
        raise typer.Exit(INTERRUPTED) from error
    if session.failures:
        raise typer.Exit(FAILED)


def _bar(items: Iterable[T], total: int) -> Iterable[T]:
    """The items, with a bar of files where standard error is a terminal."""
    return tqdm(items, total=total, unit=" files", leave=False, disable=None)


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            wrong = f"{name or 'nothing'} is not among the formats: {', '.join(FORMATS)}"
            raise typer.BadParameter(wrong, param_hint="--format")
    return names


def _make(folder: Path) -> None:
    """Make the output folder and try it, so that nothing is read for nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot write into this folder: {error.strerror}") from error


def _write(document: Document, stem: Path, formats: Sequence[str], overlay: bool) -> None:
    for name in formats:
        save(document, f"{stem}.{name}")
    if overlay:
        from ocrkit import plot
        from ocrkit.image import load_pages

        # A file that is damaged after its first pages has more of them than could be read.
        for page, array in zip(document.pages, load_pages(document.source), strict=False):
            # The number comes last: x.1.overlay.jpg is of a file x.1.png.
            number = f".{page.number}" if len(document.pages) > 1 else ""
            plot.overlay(array, page, f"{stem}.overlay{number}.jpg")


def _shown(document: Document) -> str:
    blocks = []
    for page in document.pages:
        number = f", page {page.number}" if len(document.pages) > 1 else ""
        seconds = sum(page.seconds.values())
        title = f"{document.source}{number}: confidence {page.confidence:.0%}, {seconds:.2f} s"
        blocks.append(f"{title}\n{'-' * len(title)}\n{page.text}\n")
    return "\n".join(blocks)


def _summary(document: Document) -> tuple[str, ...]:
    pages, lines = len(document.pages), sum(len(page.lines) for page in document.pages)
    confidence = f"{document.confidence:.0%}" if document.text.strip() else "-"
    seconds = sum(sum(page.seconds.values()) for page in document.pages)
    return document.source, str(pages), str(lines), confidence, f"{seconds:.2f}"


def _crops(sources: Sequence[Path], session: _Session) -> Iterator[tuple[Path, np.ndarray]]:
    from ocrkit.image import load_pages

    for source in _bar(sources, len(sources)):
        with session.failing():
            for crop in load_pages(source):
                yield source, crop
