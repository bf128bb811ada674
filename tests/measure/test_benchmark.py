from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer

from ocrkit.errors import MissingPartError, OcrkitError
from ocrkit.measure import artefacts as artefacts_module
from ocrkit.measure import pages as pages_module
from ocrkit.measure import roofline as roofline_module
from ocrkit.measure import timing as timing_module
from ocrkit.measure.artefacts import Artefact, available, compare
from ocrkit.measure.diff import diff
from ocrkit.measure.engines import tesseract_reader
from ocrkit.measure.roofline import nominal_peak, roofline
from ocrkit.measure.timing import Spread, worker_process
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.training.manifest import Sample

SMALL = ModelConfig(0.125, 8)


@pytest.fixture
def words(tmp_path: Path) -> list[Sample]:
    rng = np.random.default_rng(0)
    samples = [Sample(tmp_path / f"{i}.png", f"word{i}") for i in range(3)]
    for sample in samples:
        cv2.imwrite(str(sample.path), rng.integers(0, 255, (40, 90), np.uint8))
    return samples


def test_what_goes_into_json_is_plain() -> None:
    rows = [{"label": "a", "ms": Spread((1.0, 3.0)), "mb": 2.5, "percent": None, "evaluation": []}]
    assert artefacts_module.medians(rows) == [{"label": "a", "ms": 2.0, "mb": 2.5, "percent": None}]


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
    for name, size in (("crnn.xml", 1000), ("crnn.bin", 2000), ("crnn.onnx", 6000)):
        (tmp_path / name).write_bytes(bytes(size))
    paths = [tmp_path / name for name in ("crnn.xml", "crnn.onnx")]
    # The .bin belongs to the .xml: the .onnx of the same name has its weights in itself.
    assert [Artefact("", path, path, "").megabytes for path in paths] == [0.003, 0.006]


def test_an_artefact_of_earlier_weights_is_not_used(tmp_path: Path) -> None:
    old, new = tmp_path / "crnn.onnx", tmp_path / "crnn.safetensors"
    for path, seconds in ((old, 1000), (new, 2000)):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert Artefact("", new, old, "").problem == ""
    problem = Artefact("", old, new, "05_openvino").problem
    assert re.search(r"crnn.onnx is older than .*; run notebook 05_openvino again", problem)


def test_all_that_the_notebooks_make_is_compared(tmp_path: Path) -> None:
    rows = artefacts_module.artefacts(Path("crnn.safetensors"), tmp_path)
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
        roofline_module,
        "in_turns",
        lambda clocks, rounds: {key: Spread((seconds[key[0]],)) for key in clocks},
    )
    monkeypatch.setattr(roofline_module, "fast_bfloat16", lambda device: False)
    monkeypatch.setattr(
        roofline_module, "multiply_adds", lambda model, width: {"a": 3 * width, "b": width}
    )
    processes: list[int] = []

    def counted(*makes: Callable[[], Any]) -> Any:
        processes.append(len(makes))
        return worker_process(*makes)

    monkeypatch.setattr(timing_module, "worker_process", counted)
    readers = {"PyTorch FP32": partial(Recognizer.load, model.save(tmp_path / "a.safetensors"))}
    both = roofline(readers, model, (1, 2), 16, size=8)
    assert processes == [2, 1]  # the products share one, as all of a runtime do
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
    rows = pages_module.compare_readers(
        {"good": lambda _: "Nine lives of a cat", "bad": lambda _: ""}, [page], 1
    )
    assert [(row["page"], row["reader"], row["cer"], row["word_f1"]) for row in rows] == [
        ("page", "good", 0.0, 1.0),
        ("page", "bad", 1.0, 0.0),
    ]


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


def read(path: Path) -> str:
    if path.stem == "bad":
        raise OcrkitError(f"{path}: no image")
    return ""


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a page that both read, and one that neither does."""
    monkeypatch.setattr(pages_module, "ocrkit_reader", lambda name: read)
    monkeypatch.setattr(pages_module, "tesseract_reader", lambda: read)
    for name in ("a.png", "bad.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_the_command_times_both_and_names_a_page_it_cannot_read(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages_module.main([scans], rounds=2)
    said = capsys.readouterr()
    assert f"{scans / 'a.png'}: ocrkit " in said.out
    assert "median of 1 files" in said.out
    assert "\nTesseract / ocrkit: " in said.out
    assert said.err == f"{scans / 'bad.png'}: no image\n"


def test_the_command_does_without_tesseract(
    scans: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(pages_module, "tesseract_reader", tesseract_reader)
    pages_module.main([scans], rounds=1)
    out = capsys.readouterr().out
    assert out.startswith("Tesseract is not installed") and "Tesseract / ocrkit" not in out


def test_a_folder_without_pages_is_an_error(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scans / "a.png").unlink()
    with pytest.raises(typer.Exit) as end:
        pages_module.main([scans])
    assert end.value.exit_code == 1
    assert "no page could be read" in capsys.readouterr().err
    with pytest.raises(typer.BadParameter, match="nowhere"):
        pages_module.main([Path("nowhere")])
