"""The detector's network: what it is, how it learns, and what the weights in the kit can do."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ocrkit.archive.formats import save
from ocrkit.compress.openvino import to_openvino
from ocrkit.detection.lines import LineDetector, detector_backend, network_input, page_scale
from ocrkit.detection.maps import decode, encode
from ocrkit.detection.network import LineNet
from ocrkit.document import Document, Line, Page
from ocrkit.errors import CheckpointError, OcrkitError
from ocrkit.image import page_ink
from ocrkit.metrics import line_f1
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.synth.fonts import Font
from ocrkit.synth.pages import PageGenerator, Sheet
from ocrkit.training.losses import detector_loss
from ocrkit.training.pages import Mixture, PieceStream, own_sheets
from ocrkit.training.pretrain_detector import DetectorPretrainConfig, pretrain_detector

SMALL = (8, 8, 16, 16)


def page_of(lines: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Grey paper with a black bar for each line."""
    page = np.full(shape, 220, np.uint8)
    for line in lines:
        (x0, y0), (x1, y1) = line.min(axis=0).astype(int), line.max(axis=0).astype(int)
        page[y0:y1, x0:x1] = 20
    return page


def bars(shape: tuple[int, int] = (96, 128)) -> Sheet:
    lines = [
        np.array([(x0, y), (x1, y), (x1, y + 16), (x0, y + 16)], np.float32)
        for x0, y, x1 in ((8, 8, 100), (20, 40, 120), (10, 70, 60))
    ]
    return Sheet(page_of(lines, shape), lines, ["a", "b", "c"], "bars")


# --- the network ---------------------------------------------------------------------------------


def test_the_maps_have_a_cell_for_four_by_four_pixels() -> None:
    net = LineNet().eval()
    assert 1e6 < sum(p.numel() for p in net.parameters()) < 2e6
    with torch.inference_mode():
        assert net(torch.zeros(2, 1, 64, 96)).shape == (2, 3, 16, 24)


def test_a_page_of_any_size_is_padded_to_what_the_network_takes() -> None:
    page = np.full((33, 100), 200, np.uint8)
    assert network_input(page).shape == (1, 1, 96, 160)


def test_ink_is_one_and_paper_is_nought() -> None:
    ink = page_ink(bars().scan)
    assert ink[0, 0] == 0
    assert ink[10, 50] == pytest.approx(1)
    assert np.abs(page_ink(np.full((9, 9), 77, np.uint8))).max() == 0


def test_the_loss_of_a_network_that_knows_nothing() -> None:
    # Everywhere one half: cross-entropy ln 2. Of 16 cells 4 are core: 2 * 4 / 2 + 1 over
    # 16 / 2 + 4 + 1 of the dice are shared. Height and middle are off by 1 and 0.5 each.
    maps = torch.zeros(1, 3, 4, 4)
    maps[:, 0, 0] = 1
    maps[:, 1, 0], maps[:, 2, 0] = 1.0, 0.5
    loss = detector_loss(torch.zeros(1, 3, 4, 4), maps)
    assert loss.item() == pytest.approx(math.log(2) + (1 - 5 / 13) + 1.5)


def test_the_loss_of_the_right_answer_is_next_to_nothing() -> None:
    maps = torch.from_numpy(encode(bars().polygons, (96, 128)))[None]
    answer = maps.clone()
    answer[:, 0] = 40 * maps[:, 0] - 20
    assert detector_loss(answer, maps).item() < 1e-3
    empty = torch.zeros_like(maps)
    assert detector_loss(empty - 20, empty).item() < 1e-3


def test_a_checkpoint_is_complete(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = LineNet(SMALL, {"who": "a test"}).eval()
    again = LineNet.load(net.save(tmp_path / "net.safetensors"))
    assert (again.channels, again.provenance) == (SMALL, {"who": "a test"})
    x = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), net(x), rtol=0.01, atol=0.01)


