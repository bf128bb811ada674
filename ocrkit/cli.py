"""The command line: `ocrkit read`, `recognize`, `doctor`, `benchmark` and `pretrain`.

Slow imports are left to the command that needs them, so that every command starts at once.
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
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from ocrkit.archive.formats import FORMATS, save
from ocrkit.detection import DetectorName
from ocrkit.document import MIN_CONFIDENCE
from ocrkit.errors import (
    CheckpointError,
    MissingPartError,
    OcrkitError,
    OutputError,
    missing_package,
)
from ocrkit.files import output_stems

if TYPE_CHECKING:
    import numpy as np

    from ocrkit.document import Document
    from ocrkit.pipeline import ReadOptions

T = TypeVar("T")

OUTPUT = Path("output/read")
OVERLAY = re.compile(r"\.overlay(\.\d+)?\.jpg$")  # the end of the names of --overlay's pictures
SHOWN = 12  # the text of up to so many files is printed without --show
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

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", help="Images, and folders of images.")]
LineFiles = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="Images of one line each, and folders of them.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help=f"Folder for the results. [default: {OUTPUT}]"
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="LIST",
        help=f"What to write: {', '.join(FORMATS)} or {','.join(FORMATS)}. [default: txt]",
    ),
]
OverlayOption = Annotated[
    bool,
    typer.Option(
        "--overlay", help="Also write a picture of each page: lines boxed, and the text beside it."
    ),
]
DetectorOption = Annotated[
    DetectorName,
    typer.Option(
        help="What finds the text: `lines` is the kit's own network; `craft` is EasyOCR's, whose "
        "weights must be downloaded first."
    ),
]
RecognizerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="The weights to read with: ocrkit-fast, ocrkit-fast-int8 (faster, by OpenVINO), or "
        "the path of a .safetensors or .xml file. [default: ocrkit-fast-int8 where OpenVINO is "
        "installed, else ocrkit-fast]",
    ),
]
ConfidenceOption = Annotated[
    float, typer.Option(min=0, max=1, help="Leave out lines with a lower confidence.")
]
DecoderOption = Annotated[
    Literal["greedy", "beam", "language"],
    typer.Option(
        help="How text is found in the network's outputs: `greedy` takes the most probable "
        "character at each step and is fastest; `beam` finds the most probable text; `language` "
        "reads uncertain lines twice and then uses a language model."
    ),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=1, help="How many files are read at the same time.")
]
DehyphenateOption = Annotated[
    bool, typer.Option("--dehyphenate", help="Join words that are broken at the end of a line.")
]
ShowOption = Annotated[
    bool | None,
    typer.Option(
        "--show/--no-show",
        help=f"Also print the text of each file. [default: if there are up to {SHOWN} files]",
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(help="Folder for the run; the same command continues a run in it.")
]
TaskOption = Annotated[
    Literal["recognizer", "detector"],
    typer.Option(help="Train the network that reads lines, or the one that finds them on pages."),
]
MinutesOption = Annotated[
    float, typer.Option(min=0.1, help="Training time, all runs in the folder together.")
]
WidthOption = Annotated[
    float | None,
    typer.Option(
        min=0.05,
        help="Recogniser: multiplier of the channels; 1 is the reference CRNN. Weights to start "
        f"from are widened. [default: {WIDTH}]",
    ),
]
HiddenOption = Annotated[
    int | None,
    typer.Option(min=8, help=f"Recogniser: LSTM units in one direction. [default: {HIDDEN}]"),
]
SeedOption = Annotated[int, typer.Option(help="Seed of the random weights and of the data.")]
WorkersOption = Annotated[
    int, typer.Option(min=0, help="Processes that make data; 0 makes them between the steps.")
]
StartOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="Weights that a new run starts from. Its lines have their full length and damage from "
        "the beginning, which random weights reach step by step.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        min=1e-6,
        help="Highest learning rate. [default: 0.002, and half of it with --start-from]",
    ),
]
OwnPagesOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Detector: a folder of your own pages, as JSON of `ocrkit read` with correct lines; "
        "every second page is one of them.",
    ),
]


@app.command()
def read(
    paths: Paths,
    output: OutputOption = None,
    formats: FormatOption = None,
    overlay: OverlayOption = False,
    detector: DetectorOption = "lines",
    recognizer: RecognizerOption = None,
    min_confidence: ConfidenceOption = MIN_CONFIDENCE,
    decoder: DecoderOption = "language",
    dehyphenate: DehyphenateOption = False,
    jobs: JobsOption = 1,
    show: ShowOption = None,
) -> None:
    """Read documents: PNG, JPEG, TIFF and WebP images, and folders of them.

    The text of a single file is printed, and not written, unless --output, --format or --overlay is
    given. Otherwise the results of each file go into the output folder, under the file's name and
    in the same subfolders. Pictures that --overlay wrote are never read.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    kinds = _formats(formats or "txt")
    written = len(paths) > 1 or paths[0].is_dir() or bool(output or formats or overlay)
    with _session() as session:
        with _status("Loading"):
            from ocrkit.pipeline import ReadOptions

            options = ReadOptions(detector, recognizer, min_confidence, decoder, dehyphenate)
        if not written:
            _print_text(paths, options, session)
            return
        folder = output or OUTPUT
        _make_folder(folder)
        sources = session.find(paths)
        show = len(sources) <= SHOWN if show is None else show
        stems = output_stems(sources, paths, folder)
        table = Table("file", "pages", "lines", "left out", "confidence", "seconds")
        for stem, document in _documents(sources, stems, options, jobs, session):
            with session.catching_errors():
                table.add_row(*map(Text, _summary(document)))
                if show:
                    session.print(_titled(document))
                _write(document, stem, kinds, overlay)
        if table.row_count:
            Console(stderr=True).print(table)
        failed = f", {session.failures} failed" if session.failures else ""
        typer.echo(f"{table.row_count} read{failed}, results in {folder}", err=True)


