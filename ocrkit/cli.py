"""The command line: `ocrkit read`, `search`, `recognize`, `evaluate`, `train` and others.

Slow imports are left to the command that needs them, so that every command starts at once.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from ocrkit.archive.formats import FORMATS
from ocrkit.archive.workers import MANY_FILES
from ocrkit.detection import DetectorName
from ocrkit.document import MIN_CONFIDENCE
from ocrkit.errors import (
    CatalogueError,
    CheckpointError,
    MissingPartError,
    OcrkitError,
    OutputError,
    QueryError,
    missing_package,
)
from ocrkit.plain import one_line
from ocrkit.progress import Meter

if TYPE_CHECKING:
    import numpy as np

    from ocrkit.archive.folder import FolderRun
    from ocrkit.archive.results import Output
    from ocrkit.document import Document
    from ocrkit.image import Found
    from ocrkit.measure.tables import Score
    from ocrkit.pipeline import ReadOptions
    from ocrkit.recognition.recognizer import Recognizer
    from ocrkit.training.manifest import Sample

T = TypeVar("T")

OUTPUT = Path("output/read")
OVERLAY = re.compile(r"\.overlay(\.\d+)?\.jpg$")  # the end of the names of --overlay's pictures
SHOWN = 12  # the text of up to so many files is printed without --show
WIDTH, HIDDEN = 0.25, 128  # of a recogniser that is trained from random weights
CHUNK = 256  # line images held in memory at a time
MOST_FAILURES = 50  # errors that are shown
FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143

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
        help=f"What to write: one or more of {','.join(FORMATS)}; csv has the tables only. "
        "[default: txt]",
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
        "weights come with ocrkit[craft]; it is slower and finds single words."
    ),
]
RecognizerOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="The weights to read with: ocrkit-fast for print, ocrkit-hand for handwriting, either "
        "of them with -int8 (faster, by OpenVINO), or the path of a .safetensors, .xml, .onnx or "
        ".pt2 file. [default: ocrkit-fast-int8 where OpenVINO is installed, else ocrkit-fast]",
    ),
]
BackendOption = Annotated[
    Literal["pytorch", "ipex", "openvino", "onnxruntime", "inductor"] | None,
    typer.Option(
        help="What runs the weights: a .safetensors by `pytorch`, `ipex` or `openvino`; an .xml by "
        "`openvino`; an .onnx by `onnxruntime`; a .pt2 by `pytorch` or `inductor`. [default: the "
        "usual one for the file]",
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
PagesWithTextOption = Annotated[
    Literal["skip", "keep", "redo"],
    typer.Option(
        "--pages-with-text",
        help="PDF pages that have text already: `keep` takes this text, `redo` reads the page, "
        "`skip` leaves the page out.",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="How many processes, of one thread each, read pages at the same time. [default: one "
        f"process with all cores; for {MANY_FILES} files or more a process for each core]",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Read on a Dask cluster, by the address of its scheduler, as tcp://10.0.0.1:8786; its "
        "workers see the files under the same paths.",
    ),
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Also read files that have been read before.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON Lines: an object for each, on a line of its own.")
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
HeightOption = Annotated[
    int | None,
    typer.Option(
        min=32, max=47, help="Recogniser: rows of a line image. [default: 32, or as the weights]"
    ),
]
LinesOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER",
        help="Recogniser: also train on real lines, which `python -m ocrkit.training.packing` "
        "packed. Some books are held out for validation.",
    ),
]
RealOption = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Recogniser: the share of real lines. [default: 0.5]"),
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
ModelNameOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="The weights are written to FOLDER/NAME.safetensors."),
]
LabelledArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="LINES|FOLDER",
        help="Lines with their text: corrected pages (JSON), ALTO or PAGE beside their scans, line "
        "images with .gt.txt, a table (.tsv, .csv) of images and texts, or folders of these.",
    ),
]
ValidationOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="LINES|FOLDER",
        help="Lines to validate with. [default: some of the pages that were given]",
    ),
]
EpochsOption = Annotated[
    int, typer.Option(min=1, help="At most so often through the lines; it stops when it can.")
]
TrainMinutesOption = Annotated[
    float | None,
    typer.Option(min=0.1, help="At most so long. [default: no limit]"),
]
AddCharactersOption = Annotated[
    bool,
    typer.Option(
        "--add-characters",
        help="Teach characters that the reader's alphabet lacks; otherwise lines with them are "
        "left out.",
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
HeldOutPagesOption = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Detector: another such folder, to measure the training on."),
]
GroundTruthOption = Annotated[
    bool,
    typer.Option(
        "--ground-truth",
        help="Detector: these pages are ground truth of others, which outlines only a part of the "
        "text, or whole rows of tables; what is not outlined is not learned from.",
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
    with _session() as session:
        folder = output or OUTPUT
        if written:
            _make_folder(folder)
            session.say(f"Looking for files: {_few(paths)}")
        with _status("Loading"):
            from ocrkit.archive.results import Output
            from ocrkit.archive.workers import sensible_jobs
            from ocrkit.pipeline import ReadOptions

            options = ReadOptions(
                detector,
                recognizer,
                min_confidence,
                decoder,
                pages_with_text,
                dehyphenate,
                backend,
            )
            _check_backend(backend, recognizer)
        if not written:
            _print_text(paths, options, session)
            return
        found = session.find(paths)
        jobs = jobs or (None if cluster else sensible_jobs(len(found.images)))
        what = Output(tuple(kinds), overlay, jobs, cluster, again)
        _read_into(folder, found, paths, options, what, show, session)


@app.command()
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
    with _session() as session:
        sources = session.find(files).images
        with _status("Loading"):
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


@app.command()
def search(
    query: Annotated[
        str, typer.Argument(help='Words: mill, mill*, *mill*, "old mill", mill OR mine, mill -old')
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The output folder of `ocrkit read`.")
    ] = OUTPUT,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Pages to show.")] = 20,
    json_lines: JsonOption = False,
) -> None:
    """Search what was read: prints file, page, line and the text around the words, best first.

    All words must be on the page. Case, accents and long s make no difference; after pages with the
    words themselves come pages where one letter of a longer word was misread.

    Exit status: 0 something was found, 1 nothing, 2 a query or folder that cannot be searched.
    """
    with _session(QueryError, CatalogueError) as session:
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
def evaluate(
    sources: LabelledArgument,
    recognizer: RecognizerOption = None,
    decoder: DecoderOption = "language",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write an HTML page with the worst lines."
        ),
    ] = None,
    json_lines: JsonOption = False,
) -> None:
    """Measure how well lines with a known text are read, or pages with a .txt beside their scan.

    Prints the character and word error rates (CER, WER), the share of lines that are read exactly,
    each with its 95 % interval, what is confused most, and how far confidences can be trusted.
    Texts are compared as the reader writes them: ¬ is a hyphen, a ligature two letters.

    Exit status: 0 measured, 1 nothing to measure, 2 wrong usage.
    """
    with _session() as session:
        with _status("Loading"):
            from ocrkit.archive.own_lines import lines_of, pages_of
            from ocrkit.measure.pages import measure_pages
            from ocrkit.recognition.recognizer import Recognizer

            reader = Recognizer.load(recognizer, decoder=decoder)
        if pages := pages_of(sources):
            with redirect_stdout(sys.stderr):  # progress is no result
                found_scores = measure_pages(reader, pages)
            _print_scores(found_scores, f"{len(pages)} pages", json_lines, session)
            return
        found = lines_of(sources)
        for line in found.refused:
            session.say(f"left out: {line.name}: {line.reason}")
        _evaluate_lines(reader, found.samples, output, json_lines, session)


@app.command()
def train(
    sources: LabelledArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the new weights.")
    ] = Path("output/mine"),
    start_from: StartOption = None,
    validation: ValidationOption = None,
    epochs: EpochsOption = 30,
    minutes: TrainMinutesOption = None,
    lr: Annotated[float, typer.Option(min=1e-6, help="Highest learning rate.")] = 1e-3,
    add_characters: AddCharactersOption = False,
    seed: SeedOption = 0,
) -> None:
    """Teach the reader your own lines, and measure what it has learned and what it has forgotten.

    It begins with the reader in use (or --start-from), mixes in synthetic lines so that nothing is
    forgotten, and stops when the lines kept for validation are read no better. Weights that are
    worse than those it began with are never kept. The weights in FP32 and in INT8, for `ocrkit read
    --recognizer`, are in the output folder.

    Exit status: 0 the reader is better, 1 it is not, 2 wrong usage.
    """
    with _session() as session:
        _make_folder(output)
        with _status("Loading"):
            from ocrkit.teaching import Lesson
            from ocrkit.training.config import own_lines_config

        with redirect_stdout(sys.stderr):  # progress is no result
            lesson = Lesson.of(sources, validation, start_from, add_characters, seed)
            for text in lesson.notes:
                session.say(text)
            config = own_lines_config(len(lesson.train), epochs, minutes, lr, seed)
            taught = lesson.teach(output, config)
        if taught is None:
            session.fail("no epoch reads the validation lines better; nothing is written")
            return
        table = Table("lines", "count", "CER before", "CER after", "change (95 %)")
        for change in taught.changes:
            table.add_row(*change.row)
        Console(stderr=True, width=110).print(table)
        for text in taught.warnings:
            session.say(text)
        session.say(f"read with it: ocrkit read SCANS --recognizer {taught.weights}")
        session.print(str(taught.weights))


@app.command()
def pretrain(
    folder: RunFolder = Path("output/pretrain"),
    task: TaskOption = "recognizer",
    minutes: MinutesOption = 60.0,
    width: WidthOption = None,
    hidden: HiddenOption = None,
    height: HeightOption = None,
    lines: LinesOption = None,
    real: RealOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    start_from: StartOption = None,
    lr: RateOption = None,
    pages: OwnPagesOption = None,
    model_name: ModelNameOption = "model",
    pages_held_out: HeldOutPagesOption = None,
    ground_truth: GroundTruthOption = False,
) -> None:
    """Train a recogniser on lines, or a detector on pages, from random or given weights.

    Stop it at any time; the same command continues from the last evaluation. Prints the path of
    the weights: give that of a recogniser to `ocrkit read --recognizer`.
    """
    if (width or hidden or height or lines) and task == "detector":
        wrong = "for a recogniser; a detector has one size and learns from pages: leave them out"
        raise typer.BadParameter(wrong, param_hint="--width, --hidden, --height, --lines")
    if real is not None and not lines:
        wrong = "the share of real lines: name their folder with --lines, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--real")
    if (pages or pages_held_out or ground_truth) and task == "recognizer":
        wrong = "a recogniser does not learn from pages: give --task detector, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--pages, --pages-held-out, --ground-truth")
    if not model_name or model_name != Path(model_name).name:
        wrong = f"{model_name!r} is not a plain file name; give the folder as the argument"
        raise typer.BadParameter(wrong, param_hint="--model-name")
    with _session() as session:
        with _status("Loading"):
            from ocrkit.recognition.network import ModelConfig
            from ocrkit.training import pretrain as reading
            from ocrkit.training import pretrain_detector as detection
        lr = lr or reading.PretrainConfig.lr / (2 if start_from else 1)
        if task == "detector":
            config = detection.DetectorPretrainConfig(
                minutes=minutes,
                seed=seed,
                workers=workers,
                lr=lr,
                pages=pages,
                pages_held_out=pages_held_out,
                ground_truth=ground_truth,
                name=model_name,
            )
            weights = detection.pretrain_detector(folder, config, start_from)
        else:
            sized = width or hidden
            model = ModelConfig(width or WIDTH, hidden or HIDDEN, "all") if sized else None
            ramp = 0 if start_from else reading.PretrainConfig.ramp
            settings = reading.PretrainConfig(
                minutes=minutes,
                seed=seed,
                workers=workers,
                lr=lr,
                model=model,
                height=height,
                lines=lines,
                real=reading.PretrainConfig.real if real is None else real,
                ramp=ramp,
                name=model_name,
            )
            weights = reading.pretrain(folder, settings, start_from)
        session.print(str(weights))


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


class _Session:
    """What a command prints: results on standard output, everything else on standard error."""

    failures = 0

    def say(self, text: str) -> None:
        """A line for the person at the screen, not a result."""
        with tqdm.external_write_mode():
            typer.echo(one_line(text), err=True)

    def print(self, text: str) -> None:
        with tqdm.external_write_mode():  # or the progress bar and the text would mix
            typer.echo(text)

    def fail(self, message: str) -> None:
        self.failures += 1
        if self.failures <= MOST_FAILURES:
            with tqdm.external_write_mode():
                typer.secho(one_line(message), fg="red", err=True)
        elif self.failures == MOST_FAILURES + 1:
            self.say("further errors are counted, but not shown; report.csv has them all")

    @contextmanager
    def catching_errors(self) -> Iterator[None]:
        """The kit's errors inside are printed and counted, and the command goes on."""
        try:
            yield
        except OcrkitError as error:
            self.fail(str(error))

    def find(self, paths: Sequence[Path]) -> Found:
        """The images at the paths, each once, without the pictures that --overlay wrote."""
        from ocrkit.image import Found, search_folders

        images: dict[Path, None] = {}
        others: dict[Path, None] = {}
        for path in paths:
            with self.catching_errors():
                found = search_folders([path])
                wanted = [image for image in found.images if not _is_overlay(image, path)]
                images |= dict.fromkeys(wanted)
                others |= dict.fromkeys(found.others)
                if not wanted:
                    self.fail(
                        f"{path}: there are no images or PDF files in this folder "
                        "(pictures that --overlay wrote do not count)"
                    )
        return Found(list(images), [path for path in others if path not in images])


