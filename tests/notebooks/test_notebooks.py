"""The notebooks: what is stored in them, and that each runs by itself and finds what it should."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from ocrkit.recognition.network import CRNN
from ocrkit.training.manifest import read_manifest

FOLDER = Path(__file__).parents[2] / "notebooks"
SAMPLES = FOLDER.parent / "data" / "samples"
NAMES = (
    "01_data",
    "02_train",
    "03_tune",
    "04_neural_compressor",
    "05_openvino",
    "06_benchmark",
    "07_end_to_end",
    "08_own_pages",
    "09_archive",
)
PARAMETERS = {"PRESET", "DATA", "OUTPUT", "SEED"}
LITTER = re.compile(r"\d ?(it|images|s)/s\b|\d+%\|")  # what a redrawn progress bar leaves
HERE_ONLY = re.compile(r"(?<![\w.~/-])/(work|tmp|root|home)/")


def load(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", 4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def streams(notebook: NotebookNode, *names: str) -> str:
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name in names)


def is_import_or_report(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom) or (
        isinstance(statement, ast.Expr) and ast.unparse(statement) == "ocrkit.doctor()"
    )


def literals(cell: NotebookNode) -> dict[str, object]:
    """What a cell assigns; ValueError or AssertionError if that is not all it does."""
    statements = ast.parse(cell.source).body
    assert all(isinstance(s, ast.Assign) and len(s.targets) == 1 for s in statements)
    return {ast.unparse(s.targets[0]): ast.literal_eval(s.value) for s in statements}


# --- what is stored


def test_they_are_numbered_in_order():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb"))) == NAMES


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_a_notebook_begins_with_its_title_and_ends_with_its_figures(name):
    cells = load(name).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith(f"# {name[:2]} ")
    assert cells[-1].cell_type == "code" and f"{name}.json" in cells[-1].source


def test_nothing_but_imports_and_the_doctor_comes_before_literal_parameters(name):
    cells = code(load(name))
    (at,) = (i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    before = [statement for cell in cells[:at] for statement in ast.parse(cell.source).body]
    assert all(map(is_import_or_report, before))
    assert "ocrkit.doctor()" in cells[0].source
    parameters = literals(cells[at])
    assert parameters.keys() >= PARAMETERS
    assert (parameters["PRESET"], parameters["DATA"]) == ("full", "../data")
    assert parameters["OUTPUT"] == "../output"


def test_the_outputs_of_a_whole_run_are_stored(name):
    cells = code(load(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds & {"display_data", "execute_result"} and "error" not in kinds
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in cells)


def test_neither_warnings_nor_bars_nor_placeholders_are_left(name):
    notebook = load(name)
    assert streams(notebook, "stderr") == ""
    assert not LITTER.search(streams(notebook, "stdout"))
    assert not re.search(r"\bTIME_[A-Z]+\b", "".join(cell.source for cell in notebook.cells))


def test_a_notebook_is_small_and_names_no_place_of_the_machine_it_ran_on(name):
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 600_000
    assert [text[m.start() - 40 : m.end() + 20] for m in HERE_ONLY.finditer(text)] == []


def test_a_notebook_links_to_the_next_and_to_none_that_is_missing(name):
    text = "".join(cell.source for cell in load(name).cells if cell.cell_type == "markdown")
    linked = set(re.findall(r"\]\((\w+)\.ipynb\)", text))
    assert linked <= set(NAMES)
    assert linked >= set(NAMES[NAMES.index(name) + 1 :][:1])


def glossary() -> list[str]:
    text = (FOLDER / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_the_glossary_is_in_order_and_each_word_is_linked():
    words = glossary()
    assert words == sorted(words, key=str.casefold)
    text = (FOLDER / "glossary.md").read_text(encoding="utf-8")
    for name in NAMES:
        text += "".join(c.source for c in load(name).cells if c.cell_type == "markdown")
    linked = set(re.findall(r"\](?:\(glossary\.md)?\(?#([\w-]+)\)", text))
    assert linked == {word.lower().replace(" ", "-") for word in words}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_asks_three_questions_about_its_own_numbers(name):
    questions = [
        node.args
        for cell in code(load(name))
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Question"
    ]
    assert [ast.literal_eval(number) for number, _, _ in questions] == [1, 2, 3]
    for _, _, answer in questions:
        assert any(isinstance(node, ast.FormattedValue) for node in ast.walk(answer))


def test_a_cell_of_code_is_short_enough_to_be_seen_as_a_whole(name):
    assert max(len(cell.source.splitlines()) for cell in code(load(name))) <= 20


# --- what each must find


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the samples; the notebooks put their data set beside them."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(SAMPLES, folder / "samples")
    return folder


def run(name: str, preset: str, data: Path, output: Path) -> dict:
    """The figures that a notebook leaves in `output`; papermill's error shows the failing cell."""
    parameters = {"PRESET": preset, "DATA": str(data), "OUTPUT": str(output)}
    executed = papermill.execute_notebook(
        FOLDER / f"{name}.ipynb",
        output / f"{name}.ipynb",
        parameters=parameters,
        cwd=FOLDER,
        progress_bar=False,
    )
    assert not LITTER.search(streams(executed, "stdout", "stderr"))
    figures = json.loads((output / f"{name}.json").read_text(encoding="utf-8"))
    assert figures["preset"] == preset and figures["machine"]
    return figures