@app.command()
def recognize(
    files: LineFiles,
    recognizer: RecognizerOption = None,
    decoder: DecoderOption = "language",
) -> None:
    """Read images of single lines; prints file, confidence and text, separated by tabs.

    Exit status: 0 all read, 1 some failed, 2 wrong usage.
    """
    with _session() as session:
        sources = session.find(files)
        with _status("Loading"):
            from ocrkit.recognition.recognizer import Recognizer

            reader = Recognizer.load(recognizer, decoder=decoder)
        crops = _crops(sources, session)
        while chunk := list(islice(crops, CHUNK)):
            readings = reader([crop for _, crop in chunk])
            for (source, _), reading in zip(chunk, readings, strict=True):
                session.print(f"{source}\t{reading.confidence:.3f}\t{reading.text}")


@app.command()
def doctor() -> None:
    """Check this machine: what is installed, what is missing or broken, and what to do about it.

    Exit status: 0 nothing is broken, 1 something is.
    """
    from ocrkit.notebook.doctor import doctor as examine

    report = examine()
    typer.echo(str(report))
    raise typer.Exit(0 if report.ok else FAILED)


@app.command()
def benchmark(
    paths: Paths,
    recognizer: RecognizerOption = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each file is read.")] = 3,
) -> None:
    """Time ocrkit and Tesseract on your own scans, in seconds per file.

    The two take turns on each file; Tesseract is left out if it is not installed.
    """
    with _session():
        with _status("Loading"):
            from ocrkit.measure.pages import benchmark as compare
        compare(paths, recognizer, rounds)


@app.command()
def pretrain(
    folder: RunFolder = Path("output/pretrain"),
    task: TaskOption = "recognizer",
    minutes: MinutesOption = 60.0,
    width: WidthOption = None,
    hidden: HiddenOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    start_from: StartOption = None,
    lr: RateOption = None,
    pages: OwnPagesOption = None,
) -> None:
    """Train a recogniser on synthetic lines, or a detector on pages, from random or given weights.

    Stop it at any time; the same command continues from the last evaluation. Prints the path of
    the weights: give that of a recogniser to `ocrkit read --recognizer`.
    """
    if (width or hidden) and task == "detector":
        wrong = "these set the size of a recogniser; a detector has one size: leave them out"
        raise typer.BadParameter(wrong, param_hint="--width, --hidden")
    if pages and task == "recognizer":
        wrong = "a recogniser does not learn from pages: give --task detector, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--pages")
    with _session() as session:
        with _status("Loading"):
            from ocrkit.recognition.network import ModelConfig
            from ocrkit.training import pretrain as lines
            from ocrkit.training import pretrain_detector as detection
        lr = lr or lines.PretrainConfig.lr / (2 if start_from else 1)
        if task == "detector":
            config = detection.DetectorPretrainConfig(
                minutes=minutes, seed=seed, workers=workers, lr=lr, pages=pages
            )
            weights = detection.pretrain_detector(folder, config, start_from)
        else:
            sized = width or hidden
            model = ModelConfig(width or WIDTH, hidden or HIDDEN, "all") if sized else None
            ramp = 0 if start_from else lines.PretrainConfig.ramp
            reading = lines.PretrainConfig(
                minutes=minutes, seed=seed, workers=workers, lr=lr, model=model, ramp=ramp
            )
            weights = lines.pretrain(folder, reading, start_from)
        session.print(str(weights))


