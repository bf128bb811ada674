"""The commands `ocrkit train`, `ocrkit evaluate` and `ocrkit pretrain`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ocrkit.cli.options import (
    HIDDEN,
    WIDTH,
    AddCharactersOption,
    DecoderOption,
    EpochsOption,
    GroundTruthOption,
    HeightOption,
    HeldOutPagesOption,
    HiddenOption,
    JsonOption,
    LabelledArgument,
    LessonFolder,
    LinesOption,
    MinutesOption,
    ModelNameOption,
    OwnPagesOption,
    RateOption,
    RealOption,
    RecognizerOption,
    RunFolder,
    SeedOption,
    StartOption,
    TaskOption,
    TeachStartOption,
    TrainMinutesOption,
    ValidationOption,
    WidthOption,
    WorkersOption,
    WorstLinesOption,
)
from ocrkit.cli.session import Session, make_folder, open_session, status

if TYPE_CHECKING:
    from ocrkit.measure.tables import Score
    from ocrkit.recognition.recognizer import Recognizer
    from ocrkit.training.manifest import Sample


def evaluate(
    sources: LabelledArgument,
    recognizer: RecognizerOption = None,
    decoder: DecoderOption = "language",
    output: WorstLinesOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Measure how well lines with a known text are read, or pages with a .txt beside their scan.

    Prints the character and word error rates (CER, WER), the share of lines that are read exactly,
    each with its 95 % interval, what is confused most, and how far confidences can be trusted.
    Texts are compared as the reader writes them: ¬ is a hyphen, a ligature two letters.

    Exit status: 0 measured, 1 nothing to measure, 2 wrong usage.
    """
    with open_session() as session:
        with status("Loading"):
            from ocrkit.archive.own_lines import lines_of, pages_of
            from ocrkit.measure.pages import measure_pages
            from ocrkit.recognition.recognizer import Recognizer

            reader = Recognizer.load(recognizer, decoder=decoder)
        if pages := pages_of(sources):
            with redirect_stdout(sys.stderr):  # standard output is for the result
                found_scores = measure_pages(reader, pages)
            _print_scores(found_scores, f"{len(pages)} pages", json_lines, session)
            return
        found = lines_of(sources)
        for line in found.refused:
            session.say(f"left out: {line.name}: {line.reason}")
        _evaluate_lines(reader, found.samples, output, json_lines, session)


def train(
    sources: LabelledArgument,
    output: LessonFolder = Path("output/mine"),
    start_from: TeachStartOption = None,
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
    with open_session() as session:
        make_folder(output)
        with status("Loading"):
            from ocrkit.teaching import Lesson
            from ocrkit.training.config import own_lines_config

        with redirect_stdout(sys.stderr):  # standard output is for the result
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
        for text in (*taught.notes, *taught.warnings):
            session.say(text)
        session.say(f"read with it: ocrkit read SCANS --recognizer {taught.weights}")
        session.print(str(taught.weights))


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
    of_lines = bool(width or hidden or height or lines)
    of_pages = bool(pages or pages_held_out or ground_truth)
    _check_usage(task, of_lines, of_pages, real is not None and not lines, model_name)
    with open_session() as session:
        with status("Loading"):
            from ocrkit.recognition.network import ModelConfig
            from ocrkit.training import pretrain as reading
            from ocrkit.training import pretrain_detector as detection
        lr = lr or reading.PretrainConfig.lr / (2 if start_from else 1)
        budget: dict[str, Any] = {"minutes": minutes, "seed": seed, "workers": workers, "lr": lr}
        budget["name"] = model_name
        if task == "detector":
            config = detection.DetectorPretrainConfig(
                pages=pages, pages_held_out=pages_held_out, ground_truth=ground_truth, **budget
            )
            weights = detection.pretrain_detector(folder, config, start_from)
        else:
            sized = width or hidden
            model = ModelConfig(width or WIDTH, hidden or HIDDEN, "all") if sized else None
            ramp = 0 if start_from else reading.PretrainConfig.ramp
            share = reading.PretrainConfig.real if real is None else real
            settings = reading.PretrainConfig(
                model=model, height=height, lines=lines, real=share, ramp=ramp, **budget
            )
            weights = reading.pretrain(folder, settings, start_from)
        session.print(str(weights))


def _check_usage(
    task: str, of_lines: bool, of_pages: bool, real_alone: bool, model_name: str
) -> None:
    """Raises typer.BadParameter for options of `pretrain` that do not fit together.

    of_lines, of_pages: whether options for a recogniser or for a detector are given. real_alone:
    whether --real is given without --lines.
    """
    if of_lines and task == "detector":
        wrong = "for a recogniser; a detector has one size and learns from pages: leave them out"
        raise typer.BadParameter(wrong, param_hint="--width, --hidden, --height, --lines")
    if real_alone:
        wrong = "the share of real lines: name their folder with --lines, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--real")
    if of_pages and task == "recognizer":
        wrong = "a recogniser does not learn from pages: give --task detector, or leave it out"
        raise typer.BadParameter(wrong, param_hint="--pages, --pages-held-out, --ground-truth")
    if not model_name or model_name != Path(model_name).name:
        wrong = f"{model_name!r} is not a plain file name; give the folder as the argument"
        raise typer.BadParameter(wrong, param_hint="--model-name")


def _evaluate_lines(
    reader: Recognizer,
    samples: Sequence[Sample],
    report: Path | None,
    json_lines: bool,
    session: Session,
) -> None:
    """Read lines and print the scores; report: where an HTML page with the worst lines goes."""
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


def _print_scores(scores: Sequence[Score], what: str, json_lines: bool, session: Session) -> None:
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