def test_a_recogniser_is_no_detector_nor_the_other_way_round(tmp_path: Path) -> None:
    detector = LineNet(SMALL).save(tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        CRNN.load(detector)
    reader = CRNN(ModelConfig(0.125, 8, "all")).save(tmp_path / "crnn.safetensors")
    with pytest.raises(CheckpointError, match="'ocrkit-detector-1'"):
        LineNet.load(reader)
    with pytest.raises(CheckpointError, match="not a checkpoint of a detector"):
        detector_backend("ocrkit-fast-int8")
    with pytest.raises(CheckpointError, match="no weights are called 'nobody'"):
        LineDetector.load("nobody")


# --- how it learns -------------------------------------------------------------------------------


def test_pieces_and_their_maps_are_cut_at_the_same_place() -> None:
    stream = PieceStream(lambda i: bars(), seed=1, side=64, size=4)
    batch = next(iter(stream))
    assert batch.images.shape == (4, 1, 64, 64)
    assert batch.maps.shape == (4, 3, 16, 16)
    for image, maps in zip(batch.images[:, 0], batch.maps[:, 0], strict=True):
        cells = image.reshape(16, 4, 16, 4).mean(dim=(1, 3))
        assert (cells[maps > 0.5] > 0.9).all()  # a core lies on ink
    assert batch.maps[:, 0].sum() > 0


def test_a_page_smaller_than_a_piece_is_padded() -> None:
    stream = PieceStream(lambda i: bars((96, 128)), seed=1, side=160, size=2)
    assert next(iter(stream)).images.shape == (2, 1, 160, 160)


def test_the_stream_goes_on_where_it_is_told() -> None:
    drawn: list[int] = []

    def make(number: int) -> Sheet:
        drawn.append(number)
        return bars()

    next(iter(PieceStream(make, seed=1, side=64, size=1, start=40)))
    assert drawn == [10, 11]  # four pieces a page, a pool of eight pieces


def test_a_network_memorises_a_page() -> None:
    torch.manual_seed(0)
    sheet = bars()
    net = LineNet(SMALL).train()
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    image = torch.from_numpy(page_ink(sheet.scan)[None, None])
    maps = torch.from_numpy(encode(sheet.polygons, sheet.scan.shape))[None]
    for _ in range(150):
        loss = detector_loss(net(image), maps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def run(page: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(page)).numpy()

    found = LineDetector(run, margin=0).at_scale(sheet.scan)
    assert line_f1([sheet.polygons], [found], iou=0.7) == (1, 1, 1)


def test_a_run_leaves_a_detector_a_log_and_its_state(tmp_path: Path, few_fonts) -> None:
    config = DetectorPretrainConfig(
        channels=SMALL, minutes=2 / 60, batch=1, side=64, workers=0, held_out=2
    )
    path = pretrain_detector(tmp_path / "run", config, progress=False)
    net = LineNet.load(path)
    assert net.channels == SMALL
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 0 <= float(rows[-1]["f1"]) <= 1
    assert net.provenance["held_out"]["crops"] == int(rows[-1]["crops"]) > 0
    before = path.read_bytes()
    assert pretrain_detector(tmp_path / "run", config, progress=False).read_bytes() == before
    with pytest.raises(CheckpointError, match="another folder"):
        other = replace(config, channels=(8, 8, 8, 8))
        pretrain_detector(tmp_path / "run", other, progress=False)


def test_documents_of_one_s_own_become_pages_to_learn_from(tmp_path: Path) -> None:
    sheet = bars()
    Image.fromarray(sheet.scan).save(tmp_path / "scan.png")
    lines = tuple(
        Line(tuple(map(tuple, polygon.tolist())), text, 1.0)
        for polygon, text in zip(sheet.polygons, sheet.texts, strict=True)
    )
    # The document was read in another place, and has moved together with its scan.
    save(Document("elsewhere/scan.png", (Page(128, 96, lines),)), tmp_path / "scan.json")
    (own,) = own_sheets(tmp_path)
    scale = page_scale(sheet.scan)
    assert own.texts == sheet.texts
    assert own.scan.shape == tuple(round(scale * side) for side in sheet.scan.shape)
    for mine, theirs in zip(own.polygons, sheet.polygons, strict=True):
        np.testing.assert_allclose(mine, scale * theirs, atol=0.1)
    mixture = Mixture(lambda i: replace(sheet, kind=f"made {i}"), [own])
    assert [mixture(i).kind for i in range(4)] == ["made 0", "own", "made 2", "own"]


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OcrkitError, match="--format json"):
        own_sheets(tmp_path)
    (tmp_path / "notes.json").write_text("[1, 2]")
    with pytest.raises(OcrkitError, match="notes.json is not a document"):
        own_sheets(tmp_path)


def test_documents_that_would_teach_wrong_things_are_refused(tmp_path: Path) -> None:
    sheet = bars()
    Image.fromarray(sheet.scan).save(tmp_path / "scan.png")
    page = Page(128, 96, (Line(((10, 10), (90, 12), (90, 30), (10, 28)), "upright", 1.0),))
    save(Document("scan.png", (page, page)), tmp_path / "scan.json")
    with pytest.raises(OcrkitError, match="has 2 pages, but .*scan.png has 1"):
        own_sheets(tmp_path)
    turned = Line(((10, 90), (12, 10), (30, 10), (28, 90)), "on its side", 1.0)
    save(
        Document("scan.png", (replace(page, lines=(*page.lines, turned)),)), tmp_path / "scan.json"
    )
    with pytest.raises(OcrkitError, match="scan.json, page 1: .* turn the scan upright"):
        own_sheets(tmp_path)
    save(Document("scan.png", (page,)), tmp_path / "scan.json")
    assert len(own_sheets(tmp_path)) == 1


# --- the weights in the kit ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sheets(few_fonts: tuple[Font, ...]) -> list[Sheet]:
    make = PageGenerator(seed=77, severity=0.6, fonts=few_fonts)
    return [make(i) for i in range(16)]


def f1_of(weights: str | Path, sheets: list[Sheet]) -> float:
    find = LineDetector.load(weights, margin=0)
    return line_f1([s.polygons for s in sheets], [find.at_scale(s.scan) for s in sheets])[2]


def test_the_kit_s_detector_finds_the_lines_of_made_pages(sheets: list[Sheet]) -> None:
    assert f1_of("ocrkit-detector", sheets) > 0.9


def test_int8_finds_what_floating_point_finds(sheets: list[Sheet]) -> None:
    assert f1_of("ocrkit-detector-int8", sheets) > f1_of("ocrkit-detector", sheets) - 0.02


def test_openvino_and_pytorch_say_the_same(tmp_path: Path, sheets: list[Sheet]) -> None:
    written = to_openvino(LineNet.load(), tmp_path / "detector.xml")
    page = network_input(sheets[0].scan)
    ours, theirs = (detector_backend(path)(page) for path in ("ocrkit-detector", written))
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(ours).max()
    assert len(decode(ours[0])) == len(decode(theirs[0]))