def _is_overlay(image: Path, given: Path) -> bool:
    return image != given and OVERLAY.search(image.name) is not None


class _TerminatedError(KeyboardInterrupt):
    """The process was asked to end; what ends an interrupted command ends this one too."""


def _terminate(number: int, frame: object) -> None:
    raise _TerminatedError


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, with everything cleared up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set a signal's handler
        return
    handler = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def _session(*usage: type[OcrkitError]) -> Iterator[_Session]:
    """A session whose end sets the exit status, and which never shows a traceback.

    usage: further errors that mean that the command was wrong.
    """
    session = _Session()
    if isinstance(sys.stdout, TextIOWrapper):  # some terminals cannot show every character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _stopped_by_sigterm():
            yield session
    except OcrkitError as error:
        session.fail(str(error))
        wrong = isinstance(error, (CheckpointError, MissingPartError, *usage))
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
        status = TERMINATED if isinstance(error, _TerminatedError) else INTERRUPTED
        raise typer.Exit(status) from error
    if session.failures:
        raise typer.Exit(FAILED)


@contextmanager
def _status(text: str) -> Iterator[None]:
    """A word on the screen while something slow happens, if standard error is a terminal."""
    with Console(stderr=True).status(f"{text} ..."):
        yield


def _evaluate_lines(
    reader: Recognizer,
    samples: Sequence[Sample],
    report: Path | None,
    json_lines: bool,
    session: _Session,
) -> None:
    """Read lines, and print how well; report: an HTML page of the worst."""
    from dataclasses import replace

    from ocrkit.measure.lines import scores, write_line_report
    from ocrkit.metrics import confusions
    from ocrkit.recognition.alphabet import normalized
    from ocrkit.training.evaluation import evaluate as evaluated
    from ocrkit.training.manifest import load_crops

    samples = [replace(sample, text=normalized(sample.text)) for sample in samples]
    crops = load_crops(samples)
    result = evaluated(reader, samples, crops)
    _print_scores(scores(result), f"{len(samples)} lines", json_lines, session)
    if not json_lines:
        for wanted, found, count in confusions(result.targets, result.predictions, most=10):
            session.print(f"{count:5} times  {wanted!r} is read {found!r}")
    if report:
        names = [sample.name for sample in samples]
        session.say(f"report: {write_line_report(result, crops, names, report)}")