class _Session:
    """What a command prints: results on standard output, everything else on standard error."""

    failures = 0

    def print(self, text: str) -> None:
        with tqdm.external_write_mode():  # or the progress bar and the text would mix
            typer.echo(text)

    def fail(self, message: str) -> None:
        self.failures += 1
        with tqdm.external_write_mode():
            typer.secho(message, fg="red", err=True)

    @contextmanager
    def catching_errors(self) -> Iterator[None]:
        """The kit's errors inside are printed and counted, and the command goes on."""
        try:
            yield
        except OcrkitError as error:
            self.fail(str(error))

    def find(self, paths: Sequence[Path]) -> list[Path]:
        """The images at the paths, each once, without the pictures that --overlay wrote."""
        from ocrkit.image import find_images

        found: list[Path] = []
        for path in paths:
            with self.catching_errors():
                images = find_images([path])
                if path.is_dir():
                    images = [image for image in images if not OVERLAY.search(image.name)]
                if not images:
                    self.fail(
                        f"{path}: there are no PNG, JPEG, TIFF or WebP images in this folder "
                        "(pictures that --overlay wrote do not count)"
                    )
                found += images
        return list(dict.fromkeys(found))


@contextmanager
def _session() -> Iterator[_Session]:
    """A session whose end sets the exit status, and which never shows a traceback."""
    session = _Session()
    if isinstance(sys.stdout, TextIOWrapper):  # some terminals cannot show every character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield session
    except OcrkitError as error:
        session.fail(str(error))
        wrong = isinstance(error, CheckpointError | MissingPartError)
        raise typer.Exit(USAGE if wrong else FAILED) from error
    except ModuleNotFoundError as error:
        session.fail(missing_package(error))
        raise typer.Exit(USAGE) from error
    except BrokenPipeError:
        raise  # for example `| head` closes it; typer ends without a message
    except OSError as error:
        session.fail(f"{error.filename or 'a file'}: {error.strerror or error}")
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt as error:
        session.fail("stopped; all files that have been written are complete")
        raise typer.Exit(INTERRUPTED) from error
    if session.failures:
        raise typer.Exit(FAILED)


@contextmanager
def _status(text: str) -> Iterator[None]:
    """A word on the screen while something slow happens, if standard error is a terminal."""
    with Console(stderr=True).status(f"{text} ..."):
        yield


def _documents(
    sources: Sequence[Path],
    stems: Sequence[Path],
    options: ReadOptions,
    jobs: int,
    session: _Session,
) -> Iterator[tuple[Path, Document]]:
    """What could be read of each source, with the stem of its results; a bar shows progress."""
    from ocrkit.archive.run import read_documents

    results = read_documents(sources, options, jobs)
    pairs = zip(stems, results, strict=True)
    for stem, result in tqdm(pairs, total=len(sources), unit=" files", leave=False, disable=None):
        if result.error:
            session.fail(result.error)
        if result.document is not None:
            yield stem, result.document


def _print_text(paths: Sequence[Path], options: ReadOptions, session: _Session) -> None:
    sources = session.find(paths)
    for _, document in _documents(sources, sources, options, 1, session):
        session.print(document.text)


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            wrong = f"{name or 'nothing'} is not among the formats: {', '.join(FORMATS)}"
            raise typer.BadParameter(wrong, param_hint="--format")
    return names


def _make_folder(folder: Path) -> None:
    """Make the output folder and try to write into it, before any reading starts."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot write into this folder: {error.strerror}") from error


def _write(document: Document, stem: Path, formats: Iterable[str], overlay: bool) -> None:
    for name in formats:
        save(document, f"{stem}.{name}")
    if overlay:
        from ocrkit.archive.overlay import overlay as draw
        from ocrkit.image import load_pages

        # Of a damaged file fewer pages may have been read than the file has.
        for page, array in zip(document.pages, load_pages(document.source), strict=False):
            # The number comes last, because x.1.overlay.jpg belongs to a file x.1.png.
            number = f".{page.number}" if len(document.pages) > 1 else ""
            draw(array, page, f"{stem}.overlay{number}.jpg")


def _titled(document: Document) -> str:
    """The text of each page under a title with its confidence and time."""
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
    left_out = sum(len(page.left_out) for page in document.pages)
    return document.source, str(pages), str(lines), str(left_out), confidence, f"{seconds:.2f}"


def _crops(sources: Sequence[Path], session: _Session) -> Iterator[tuple[Path, np.ndarray]]:
    from ocrkit.image import load_pages

    for source in tqdm(sources, unit=" files", leave=False, disable=None):
        with session.catching_errors():
            for crop in load_pages(source):
                yield source, crop
