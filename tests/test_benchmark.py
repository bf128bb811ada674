from __future__ import annotations

import os
import re
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ocrkit import benchmark
from ocrkit.alphabet import Alphabet
from ocrkit.benchmark import (
    READERS,
    Apart,
    Artefact,
    Spread,
    available,
    compare,
    diff,
    interleaved,
    nominal_peak,
    roofline,
    shoot_out,
    tesseract_reader,
)
from ocrkit.data import Sample
from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.model import CRNN, ModelConfig
from ocrkit.recognize import Recognizer

SMALL = ModelConfig(0.125, 8)
SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture
def words(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = [Sample(tmp_path / f"{i}.png", f"word{i}") for i in range(3)]
    for sample in samples:
        cv2.imwrite(str(sample.path), rng.integers(0, 255, (40, 90), np.uint8))
    return samples


# --- timing


def test_a_spread_says_median_lowest_and_highest() -> None:
    spread = Spread((4.0, 1.0, 2.0))
    assert spread.median == 2.0
    assert str(spread) == "2.00 (1.00-4.00)"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012"), (0.5, "0.50"), (12.34, "12.3"), (1234.5, "1234")]
)
def test_a_spread_is_written_with_about_three_digits(value: float, text: str) -> None:
    assert str(Spread((value,))) == f"{text} ({text}-{text})"


def test_ratios_are_taken_within_a_round() -> None:
    assert Spread((4.0, 9.0)).ratio(Spread((2.0, 3.0))).values == (2.0, 3.0)
    assert Spread((2.0, 4.0)).map(lambda s: 1 / s).values == (0.5, 0.25)


def test_what_goes_into_json_is_plain() -> None:
    rows = [{"label": "a", "ms": Spread((1.0, 3.0)), "mb": 2.5, "percent": None, "evaluation": []}]
    assert benchmark.medians(rows) == [{"label": "a", "ms": 2.0, "mb": 2.5, "percent": None}]


def test_runs_take_turns() -> None:
    called: list[str] = []
    spreads = interleaved({name: partial(called.append, name) for name in "ab"}, rounds=3)
    assert called == list("ababab")
    assert {name: len(spread.values) for name, spread in spreads.items()} == {"a": 3, "b": 3}


def test_what_cannot_be_made_is_left_out_with_its_reason() -> None:
    def fails(error: Exception) -> int:
        raise error

    made, reasons = available(
        {
            "there": lambda: 1,
            "missing": partial(fails, MissingPartError("not installed")),
            "broken": partial(fails, RuntimeError("two\nlines")),
        }
    )
    assert made == {"there": 1}
    assert reasons == {"missing": "not installed", "broken": "RuntimeError: two lines"}


def test_ranges_that_share_a_value_overlap() -> None:
    low, high = Spread((1.0, 2.0)), Spread((2.5, 3.0))
    assert not low.overlaps(high) and not high.overlaps(low)
    between = Spread((1.9, 2.6))
    assert all(a.overlaps(b) and b.overlaps(a) for a, b in ((low, between), (between, high)))
    assert Spread((0.0, 9.0)).overlaps(between) and between.overlaps(Spread((0.0, 9.0)))


def test_what_is_apart_is_made_once_in_a_process_of_its_own() -> None:
    with Apart(partial(list, "ab")) as process:
        assert process(list.append, "c") is None
        assert process(len) == 3
        assert process.seconds(list.append, "d") > 0
        assert process(len) == 4
        # Two calls at least, of which the first is not counted.
        assert 0 < process.seconds(list.append, "e", least=1e-9) < 1
        assert process(len) >= 6


def test_an_error_in_making_what_is_apart_comes_up_here() -> None:
    with pytest.raises(OcrkitError, match="no weights are called 'none-such'"):
        Apart(partial(Recognizer.load, "none-such"))


# --- artefacts


def test_a_missing_artefact_is_a_row_with_its_reason(words: list[Sample], tmp_path: Path) -> None:
    checkpoint = CRNN(SMALL, Alphabet("abc")).save(tmp_path / "crnn.safetensors")
    there = Artefact("PyTorch FP32", checkpoint, checkpoint, "02_train")
    missing = Artefact("OpenVINO INT8", tmp_path / "no.xml", checkpoint, "05_openvino")
    first, second = compare([there, missing], words, batches=(1, 2), rounds=2, starts=1)
    assert first["label"] == "PyTorch FP32" and first["reason"] == ""
    assert first["accuracy"] == first["evaluation"].accuracy == 0.0
    assert first["mb"] == checkpoint.stat().st_size / 1e6
    assert first["batch"] in (1, 2)
    assert first["relative"].values == (1.0, 1.0)
    assert all(len(first[key].values) == 2 for key in ("ms", "lines_s"))
    assert len(first["start_s"].values) == 1
    assert second == {
        "label": "OpenVINO INT8",
        "reason": f"{tmp_path / 'no.xml'} is not there; notebook 05_openvino makes it",
    }


