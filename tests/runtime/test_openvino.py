"""The OpenVINO backend: each caller gets its own output, in every thread and in order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from ocrkit.compress.openvino import to_openvino
from ocrkit.detection.lines import LineDetector
from ocrkit.errors import CheckpointError
from ocrkit.image import crop_polygon, load_pages
from ocrkit.pipeline import ReadOptions, read_document
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.backends import load_file
from ocrkit.recognition.network import CRNN, ModelConfig
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime import run_batches
from ocrkit.runtime.openvino import check_shapes, read_network

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    model = CRNN(ModelConfig(0.125, 8, "all"), Alphabet("abcdef ")).eval()
    return to_openvino(model, tmp_path_factory.mktemp("ir") / "small.xml")


def batches(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(int(rng.integers(1, 4)), 1, 32, 32 * int(rng.integers(1, 5))) for _ in range(count)]
    return [rng.random(shape, np.float32) for shape in shapes]


def test_many_batches_come_out_in_order_and_as_if_run_alone(network: Path) -> None:
    backend, _ = load_file(network)
    images = batches(40)
    for alone, ahead in zip(map(backend, images), run_batches(backend, images), strict=True):
        np.testing.assert_array_equal(alone, ahead)


def test_any_callable_runs_batches() -> None:
    assert list(run_batches(lambda x: x + 1, [np.zeros(1), np.ones(1)])) == [[1], [2]]


def test_an_output_stays_as_it_is_while_others_are_computed(network: Path) -> None:
    backend, _ = load_file(network)
    first = backend(batches(1)[0])
    before = first.copy()
    list(run_batches(backend, batches(10)))
    np.testing.assert_array_equal(first, before)


def test_a_caller_may_stop_early_or_fail_and_the_backend_works_on(network: Path) -> None:
    backend, _ = load_file(network)
    images = batches(10)
    running = run_batches(backend, images)
    next(running)
    running.close()

    def broken() -> Iterator[np.ndarray]:
        yield from images[:4]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(run_batches(backend, broken()))
    assert backend(images[0]).shape[1] == len(images[0])


def test_threads_that_share_a_backend_each_get_their_own_output(network: Path) -> None:
    backend, _ = load_file(network)
    images = batches(60)
    wanted = [backend(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(backend, images * 3))
    for i, output in enumerate(found):
        np.testing.assert_array_equal(output, wanted[i % len(wanted)])


def test_threads_that_share_a_recognizer_read_their_own_lines() -> None:
    page = next(load_pages(SAMPLES / "letter.jpg"))
    crops = [crop_polygon(page, polygon) for polygon in LineDetector.load()(page)]
    reader = Recognizer.load()
    wanted = [reader([crop])[0] for crop in crops]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda crop: reader([crop])[0], crops * 5))
    assert found == wanted * 5


def test_documents_are_read_in_several_threads_at_once() -> None:
    paths = [SAMPLES / name for name in ("form.png", "receipt.png", "ledger.jpg", "letter.jpg")]
    wanted = [read_document(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read_document, paths * 2, [ReadOptions()] * 8)) == wanted * 2


def test_a_network_that_takes_other_images_than_it_says_is_refused(network: Path) -> None:
    compiled, _ = read_network(network)
    check_shapes(network, compiled, (-1, 1, 32, -1), 8)
    with pytest.raises(CheckpointError, match=r"small.xml takes images .*\[-1, 1, 64, -1\]"):
        check_shapes(network, compiled, (-1, 1, 64, -1), 8)
    with pytest.raises(CheckpointError, match="8 output classes, but its alphabet .* has 7"):
        check_shapes(network, compiled, (-1, 1, 32, -1), 7)


def test_processes_that_share_a_machine_are_not_bound_to_the_same_cores(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO binds threads from the first core on, also in a process that has only one thread."""
    monkeypatch.setattr("ocrkit.runtime.openvino.usable_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    backend, _ = load_file(network)
    assert backend.compiled.get_property("ENABLE_CPU_PINNING") is False  # type: ignore[attr-defined]


def test_with_one_thread_nothing_is_computed_in_the_background(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    backend, _ = load_file(network)
    images = batches(10)
    for alone, ahead in zip(map(backend, images), run_batches(backend, images), strict=True):
        np.testing.assert_array_equal(alone, ahead)
    assert len(backend.idle) == 1  # type: ignore[attr-defined]  # requests that were ever needed