def data_is_fit_to_learn_from(figures: dict, output: Path) -> None:
    """The data: parts that share no word, fonts without small letters, a data set of one's own."""
    assert figures["images"]["test"] == 100
    assert figures["shared_words"] == 0 and figures["same_seed_same_split"]
    assert figures["heights"] == [64] and figures["too_narrow"] == 0
    assert len(figures["capital_fonts"]) == 4 and 0.98 < figures["ceiling"] < 1
    assert figures["blank_sorted"] < 0.5 * figures["blank_random"]
    # Each face twice, with a capital and without; some show no difference, so one reading is wrong.
    assert 0 < figures["capital_words_read"] < figures["capital_words"]
    # Damage costs something, but not everything: neither toothless nor beyond reading.
    assert figures["damages_read"] >= 0.4 * figures["damages"]
    errors = list(figures["broken_cer"].values())
    assert errors[0] < 0.15 and errors[-1] > 2 * errors[0]
    own = output / "own_lines"
    rows = [read_manifest(own / f"{part}.txt") for part in ("train", "validation", "test")]
    assert [len(part) for part in rows] == list(figures["own_lines"].values())
    assert all(sample.path.is_file() for part in rows for sample in part)
    assert "slip.txt, line 2: must be an image's path, a tab and its text" in figures["bad_row"]


def training_pays(figures: dict, output: Path) -> None:
    """The base is a head start, random weights are not, and the recipe is fast."""
    epochs, tested, speed = figures["history"], figures["test"], figures["training_speed"]
    assert (
        CRNN.load(output / "crnn.safetensors").provenance["training"]["epochs"]
        == epochs[-1]["epoch"]
    )
    assert epochs[-1]["loss"] < epochs[1]["loss"] and figures["left_out"] == 0
    # What each is for: the base reads, random weights do not, the recipe and the network are fast.
    after, base = tested["fine-tuned / test1000"], tested["base / test1000"]
    # The quick preset learns from 510 words and is tested on 200: five points up or down are luck.
    assert after["accuracy"] > base["accuracy"] - (0.1 if figures["preset"] == "quick" else 0)
    assert after["accuracy_interval"][0] < after["accuracy"] < after["accuracy_interval"][1]
    # On 200 words, two characters more or fewer are luck as well.
    luck = 0.002 if figures["preset"] == "quick" else 0
    assert figures["language"]["fine-tuned"]["cer"] < after["cer"] + luck
    assert figures["random_accuracy"] < 0.1 and figures["random_empty"] > 0.5
    assert 0 < figures["useful"]["random"] < figures["useful"]["by width"] <= 1
    assert min(speed.values()) > 0 and figures["in_all"] > 1
    # Each change of the recipe was timed beside those before it, or says why it was not.
    ablation = figures["ablation"]
    wanted = 5 + any(part in figures["machine"] for part in ("BF16", "AMX"))
    assert len(ablation) + len(figures["refused"]) == wanted and min(ablation.values()) > 0
    assert list(figures["ablation_steps"]) == list(ablation)[1:]
    trained = CRNN.load(output / "crnn.safetensors").provenance["training"]
    assert trained["ipex"] == figures["ipex_trains"] <= ("+ IPEX" in ablation)
    assert figures["language_time"] > 1
    if figures["preset"] == "full":
        assert after["images"] == 1000 and after["accuracy"] >= 0.9
        assert min(speed, key=lambda recipe: speed[recipe]) == "width 1.0 / reference recipe"
        assert figures["same_network"]["width 1.0"] > 1 and figures["in_all"] >= 4