def test_an_artefact_weighs_all_of_its_files(tmp_path: Path) -> None:
    for name, size in (("crnn.xml", 1000), ("crnn.bin", 2000), ("crnn-int8.bin", 4000)):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    (tmp_path / "folder" / "deeper" / "weights").write_bytes(bytes(5000))
    (tmp_path / "crnn.onnx").write_bytes(bytes(6000))
    paths = [tmp_path / name for name in ("crnn.xml", "crnn.onnx", "folder")]
    # The .bin belongs to the .xml: the .onnx of the same name has its weights in itself.
    assert [Artefact("", path, path, "").megabytes for path in paths] == [0.003, 0.006, 0.005]


def test_an_artefact_of_earlier_weights_is_not_used(tmp_path: Path) -> None:
    old, new = tmp_path / "crnn.onnx", tmp_path / "crnn.safetensors"
    for path, seconds in ((old, 1000), (new, 2000)):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert Artefact("", new, old, "").problem == ""
    with pytest.raises(MissingPartError, match=r"crnn.onnx is older than .*; run notebook 05"):
        Artefact("", old, new, "05_openvino").load()


def test_all_that_the_notebooks_make_is_compared(tmp_path: Path) -> None:
    rows = benchmark.artefacts(Path("crnn.safetensors"), tmp_path)
    assert [row.label for row in rows] == [
        "PyTorch FP32",
        "PyTorch BF16",
        "IPEX FP32",
        "IPEX BF16",
        "Neural Compressor INT8",
        "ONNX Runtime FP32",
        "OpenVINO FP32",
        "OpenVINO BF16",
        "OpenVINO INT8",
    ]


# --- roofline


def test_the_nominal_peak_is_cores_times_clock_times_lanes_times_units() -> None:
    # 2 cores at 2.5 GHz, each with 2 units of 8 lanes: 80 billion multiply-adds a second.
    assert nominal_peak(2, 2.5, ["AVX2"]) == {"FP32": 80e9, "INT8": 160e9}
    assert nominal_peak(1, 1.0, ["AVX2", "AVX-512", "VNNI"]) == {"FP32": 32e9, "INT8": 128e9}
    without, with_vnni = (nominal_peak(1, 1.0, ["AVX2", *more]) for more in ([], ["VNNI"]))
    assert with_vnni["INT8"] == 2 * without["INT8"]
    assert nominal_peak(1, 1.0, ["AVX2", "AVX-512", "VNNI", "AMX"])["INT8"] == 1024e9
    assert nominal_peak(1, 1.0, []) == {}


def test_the_roofline_counts_the_work_of_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CRNN(SMALL, Alphabet("abc"))
    seconds = {"matrix product FP32": 2.0, "matrix product INT8": 1.0, "PyTorch FP32": 4.0}
    monkeypatch.setattr(
        benchmark,
        "_in_turns",
        lambda clocks, rounds: {key: Spread((seconds[key[0]],)) for key in clocks},
    )
    monkeypatch.setattr(benchmark, "fast_bfloat16", lambda device: False)
    monkeypatch.setattr(
        benchmark, "multiply_adds", lambda model, width: {"a": 3 * width, "b": width}
    )
    readers = {"PyTorch FP32": partial(Recognizer.load, model.save(tmp_path / "a.safetensors"))}
    both = roofline(readers, model, (1, 2), 16, size=8, least=0.0)
    assert both[1][2]["ms"].median == pytest.approx(4000)
    rows = both[2]
    # Products of 8 x 8 matrices take 512 multiply-adds; 2 strips of 16 columns here 128.
    assert [(row["label"], row["billions"].median, row["percent"].median) for row in rows] == [
        ("matrix product FP32", pytest.approx(256e-9), pytest.approx(100)),
        ("matrix product INT8", pytest.approx(512e-9), pytest.approx(100)),
        ("PyTorch FP32", pytest.approx(32e-9), pytest.approx(12.5)),
    ]
    assert rows[2]["ms"].median == pytest.approx(2000)  # of 4 seconds for 2 strips


# --- readers


def test_readers_are_scored_against_the_text_beside_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.with_suffix(".txt").write_text("Nine  lives\nof a cat\n", encoding="utf-8")
    rows = shoot_out({"good": lambda _: "Nine lives of a cat", "bad": lambda _: ""}, [page], 1)
    assert [(row["page"], row["reader"], row["cer"], row["word_f1"]) for row in rows] == [
        ("page", "good", 0.0, 1.0),
        ("page", "bad", 1.0, 0.0),
    ]


def test_without_tesseract_the_shoot_out_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    readers, reasons = available({"Tesseract": tesseract_reader})
    assert readers == {}
    assert "apt-get install tesseract-ocr" in reasons["Tesseract"]