def _print_scores(scores: Sequence[Score], what: str, json_lines: bool, session: _Session) -> None:
    """Scores with their intervals, as a table or as JSON."""
    if json_lines:
        values: dict[str, object] = {"of": what}
        for score in scores:
            values |= {score.name: score.value, f"{score.name}, interval": score.interval}
        session.print(json.dumps(values))
        return
    session.print(what)
    for name, value, note in (score.row for score in scores):
        session.print(f"{name:20} {value:>8}  {note and f'({note})'}".rstrip())


def _read_into(
    folder: Path,
    found: Found,
    roots: Sequence[Path],
    options: ReadOptions,
    output: Output,
    show: bool | None,
    session: _Session,
) -> None:
    """Read files into a folder; say what is done, how far it is, and what came of it."""
    from ocrkit.archive.folder import FolderRun
    from ocrkit.archive.report import write_report

    with FolderRun.into(folder, found.images, roots, options, output) as run:
        session.say(f"{len(run.plan.files)} files: {run.plan}")
        left_out = run.left_out(found.others)
        if left_out:
            session.say(f"{len(left_out)} files are no images and are left out: {_few(left_out)}")
        show = run.expected <= SHOWN if show is None else show
        table = Table("file", "pages", "lines", "left out", "confidence", "seconds")
        counts = Counter[str]()
        meter = Meter("Reading", "pages", run.expected)
        if not run.expected:
            session.say("there is nothing to read; --again reads all files again")
        try:
            for step in run.steps():
                meter.update(run.pages, run.expected)
                if step.file is None:
                    continue
                if step.error:
                    session.fail(step.error)
                counts["failed"] += bool(step.error)
                if step.document is not None:
                    counts["pages"] += len(step.document.pages)
                    if len(run.plan.files) <= SHOWN:
                        table.add_row(*map(Text, _summary(step.document)))
                    if show:
                        session.print(_titled(step.document))
        finally:
            meter.close()
            if table.row_count:
                Console(stderr=True).print(table)
            summary = _counted(counts, run, meter) + f", results in {folder}"
            session.say(summary)
        with session.catching_errors():
            session.say(f"report: {write_report(run.catalogue, summary, left_out)}")


def _counted(counts: Counter[str], run: FolderRun, meter: Meter) -> str:
    parts = [f"{run.written} written"]
    if run.pages:
        parts[0] += f" ({run.pages} pages read{meter.rate and ', '}{meter.rate})"
    if known := run.plan.counts["unchanged"]:
        parts.append(f"{known} unchanged")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    return ", ".join(parts)


def _few(paths: Sequence[Path]) -> str:
    """The first names of many."""
    names = ", ".join(str(path) for path in paths[:3])
    return names + (f" and {len(paths) - 3} others" if len(paths) > 3 else "")


def _print_text(paths: Sequence[Path], options: ReadOptions, session: _Session) -> None:
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


def _make_folder(folder: Path) -> None:
    """Make the output folder and try to write into it, before any reading starts."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot write into this folder: {error.strerror}") from error


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


def _crops(sources: Sequence[Path], session: _Session) -> Iterator[tuple[Path, np.ndarray]]:
    from ocrkit.image import load_pages

    for source in tqdm(sources, unit=" files", leave=False, disable=None):
        with session.catching_errors():
            for crop in load_pages(source):
                yield source, crop