def validation_decides_the_tuning(figures: dict, output: Path) -> None:
    """Each trial once, the best by validation chosen, trained with all words and saved."""
    trials, chosen = figures["trials"], figures["chosen"]
    settings = {(t["batch_size"], t["epochs"], t["lr"]) for t in trials}
    assert len(settings) == len(trials) == (8 if figures["preset"] == "full" else 4)
    assert min(trials, key=lambda t: t["cer"]).items() >= chosen.items()
    assert figures["resumed"]["same"] and 0 <= figures["clearly_worse"] < len(trials)
    assert figures["lowest"] in {"tuned", *figures["verdict"]}
    assert ("02_train" in figures["verdict"]) == (output / "crnn.safetensors").is_file()
    for verdict in figures["verdict"].values():
        low, high = verdict["interval"]
        found = "better" if high < 0 else "worse" if low > 0 else "not clearly different"
        assert low <= verdict["change"] <= high and verdict["tuned_is"] == found
    said = CRNN.load(output / "crnn-tuned.safetensors").provenance
    assert said["training"].items() >= chosen.items()
    if figures["preset"] == "full":
        assert {(80, 5, 1e-3), (80, 10, 1e-3)} <= settings
        assert figures["test"]["test1000"]["images"] == 1000
        assert figures["test"]["test1000"]["accuracy"] >= 0.9
    else:
        assert figures["test"]["test1000"]["accuracy"] > 0.5


def neural_compressor_keeps_the_accuracy(figures: dict, output: Path) -> None:
    """Convolutions and linear layers are INT8, the LSTMs are not, the words stay."""
    assert figures["operators"]["conv2d INT8"] == 7 and figures["operators"]["linear INT8"] == 2
    assert figures["operators"]["lstm FP32"] == 2 and figures["operators"]["lstm INT8"] == 0
    # The quick preset reads 100 words: a point is one word.
    assert figures["points_lost"] <= (3 if figures["preset"] == "quick" else 0.5)
    assert 1 <= len(figures["trials"]) <= 3
    assert figures["criterion_met"] == (max(figures["trials"]) >= 0.99 * figures["validation_fp32"])
    assert figures["reloaded"] == pytest.approx(max(figures["trials"]))
    assert figures["ratio_fp32"]["latency"] > 0.2 and 0 < figures["lstm_time"] <= 1
    assert figures["pays"] == (figures["ahead"] > 0.9)
    file = output / "crnn-inc.pt2"
    assert figures["megabytes"]["Neural Compressor INT8"] == file.stat().st_size / 1e6


def openvino_keeps_the_accuracy(figures: dict, output: Path) -> None:
    """Parity after every step; LSTMs in INT8 ruin it NNCF's way, and not the kit's."""
    parity = figures["parity"]
    assert parity["ONNX"] < 1e-4 and parity["IR"] < 0.02 and 0 < parity["INT8"] < 0.25
    read = figures["accuracy"]
    assert read["ONNX"] == read["PyTorch"]
    # The quick preset reads 100 words: a point is one word.
    assert abs(read["IR"] - read["PyTorch"]) <= 0.02
    assert figures["points_lost"] <= (3 if figures["preset"] == "quick" else 0.5)
    collapse, rounded = figures["collapse"], figures["collapse_in_float"]
    assert collapse["both"] < 0.5 * collapse["none"]
    assert rounded["both"] > 0.9 * rounded["none"]
    assert figures["kit"] >= 0.95 * collapse["none"]
    assert figures["controlled"]["none"] >= 0.95 * collapse["none"]
    assert figures["int8_over_ir"]["this network"] > 0.5
    if any(part in figures["machine"] for part in ("VNNI", "AMX")) and figures["preset"] == "full":
        assert figures["int8_over_ir"]["reference network, random weights"] >= 3.5
    assert all(row["percent"] > 0 for row in figures["roofline"].values())
    assert figures["megabytes"]["INT8"] < figures["megabytes"]["IR"] < figures["megabytes"]["ONNX"]
    for name in ("crnn.onnx", "crnn.xml", "crnn.bin", "crnn-int8.xml", "crnn-int8.bin"):
        assert (output / name).is_file()


