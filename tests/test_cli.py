from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner, Result

from ocrkit import files, pipeline
from ocrkit.archive.folder import OWN
from ocrkit.cli import app, options, reading
from ocrkit.document import Document
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.reading import Reading, WordReading
from ocrkit.recognition.recognizer import DECODERS, Recognizer
from ocrkit.training.pretrain import PretrainConfig


class Reader:
    """Reads every line as "read well", with the width of the crop."""

    def __call__(self, crops: Sequence[np.ndarray]) -> list[Reading]:
        return [
            Reading(f"well {crop.shape[1]}", 0.9, (WordReading("well", 0.9, 0.0, 0.6),))
            for crop in crops
        ]


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A reader that needs no weights, in a folder of its own."""
    monkeypatch.setattr(pipeline, "_recognizer", lambda *args, **options: Reader())
    monkeypatch.setattr(Recognizer, "load", lambda *args, **options: Reader())
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def scan(path: str, text: str = "some words", pages: int = 1) -> Path:
    page = Image.new("L", (320, 120), 255)
    ImageDraw.Draw(page).text((30, 40), text, 0, ImageFont.load_default(24))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    more = {"save_all": True, "append_images": [page] * (pages - 1)} if pages > 1 else {}
    page.save(path, **more)
    return Path(path)


def files_below(folder: str) -> list[str]:
    """Scans and results, without the catalogue and the report of a run."""
    files = (path for path in Path(folder).rglob("*") if path.is_file() and path.name not in OWN)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_a_single_document_is_printed_and_nothing_else_happens() -> None:
    result = run("read", scan("letter.png"))
    assert result.exit_code == 0
    assert result.stdout.startswith("well ")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""
    assert files_below(".") == ["letter.png"]


def test_lines_below_the_confidence_asked_for_are_left_out() -> None:
    path = scan("letter.png")
    assert run("read", path, "--min-confidence", "0.9").stdout.startswith("well ")
    assert run("read", path, "--min-confidence", "0.91").stdout.strip() == ""


def test_a_folder_is_read_into_the_output_folder_with_its_tree() -> None:
    scan("scans/a.png"), scan("scans/1847/b.tif", pages=2)
    result = run("read", "scans")
    assert result.exit_code == 0
    assert files_below("output") == ["read/1847/b.txt", "read/a.txt"]
    assert Path("output/read/a.txt").read_text().startswith("well ")


def test_what_is_asked_for_is_written_and_shown() -> None:
    scan("scans/a.png"), scan("scans/b.tif", pages=2)
    result = run("read", "scans", "-o", "out", "--format", "txt,json", "--overlay")
    assert result.exit_code == 0
    assert files_below("out") == [
        "a.json",
        "a.overlay.jpg",
        "a.txt",
        "b.json",
        "b.overlay.1.jpg",
        "b.overlay.2.jpg",
        "b.txt",
    ]
    document = Document.from_dict(json.loads(Path("out/b.json").read_text()))
    assert [page.number for page in document.pages] == [1, 2]
    for part in ("scans/a.png", "scans/b.tif, page 2", "confidence 90%", " s\n", "well "):
        assert part in result.stdout
    for part in ("a.png", "b.tif", "90%", "2 written (3 pages read"):
        assert part in result.stderr


def test_texts_are_shown_or_not_as_asked_and_not_for_many() -> None:
    for i in range(options.SHOWN + 1):
        scan(f"many/{i}.png")
    assert run("read", "many").stdout == ""
    assert "well" in run("read", "many", "--again", "--show").stdout
    assert run("read", "many/1.png", "many/2.png", "--no-show").stdout == ""


@pytest.mark.parametrize("folder", ["scans/out", "scans", "."])
def test_reading_again_does_not_read_the_pictures_it_wrote(folder: str) -> None:
    scan("scans/a.png"), scan("scans/b.tif", pages=2)
    for _ in range(2):
        assert run("read", "scans", "-o", folder, "--overlay").exit_code == 0
    assert {name.rpartition("/")[2] for name in files_below(".")} == {
        "a.overlay.jpg",
        "a.png",
        "a.txt",
        "b.overlay.1.jpg",
        "b.overlay.2.jpg",
        "b.tif",
        "b.txt",
    }


def test_no_picture_of_a_page_overwrites_that_of_another_file() -> None:
    assert run("read", scan("x.tif", pages=2), scan("x.1.png"), "--overlay").exit_code == 0
    assert [name for name in files_below("output/read") if name.endswith(".jpg")] == [
        "x.1.overlay.jpg",
        "x.overlay.1.jpg",
        "x.overlay.2.jpg",
    ]


def test_the_pages_beside_a_damaged_one_are_written_and_the_damage_is_said_once() -> None:
    first, last = Image.effect_noise((200, 100), 50), Image.effect_noise((200, 101), 50)
    first.save("a.tif", save_all=True, append_images=[last])
    Path("a.tif").write_bytes(Path("a.tif").read_bytes()[:-10_000])
    result = run("read", "a.tif", "-o", "out", "--overlay")
    assert result.exit_code == 1
    assert result.stderr.count("a.tif: damaged or cut short") == 1
    assert "(pages read: 1, not read: 2)" in result.stderr
    assert files_below("out") == ["a.overlay.jpg", "a.txt"]


def test_names_are_no_markup() -> None:
    assert "[verso].png" in run("read", scan("[verso].png"), "-o", "out").stderr


def test_two_files_of_one_name_do_not_overwrite_each_other() -> None:
    result = run("read", scan("a/x.png"), scan("b/x.png"), "-o", "out")
    assert result.exit_code == 0
    assert files_below("out") == ["a/x.txt", "b/x.txt"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ((), "PATH"),
        (("x.png", "--format", "docx"), "docx is not among the formats: txt, json"),
        (("x.png", "--format", ","), "txt, json"),
        (("x.png", "--detector", "tesseract"), "lines"),
        (("x.png", "--jobs", "0"), "jobs"),
        (("x.png", "--backend", "tensorrt"), "ipex"),
        (("x.png", "--recognizer", "ocrkit-fast-int8", "--backend", "ipex"), "run by openvino"),
        (("x.png", "--no-such-option"), "No such option"),
    ],
)
def test_wrong_usage_is_exit_2_and_says_what_is_right(
    arguments: tuple[str, ...], hint: str
) -> None:
    result = run("read", *arguments)
    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--width", "0.5", "--task", "detector"), "a detector has one size"),
        (("--hidden", "64", "--task", "detector"), "a detector has one size"),
        (("--height", "40", "--task", "detector"), "a detector has one size"),
        (("--lines", "packed", "--task", "detector"), "learns from pages"),
        (("--pages", "mine"), "--task detector"),
        (("--real", "0.5"), "with --lines"),
        (("--model-name", "a/b"), "not a plain file name"),
    ],
)
def test_options_that_training_would_ignore_are_refused(
    arguments: tuple[str, ...], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pretrain", "pretrain_detector"):
        monkeypatch.setattr(f"ocrkit.training.{name}.{name}", lambda *args: "model.safetensors")
    result = run("pretrain", "mine", *arguments)
    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "lr", "ramp"),
    [
        ((), 0.002, 60_000),
        (("--start-from", "ocrkit-fast"), 0.001, 0),
        (("--start-from", "ocrkit-fast", "--lr", "0.0005"), 0.0005, 0),
    ],
)
def test_weights_to_start_from_are_trained_on_gently_and_on_whole_lines(
    arguments: tuple[str, ...], lr: float, ramp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PretrainConfig] = []

    def train(folder: Path, config: PretrainConfig, start_from: str | None) -> str:
        asked.append(config)
        return "model.safetensors"

    monkeypatch.setattr("ocrkit.training.pretrain.pretrain", train)
    assert run("pretrain", "mine", *arguments).exit_code == 0
    assert [(config.lr, config.ramp) for config in asked] == [(lr, ramp)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["read", "s3://bucket/scans"],
        ["read", "a.png", "memory://scans/b.png"],
        ["read", "a.png", "-o", "s3://bucket/out"],
        ["recognize", "file:///scans/a.png"],
        ["search", "mill", "https://example.org/out"],
    ],
)
def test_an_address_is_no_path_and_the_remedy_is_said(arguments: list[str]) -> None:
    scan("a.png")
    result = run(*arguments)
    assert result.exit_code == 2
    said = " ".join(re.sub(r"[^\x20-\x7e]", " ", result.stderr).split())
    assert "is an address; ocrkit reads and writes folders: mount that storage" in said
    assert [path.name for path in Path().iterdir()] == ["a.png"]


def test_what_the_system_refuses_is_one_line() -> None:
    result = run("pretrain", "/dev/null/x")
    assert result.exit_code == 1
    assert result.stderr == "/dev/null/x: Not a directory\n"


def test_no_command_shows_help() -> None:
    assert "recognize" in run().output


def test_craft_without_its_weights_is_exit_2_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("easyocr")
    monkeypatch.setattr("ocrkit.detection.craft.easyocr_weights", lambda: Path("nowhere"))
    result = run("read", scan("a.png"), "--detector", "craft")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "craft_mlt_25k.pth" in result.stderr


def test_lines_are_recognised_as_tab_separated_values() -> None:
    paths = [scan("lines/a.png"), scan("lines/b.png")]
    result = run("recognize", *paths)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == "".join(f"{path}\t0.900\twell 320\n" for path in paths)
    assert run("recognize", "lines").stdout == result.stdout


def test_lines_in_more_than_one_chunk_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    paths = [str(scan(f"lines/{i}.png")) for i in range(5)]
    rows = run("recognize", *paths).stdout.splitlines()
    assert [row.split("\t")[0] for row in rows] == paths


def test_a_line_that_cannot_be_read_is_said_apart_and_the_others_are_read() -> None:
    Path("bad.png").write_text("not an image")
    result = run("recognize", scan("a.png"), "bad.png", scan("b.png"))
    assert result.exit_code == 1
    assert [row.split("\t")[0] for row in result.stdout.splitlines()] == ["a.png", "b.png"]
    assert result.stderr.startswith("bad.png: ")
    assert len(result.stderr.splitlines()) == 1


def test_weights_of_ones_own_are_taken_by_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    CRNN(ModelConfig(width=0.02, hidden=8), Alphabet()).save("my.safetensors")
    result = run("recognize", scan("a.png"), "--recognizer", "my.safetensors")
    assert result.exit_code == 0
    assert result.stdout.startswith("a.png\t0.")
    for command in ("read", "recognize"):
        result = run(command, "a.png", "--recognizer", "your.safetensors")
        assert result.exit_code == 2
        assert "your.safetensors" in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["ocrkit-detector", "ocrkit-detector-int8"])
def test_a_detector_is_not_taken_for_a_recogniser(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    result = run("read", scan("a.png"), "--recognizer", name)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "is a detector, not a checkpoint of a recogniser" in result.stderr
    assert "(ocrkit-fast, ocrkit-fast-int8, ocrkit-hand, ocrkit-hand-int8)" in result.stderr


def test_ctrl_c_leaves_whole_files_only_and_is_exit_130(monkeypatch: pytest.MonkeyPatch) -> None:
    scan("scans/a.png"), scan("scans/b.png")
    replaced = []

    def replace(source: Path, target: Path) -> None:
        if replaced:
            raise KeyboardInterrupt
        replaced.append(target)
        os.rename(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    result = run("read", "scans", "-o", "out")
    assert result.exit_code == 130
    assert "stopped" in result.stderr
    assert files_below("out") == ["a.txt"]


def test_a_real_ctrl_c_ends_all_processes_without_a_traceback() -> None:
    CRNN(ModelConfig(width=0.02, hidden=8), Alphabet()).save("my.safetensors")
    for i in range(1500):  # more than are read before the signal comes
        scan(f"scans/{i:04}.png")
    arguments = ["read", "scans", "-o", "out", "--recognizer", "my.safetensors", "-j", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ocrkit.cli import app; app()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background may have them ignore it.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 180
    while not list(Path("out").glob("*.txt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    errors = None
    # Python loses an interrupt that comes within a __del__ or a weakref's callback; people press
    # again then.
    while errors is None and time.monotonic() < deadline:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the worker processes too
        with suppress(subprocess.TimeoutExpired):
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "stopped" in errors
    assert 1 <= len(list(Path("out").iterdir())) < 1500
    assert not list(Path("out").glob(".*"))


def test_doctor_prints_its_findings() -> None:
    result = run("doctor")
    assert result.exit_code in (0, 1)
    assert "torch" in result.stdout


def test_help_starts_in_under_a_second_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ocrkit.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('loaded', sorted({'torch', 'cv2', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "loaded []" in done.stdout
    # Not by the clock: the machine may be busy with something else.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


@pytest.mark.parametrize("command", ["read", "recognize"])
def test_the_decoders_to_choose_from_are_those_there_are(command):
    (text,) = re.findall(r"--decoder <(.*?)>", run(command, "--help").output)
    assert tuple(text.split("|")) == DECODERS


# --- formats and PDF


def test_every_format_is_written_with_a_file_for_each_page_where_it_holds_one() -> None:
    formats = "txt,json,tsv,csv,hocr,alto,page,pdf"
    assert run("read", scan("a.tif", pages=2), "-o", "out", "--format", formats).exit_code == 0
    assert files_below("out") == [
        "a.alto.1.xml",
        "a.alto.2.xml",
        "a.csv",
        "a.hocr",
        "a.json",
        "a.page.1.xml",
        "a.page.2.xml",
        "a.pdf",
        "a.tsv",
        "a.txt",
    ]


def test_a_pdf_is_read_and_its_own_text_kept_redone_or_skipped() -> None:
    made = FPDF()
    made.add_page()
    made.set_font("Helvetica", size=40)
    made.cell(text="Born digital")
    made.add_page()
    made.image(scan("a.png"), 0, 0, 210, 79)
    made.output("both.pdf")
    for how, first in (("keep", "Born digital\f"), ("redo", "well "), ("skip", "well ")):
        result = run("read", "both.pdf", "--pages-with-text", how)
        assert result.exit_code == 0
        assert result.stdout.startswith(first)
        assert result.stdout.count("\f") == (how != "skip")
    assert run("read", "both.pdf", "--pages-with-text", "burn").exit_code == 2


def test_a_broken_pdf_is_one_line() -> None:
    Path("a.pdf").write_bytes(b"%PDF-1.7 and no more")
    result = run("read", "a.pdf", scan("b.png"), "-o", "out")
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("a.pdf: ")]
    assert files_below("out") == ["b.txt"]


# --- own lines


@pytest.fixture
def labelled() -> Path:
    """Two line images with their texts."""
    for name, text in (("f1-1", "one two"), ("f2-1", "three")):
        scan(f"own/{name}.png", text)
        Path(f"own/{name}.gt.txt").write_text(text)
    return Path("own")


def test_lines_are_evaluated_with_their_intervals_and_the_worst_are_shown(labelled: Path) -> None:
    Path("own/empty.gt.txt").write_text("no image")
    result = run("evaluate", labelled, "-o", "report.html")
    assert result.exit_code == 0, result.output
    assert "2 lines" in result.stdout
    assert re.search(r"^CER +\d\.\d{4}  \(\d\.\d{4} to \d\.\d{4}\)$", result.stdout, re.MULTILINE)
    assert "left out: own/empty.gt.txt: there is no image" in result.stderr
    assert "<section>" in Path("report.html").read_text("utf-8")


def test_pages_with_their_text_are_evaluated(labelled: Path) -> None:
    Path("own/f1-1.txt").write_text("one two")
    result = run("evaluate", labelled, "--json")
    scores = json.loads(result.stdout)
    assert scores["of"] == "1 pages"
    assert 0 <= scores["CER, interval"][0] <= scores["CER"]
    assert "word F1, mean" in scores


def test_a_reader_is_taught_and_the_command_to_use_it_is_said(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocrkit import teaching
    from ocrkit.measure.taught import Change
    from ocrkit.training.history import History

    asked = {}

    def teach(self: teaching.Lesson, folder: Path, config: Any) -> teaching.Taught:
        asked.update(folder=folder, config=config)
        change = Change("your validation lines", ("abcd",), ("abxd",), ("abcd",), (0.04, 0.02))
        return teaching.Taught(folder / "model-int8.xml", History(()), (change,))

    monkeypatch.setattr(teaching.Lesson, "teach", teach)
    result = run("train", labelled, "-o", "mine", "--epochs", 3, "--minutes", 2)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(Path("mine/model-int8.xml"))
    assert "ocrkit read SCANS --recognizer mine/model-int8.xml" in result.stderr
    assert "0.2500" in result.stderr and "0.0000" in result.stderr
    assert "calibration error 0.0400 before, 0.0200 now" in result.stderr
    assert (asked["config"].epochs, asked["config"].minutes) == (3, 2.0)
    monkeypatch.setattr(teaching.Lesson, "teach", lambda *_: None)
    result = run("train", labelled, "-o", "mine")
    assert result.exit_code == 1
    assert "nothing is written" in result.stderr
