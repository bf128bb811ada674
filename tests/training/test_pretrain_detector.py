from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ocrkit.archive.formats import save
from ocrkit.detection.lines import LineDetector
from ocrkit.detection.maps import encode
from ocrkit.detection.network import LineNet
from ocrkit.document import Document, Line, Page
from ocrkit.errors import CheckpointError
from ocrkit.image import page_ink
from ocrkit.metrics import line_f1
from ocrkit.training.losses import detector_loss
from ocrkit.training.pretrain_detector import DetectorPretrainConfig, pretrain_detector

SMALL = (8, 8, 16, 16)


def test_a_page_can_be_memorised(bars) -> None:
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


def test_ground_truth_is_learned_from_and_other_pages_of_it_are_measured(
    tmp_path: Path, few_fonts, bars
) -> None:
    sheet = bars()
    Image.fromarray(sheet.scan).save(tmp_path / "scan.png")
    lines = tuple(
        Line(tuple(map(tuple, polygon.tolist())), text, 1.0)
        for polygon, text in zip(sheet.polygons, sheet.texts, strict=True)
    )
    save(Document("scan.png", (Page(128, 96, lines),)), tmp_path / "scan.json")
    config = DetectorPretrainConfig(
        channels=SMALL,
        minutes=1 / 60,
        batch=1,
        side=64,
        workers=0,
        held_out=1,
        pages=str(tmp_path),
        pages_held_out=str(tmp_path),
        ground_truth=True,
    )
    net = LineNet.load(pretrain_detector(tmp_path / "run", config, progress=False))
    assert 0 <= net.provenance["held_out"]["own_f1"] <= 1
    assert str(tmp_path) in net.provenance["data"]