def every_artefact_is_compared(figures: dict, output: Path) -> None:
    """What can run here ran, reads alike, and what cannot says why."""
    rows = {row["label"]: row for row in figures["artefacts"]}
    ran = {label for label, row in rows.items() if not row["reason"]}
    assert len(rows) == 9
    assert {"PyTorch FP32", "ONNX Runtime FP32", "OpenVINO FP32", "OpenVINO INT8"} <= ran
    optional = ("BF16", "IPEX", "Neural")
    assert all(any(part in label for part in optional) for label in rows.keys() - ran)
    first = rows["PyTorch FP32"]
    assert first["accuracy"] > 0.5
    for label in ("ONNX Runtime FP32", "OpenVINO FP32"):
        assert abs(rows[label]["accuracy"] - first["accuracy"]) <= 1 / figures["words"]
    assert abs(rows["OpenVINO INT8"]["accuracy"] - first["accuracy"]) < 0.04
    sizes = [rows[f"OpenVINO {name}"]["mb"] for name in ("INT8", "FP32")]
    assert sizes[0] < sizes[1] < rows["ONNX Runtime FP32"]["mb"]
    assert rows["ONNX Runtime FP32"]["mb"] == (output / "crnn.onnx").stat().st_size / 1e6
    assert max(ran, key=lambda label: rows[label]["lines_s"]) in figures["tied"]
    timings = ("ms", "lines_s", "relative")
    assert all(rows[label][key] > 0 for label in ran for key in timings)
    peaks = {row["label"] for row in figures["roofline"]["16 lines"]}
    assert {"matrix product FP32", "matrix product INT8"} < peaks
    assert all(row["billions"] > 0 for part in figures["roofline"].values() for row in part)
    pages = [page for page in figures["pages"] if page["reader"] == "ocrkit"]
    assert pages and sum(page["cer"] for page in pages) / len(pages) < 0.1
    readers = {page["reader"] for page in figures["pages"]} | figures["without"].keys()
    assert readers >= {"ocrkit", "Tesseract", "RapidOCR", "EasyOCR"}
    # EasyOCR and its weights are part of the lock.
    assert "EasyOCR" not in figures["without"]
    rows = {row["reader"]: row for row in figures["rows"]}
    assert rows.keys() == readers - figures["without"].keys()
    assert rows["ocrkit"]["cer"] < 0.5 and rows["ocrkit"]["seconds"] > 0
    assert all((output / name).is_file() for name in ("crnn.onnx", "crnn.xml", "crnn-int8.xml"))


def documents_are_read_from_end_to_end(figures: dict, output: Path) -> None:
    """Samples are read, turned pages too; what is misread is doubted, and the results are files."""
    assert figures["sample_cer"] < 0.05
    ours, int8 = list(figures["cer"].values())[:2]
    assert ours < 0.05
    assert int8 < ours + 0.01
    # CRAFT finds words, the kit's detector lines; both are stored, with text and time.
    lines, words = figures["detectors"]["lines"], figures["detectors"]["craft"]
    assert words["boxes"] > 2 * lines["boxes"] and words["word F1"] > 0.6
    for name, found in figures["detectors"].items():
        stored = output / "07" / f"{Path(figures['sample']).stem}.{name}.json"
        assert found["detection, s"] > 0 and stored.stat().st_size
    assert all(read["CER"] < 0.05 for read in figures["backends"].values())
    assert figures["backends"]["openvino"]["same text"]
    for seconds in figures["seconds"].values():
        assert set(seconds) == {"detection", "recognition", "other", "page"}
        assert min(seconds.values()) > 0
    assert figures["right_words"] > 0.8
    found, int8 = (figures[f"ocrkit-detector{kind}"]["f1"] for kind in ("", "-int8"))
    assert int8 > found - 0.02
    assert found > 0.75
    # Turned pages are doubted at first, and then read as well as upright ones.
    assert figures["turned"]["doubt"] < figures["sample_confidence"] - 0.1
    assert figures["turned"]["cer"] < 0.05
    # Too few pixels cost errors, and confidence.
    assert figures["shrunk"]["CER"][-1] > figures["shrunk"]["CER"][0] + 0.1
    assert figures["shrunk"]["confidence"][-1] < figures["shrunk"]["confidence"][0]
    # The rows of the ledger are rows, and what a page is expected to cost is near what it costs.
    assert (figures["table"]["rows"], figures["table"]["columns"]) == (12, 6)
    assert figures["table"]["read"] > 0.9
    expected = figures["expected_cer"]
    assert abs(expected["expected CER"] - expected["true CER"]) < 0.03
    assert figures["calibration_error"] < 0.15
    read = output / "07" / figures["sample"]
    assert all(
        read.with_suffix(suffix).stat().st_size for suffix in (".txt", ".json", ".overlay.jpg")
    )


