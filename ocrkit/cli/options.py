"""The arguments and options of the commands, each with its help text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ocrkit.archive.formats import FORMATS
from ocrkit.archive.workers import MANY_FILES
from ocrkit.detection import DetectorName

OUTPUT = Path("output/read")
SHOWN = 12  # without --show, the text is printed if there are at most this many files
WIDTH, HIDDEN = 0.25, 128  # of a recogniser that is trained from random weights

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # C:/ is a drive of Windows


def no_address(given: Any) -> Any:
    """The path or paths, if none is an address such as s3://scans; else typer.BadParameter."""
    for path in given if isinstance(given, list) else [given]:
        # A Path has made :/ of ://
        if _ADDRESS.match(str(path)) and not Path(path.parts[0]).exists():
            raise typer.BadParameter(
                f"{path.parts[0]}//{Path(*path.parts[1:])} is an address; ocrkit reads and writes "
                "folders: mount that storage (S3 for example with `rclone mount`), and give the "
                "folder where it is mounted"
            )
    return given


Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", help="Images, and folders of images.", callback=no_address),
]
LineFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", help="Images of one line each, and folders of them.", callback=no_address
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help=f"Folder for the results. [default: {OUTPUT}]",
        callback=no_address,
    ),
]
LessonFolder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for the new weights.", callback=no_address
    ),
]
WorstLinesOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write an HTML page with the worst lines.",
        callback=no_address,
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
        "reads uncertain lines up to six times, and uses a language model."
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
        help="Read on a Dask cluster: the address of its scheduler, such as tcp://10.0.0.1:8786. "
        "Its workers must see the files under the same paths. It needs ocrkit[cluster].",
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
TeachStartOption = Annotated[
    str | None,
    typer.Option(
        "--start-from",
        metavar="NAME|PATH",
        help="The weights to teach: ocrkit-fast for print, ocrkit-hand for handwriting, or the "
        "path of a .safetensors. [default: ocrkit-fast]",
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
    int,
    typer.Option(
        min=1, help="Most passes through the lines. It stops earlier if validation gets no better."
    ),
]
TrainMinutesOption = Annotated[
    float | None,
    typer.Option(min=0.1, help="Time limit of the training. [default: no limit]"),
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
        help="Detector: these pages are public ground truth, in which some text has no outline, or "
        "a row of a table has only one. What has no outline is not learned from.",
    ),
]
