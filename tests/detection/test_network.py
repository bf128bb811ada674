"""The network of the detector, and what the kit's own weights for it can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrkit.compress.openvino import to_openvino
from ocrkit.detection.lines import LineDetector, detector_backend, network_input, padded_side
from ocrkit.detection.maps import decode
from ocrkit.detection.network import LineNet
from ocrkit.errors import CheckpointError
from ocrkit.metrics import line_f1
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.synth.fonts import Font
from ocrkit.synth.pages import PageGenerator, Sheet

SMALL = (8, 8, 16, 16)


def test_the_maps_have_a_cell_for_four_by_four_pixels() -> None:
    net = LineNet().eval()
    assert 1e6 < sum(p.numel() for p in net.parameters()) < 2e6
    with torch.inference_mode():
        assert net(torch.zeros(2, 1, 64, 96)).shape == (2, 3, 16, 24)


def test_a_page_of_any_size_is_padded_to_what_the_network_takes() -> None:
    page = np.full((33, 100), 200, np.uint8)
    assert network_input(page).shape == (1, 1, 96, 160)


@given(st.integers(1, 20_000))
def test_pages_come_in_few_sizes_that_are_at_most_an_eighth_too_large(side: int) -> None:
    padded = padded_side(side)
    assert padded % 32 == 0 and side <= padded < max(side + 32, 1.125 * side + 1)
    assert padded_side(padded) == padded


def test_there_are_eight_sizes_between_a_power_of_two_and_the_next() -> None:
    assert len({padded_side(side) for side in range(1025, 2049)}) == 8


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