def an_archive_survives_kills_and_answers(figures: dict, output: Path) -> None:
    """A killed run goes on, all pages come out alike everywhere, words are found, files opened."""
    assert figures["before_kill"] >= 3 and figures["lost"] == 0
    assert figures["after"] == figures["pages"] > figures["before_kill"] and figures["mended"] == 1
    assert figures["cluster_same"] == figures["cluster_pages"] == figures["pages"] + 1
    # The report has the pages with errors first.
    first, order = figures["top"], figures["true_cer"]
    assert sum(order[:first]) / first > sum(order[first:]) / len(order[first:])
    assert figures["share_of_errors"] > 0.3
    # A misread letter is forgiven, accents and long s are no obstacle, and nonsense is not found.
    assert 0.6 < figures["exact"] <= figures["with_similar"] <= 1
    hits = figures["hits"]
    assert min(hits[query] for query in ("lighthouse", "light*", "tresorier", "possess")) >= 1
    assert hits["Birmimgham"] >= 1 and hits["lighthuose"] == hits["newspaper"] == 0
    # Every format is there, and the text can be selected on the PDF.
    assert min(figures["bytes"].values()) > 0 and figures["pdf_characters"] > 500
    assert figures["corrected"] >= 1 and figures["cer_after"] < figures["cer_before"]
    corrected = read_manifest(output / "09" / "lines" / "corrected.txt")
    assert len(corrected) == figures["corrected"]
    assert min(figures[stage] for stage in ("reading", "writing", "adding")) > 0
    assert 1000 < figures["catalogue_page"] < figures["bytes"]["scans"]
    assert (output / "09" / "read" / "report.html").is_file()


def a_hand_is_learned(figures: dict, output: Path) -> None:
    """Own pages: a few lines teach a hand, wrong labels are found, and less is forgotten."""
    sizes = figures["sizes"]
    cer = {int(size): rate for size, rate in figures["cer"].items()}
    assert list(cer) == [0, *sizes]
    assert cer[0] > 0.1 and cer[sizes[-1]] < 0.8 * cer[0]
    assert 0 <= figures["prediction"]["cer"] < cer[0]
    assert figures["active"][str(sizes[-1])] < 0.9 * cer[0]
    assert figures["refused"] == 4  # two exchanged, one with another character, one too long
    lost = {name: rates["general lines"] for name, rates in figures["forgetting"].items()}
    # The quick preset measures it on 100 lines: two points up or down are luck.
    luck = 0.0 if figures["preset"] == "full" else 0.02
    assert lost["mixed"] < lost["this hand only"] + luck
    assert figures["int8"]["after"]["cer"] < 0.8 * figures["int8"]["before"]["cer"]
    assert (output / "08" / "hand-int8.xml").is_file()


CHECKS = {
    "01_data": data_is_fit_to_learn_from,
    "02_train": training_pays,
    "03_tune": validation_decides_the_tuning,
    "04_neural_compressor": neural_compressor_keeps_the_accuracy,
    "05_openvino": openvino_keeps_the_accuracy,
    "06_benchmark": every_artefact_is_compared,
    "07_end_to_end": documents_are_read_from_end_to_end,
    "08_own_pages": a_hand_is_learned,
    "09_archive": an_archive_survives_kills_and_answers,
}


def test_a_quick_run_by_itself_finds_what_it_should(name, data, tmp_path):
    CHECKS[name](run(name, "quick", data, tmp_path), tmp_path)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One output folder for all: each notebook goes on with what those before it made."""
    return tmp_path_factory.mktemp("output")


@pytest.mark.slow
def test_a_full_run_after_those_before_it_reaches_the_goals(name, data, story):
    CHECKS[name](run(name, "full", data, story), story)


@pytest.mark.slow
def test_fine_tuning_reads_19_of_20_words_of_the_reference_data_set(story):
    trained, tuned = (json.loads((story / f"{name}.json").read_text()) for name in NAMES[1:3])
    reached = [
        trained["test"]["fine-tuned / test1000"],
        trained["language"]["fine-tuned"],
        tuned["test"]["test1000"],
    ]
    assert max(test["accuracy"] for test in reached) >= 0.95