@pytest.fixture
def fake_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "tesseract"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --list-langs ]; then echo "List of 2:"; echo eng; echo osd; exit; fi\n'
        'case "$1" in *bad*) echo "no image" >&2; exit 1;; esac\n'
        'echo "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


@pytest.mark.usefixtures("fake_tesseract")
def test_tesseract_is_given_the_languages_it_has() -> None:
    assert tesseract_reader()(Path("page.png")).split() == ["page.png", "-", "-l", "eng"]
    with pytest.raises(MissingPartError, match="apt-get install tesseract-ocr-deu"):
        tesseract_reader(["deu"])
    with pytest.raises(OcrkitError, match=r"bad.png: Tesseract: no image"):
        tesseract_reader()(Path("bad.png"))


def test_rapidocr_reads_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(page: np.ndarray) -> tuple[list | None, float]:
        assert page.ndim == 3 and page.dtype == np.uint8
        return [[None, "one", 0.9], [None, "two", 0.8]], 0.1

    package = SimpleNamespace(RapidOCR=lambda: engine)
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", package)
    assert benchmark.rapidocr_reader()(SAMPLES / "receipt.png") == "one\ntwo"


def test_the_others_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def __init__(self, languages: list[str], **options: object) -> None:
            assert options["download_enabled"] is False
            raise FileNotFoundError("craft is missing")

    monkeypatch.setitem(sys.modules, "easyocr", SimpleNamespace(Reader=Reader))
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    readers, reasons = available({name: READERS[name] for name in ("RapidOCR", "EasyOCR")})
    assert readers == {}
    assert "pip install rapidocr_onnxruntime" in reasons["RapidOCR"]
    assert "not on this disk" in reasons["EasyOCR"]


# --- the coloured diff


def test_missed_words_are_struck_out_and_false_ones_underlined() -> None:
    marked = diff("the quick brown fox", "the quiet brown fox too")
    plain = re.sub(r" style='[^']*'", "", marked)
    assert plain == "<p>the <del>quick</del> <ins>quiet</ins> brown fox <ins>too</ins></p>"
    for tag, decoration in (("del", "line-through"), ("ins", "underline")):
        style = re.search(rf"<{tag} style='([^']*)'", marked)
        assert style and decoration in style[1] and "background:" in style[1]


def test_markup_in_a_text_is_not_markup_in_the_diff() -> None:
    marked = diff("a <b> & c", "a <script> & c")
    assert "&lt;b&gt;" in marked and "&lt;script&gt;" in marked and "&amp; c" in marked
    assert "<b>" not in marked and "<script>" not in marked


@pytest.mark.parametrize(
    ("truth", "reading", "shown"),
    [
        ("1 2 3 4 5 6 x", "1 2 3 4 5 6 y", "… 5 6 <del>x</del> <ins>y</ins>"),
        ("x 1 2 3 4 5 6", "y 1 2 3 4 5 6", "<del>x</del> <ins>y</ins> 1 2 …"),
        ("x 1 2 3 4 5 x", "1 2 3 4 5", "<del>x</del> 1 2 … 4 5 <del>x</del>"),
        ("x 1 2 3 4 x", "1 2 3 4", "<del>x</del> 1 2 3 4 <del>x</del>"),
        ("1 2 3 4", "1 2 3 4", "…"),
    ],
)
def test_only_a_few_right_words_stand_beside_an_error(truth: str, reading: str, shown: str) -> None:
    assert re.sub(r" style='[^']*'", "", diff(truth, reading, context=2)) == f"<p>{shown}</p>"


# --- the command


@pytest.mark.usefixtures("fake_tesseract")
def test_the_command_times_both_and_names_a_page_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "ocrkit_reader", lambda name: lambda path: "")
    for name in ("a.png", "bad.png"):
        (tmp_path / name).write_bytes(b"")
    benchmark.main([str(tmp_path), "--rounds", "2"])
    said = capsys.readouterr()
    assert f"{tmp_path / 'a.png'}: ocrkit " in said.out
    assert "median of 1 files" in said.out
    assert "\nTesseract / ocrkit: " in said.out
    assert said.err == f"{tmp_path / 'bad.png'}: Tesseract: no image\n"


def test_the_command_does_without_tesseract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(benchmark, "ocrkit_reader", lambda name: lambda path: "")
    (tmp_path / "a.png").write_bytes(b"")
    benchmark.main([str(tmp_path), "--rounds", "1"])
    out = capsys.readouterr().out
    assert out.startswith("Tesseract is not installed") and "Tesseract / ocrkit" not in out


def test_a_folder_without_pages_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "ocrkit_reader", lambda name: lambda path: "")
    with pytest.raises(SystemExit) as end:
        benchmark.main([str(tmp_path)])
    assert end.value.code == 1
    assert "no page could be read" in capsys.readouterr().err


def test_ocrkit_reads_a_sample_page() -> None:
    reader = benchmark.ocrkit_reader(Recognizer.load())
    assert "HARDWARE" in reader(SAMPLES / "receipt.png")
