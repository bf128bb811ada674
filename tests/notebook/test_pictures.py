from __future__ import annotations

import math
import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from ocrkit.measure.operations import Layer
from ocrkit.notebook import pictures
from ocrkit.notebook.pictures import Picture, Stage
from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.ctc import greedy, log_softmax
from ocrkit.recognition.network import CRNN, ModelConfig

AB = Alphabet("ab ")


def log_probs(rows: list[list[float]]) -> np.ndarray:
    """Log-probabilities (T, C) of probabilities for blank, a, b and space."""
    return np.log(np.maximum(np.array(rows, float), 1e-9))


def title_of(picture: Picture) -> str:
    return picture.figure.get_suptitle()


def texts_of(picture: Picture) -> list[str]:
    return [text.get_text() for axes in picture.figure.axes for text in axes.texts]


def no_text_is_cut_off(picture: Picture) -> bool:
    figure = picture.figure
    figure.canvas.draw()
    whole = figure.bbox.padded(1)
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    return all(whole.contains(*corner) for box in boxes for corner in (box.p0, box.p1))


@pytest.fixture(scope="module")
def network() -> tuple[CRNN, np.ndarray]:
    """A tiny network with random weights, and a strip for it."""
    torch.manual_seed(0)
    model = CRNN(ModelConfig(width=0.125, hidden=8), AB).eval()
    height = model.preprocessing.height
    return model, np.random.default_rng(0).random((1, 1, height, 64), np.float32)


# --- CTC


def test_the_lattice_of_two_letters_has_the_paths_and_probabilities_counted_by_hand() -> None:
    # "ab" in three steps: aab, abb, -ab, a-b, ab-. With 1/4 for each class each path has 1/64.
    found = pictures.lattice(np.log(np.full((3, 4), 0.25)), [1, 2])
    assert found.states == (0, 1, 0, 2, 0)
    assert found.paths == 5
    assert found.probability == pytest.approx(5 / 64)
    assert found.best_probability == pytest.approx(1 / 64)
    # Step by step, in how many of the five the path is at a blank, a, blank, b, blank.
    expected = [[1, 4, 0, 0, 0], [0, 2, 1, 2, 0], [0, 0, 0, 4, 1]]
    assert found.share * 5 == pytest.approx(np.array(expected))


def test_between_equal_letters_there_must_be_a_blank() -> None:
    # "aa" in three steps has one path, a-a.
    found = pictures.lattice(np.log(np.full((3, 4), 0.25)), [1, 1])
    assert (found.paths, found.best) == (1, (1, 2, 3))
    assert not found.may_follow(1, 3)
    assert pictures.lattice(np.log(np.full((3, 4), 0.25)), [1, 2]).may_follow(1, 3)


def test_the_best_path_of_a_lattice_is_the_most_probable_one() -> None:
    rows = [[0.1, 0.8, 0.1, 0], [0.7, 0.2, 0.1, 0], [0.1, 0.1, 0.8, 0]]
    found = pictures.lattice(log_probs(rows), [1, 2])
    assert found.best == (1, 2, 3)
    assert found.best_probability == pytest.approx(0.8 * 0.7 * 0.8)


@pytest.mark.parametrize("classes", [[1], [1, 2], [2, 2], [1, 2, 1]])
def test_the_probability_of_a_lattice_is_that_of_the_loss(classes: list[int]) -> None:
    values = log_softmax(np.random.default_rng(1).normal(size=(7, 4)))
    loss = torch.nn.functional.ctc_loss(
        torch.tensor(values)[:, None], torch.tensor([classes]), (7,), (len(classes),)
    )
    probability = pictures.lattice(values, classes).probability
    assert -math.log(probability) == pytest.approx(len(classes) * float(loss))  # it is a mean


def test_too_few_time_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="2 time steps are too few for 2 characters"):
        pictures.lattice(np.log(np.full((2, 4), 0.25)), [1, 1])


def test_the_picture_of_a_lattice_says_paths_and_probabilities() -> None:
    picture = pictures.ctc_lattice(np.log(np.full((3, 4), 0.25)), "ab", AB)
    found = "5 paths give “ab” in 3 steps; together they have a probability of 0.08, "
    assert title_of(picture) == f"{found}the best one alone 0.02"
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "blank", "a", "blank", "b", "blank"
    ]  # fmt: skip
    assert len(axes.collections[0].get_offsets()) == 7  # two, three and two states can be reached
    assert "5 paths" in picture.alt


def test_frames_show_the_path_its_runs_and_its_text() -> None:
    # a a - b b - becomes a - b - and then ab.
    best = [1, 1, 0, 2, 2, 0]
    rows = log_probs([[0.97 if c == wanted else 0.01 for c in range(4)] for wanted in best])
    assert greedy(rows, AB).text == "ab"
    picture = pictures.ctc_frames(np.zeros((4, 24)), rows, AB, letter=1)
    assert texts_of(picture) == [*"aa·bb·", *"a·b·", *"ab"]
    assert title_of(picture) == "6 time steps, 4 runs, 2 characters: “ab”"
    assert picture.alt.endswith("The marked character 'b' is time steps 3 to 4.")


def test_frames_of_a_line_without_text_mark_nothing() -> None:
    picture = pictures.ctc_frames(np.zeros((4, 8)), log_probs([[1, 0, 0, 0]] * 2), AB)
    assert title_of(picture) == "2 time steps, 1 runs, 0 characters: “”"
    assert "marked" not in picture.alt


# --- the network


def test_the_gates_of_an_lstm_give_what_the_lstm_gives() -> None:
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(3, 5, bidirectional=True)
    x = torch.rand(7, 1, 3)
    states = pictures.lstm_states(lstm, x[:, 0].numpy())
    assert states["hidden"] == pytest.approx(lstm(x)[0][:, 0, :5].detach().numpy(), abs=1e-6)
    again = (
        states["forget"][1:] * states["cell"][:-1] + states["input"][1:] * states["candidate"][1:]
    )
    assert again == pytest.approx(states["cell"][1:])


def test_the_picture_of_the_network_goes_from_pixels_to_text(network) -> None:
    model, strip = network
    picture = pictures.crnn(model, strip)
    shapes = [axes.images[0].get_array().shape for axes in picture.figure.axes]
    assert shapes[0] == strip.shape[2:]
    assert shapes[-2][1] == shapes[-1][1] == 17  # time steps
    text = greedy(log_softmax(model(torch.from_numpy(strip))[:, 0].detach().numpy()), AB).text
    assert shapes[-1][0] == 1 + len(set(text))
    assert "64 pixels become 17 time steps" in title_of(picture) and text in title_of(picture)
    assert not model.pool1._forward_hooks  # the network is left as it was


def test_the_picture_of_the_gates_counts_the_steps_at_which_a_unit_forgets(network) -> None:
    picture = pictures.lstm_gates(*network)
    assert re.search(r"forgets more than half of it at \d+ of 17 steps$", title_of(picture))
    forget = picture.figure.axes[1].lines[0].get_ydata() - 1.15
    assert f"at {int((forget < 0.5).sum())} of 17" in title_of(picture)
    assert no_text_is_cut_off(picture)


# --- INT8, roofline, flow


def test_affine_quantisation_rounds_inside_the_range_and_clips_outside() -> None:
    # Two bits from -1 to 2: the steps are 1 wide, and 1 stands for 0.
    found = pictures.quantised(np.array([-5, -1, 0, 0.4, 1.6, 7]), -1, 2, bits=2)
    assert found.tolist() == [-1, -1, 0, 0, 2, 2]


def test_eight_bits_are_off_by_at_most_half_a_step() -> None:
    values = np.linspace(-0.7, 1.3, 1001)
    error = abs(pictures.quantised(values, -0.7, 1.3) - values)
    assert error.max() <= 2.0 / 255 * 1.01  # half a step, and half a step by the rounded zero


def test_the_picture_of_quantisation_says_the_step_and_the_zero_point() -> None:
    picture = pictures.affine(np.array([-0.5, 0.25]), np.linspace(-1, 3, 10_001))
    assert "has 255 steps of 0.016; 0.2% of the activations" in title_of(picture)
    # The range is from -0.996 to 2.996, so 0 is at a quarter of 255.
    assert picture.alt.endswith("0 becomes 64.")
    right = picture.figure.axes[2]
    assert len(set(np.round(right.lines[1].get_ydata(), 6))) == 16


def test_the_error_by_range_is_that_of_the_values() -> None:
    # With two bits and the full range from 0 to 3, whole numbers have no error.
    values = np.array([0.0, 1.0, 2.0, 3.0])
    assert (
        "2 bits, range 100%: error 0.0%; the lowest is 0.0%, at 100%"
        in pictures.clipping(values, 1.0, 2).alt
    )
    # Half the range: 2 and 3 become 1.5, and 1 is two steps of 0.5.
    error = math.sqrt((0.5**2 + 1.5**2) / (1 + 4 + 9))
    assert f"range 50%: error {error:.1%}" in title_of(pictures.clipping(values, 0.5, 2))


def test_intensity_counts_weights_once_and_outputs_twice() -> None:
    layers = [
        Layer("a", "Conv2d", (1, 2, 5), parameters=10, multiply_adds=100),
        Layer("b", "ReLU", (1, 2, 5), parameters=0, multiply_adds=0),
    ]
    # Three strips: 300 multiply-adds, and 10 + 2 x 3 x 10 numbers of four bytes.
    assert pictures.intensity(layers, 3, 4) == pytest.approx(300 / (70 * 4))


def test_the_roofline_says_what_memory_limits() -> None:
    peaks = {"FP32": 100.0, "INT8": 400.0}
    flat = pictures.roofline(peaks, 10.0, {"a FP32": (20.0, 50.0), "a INT8": (80.0, 100.0)})
    assert title_of(flat) == (
        "Roofline: all points lie under the flat part: arithmetic is the limit, not memory"
    )
    steep = pictures.roofline(peaks, 10.0, {"a FP32": (20.0, 50.0), "a INT8": (30.0, 100.0)})
    assert title_of(steep) == "Roofline: memory limits a INT8"
    roofs = [line.get_ydata() for line in flat.figure.axes[0].lines[:2]]
    assert [roof.max() for roof in roofs] == [100, 400]
    legend = [text.get_text() for text in flat.figure.axes[0].get_legend().get_texts()]
    assert legend == ["matrix product FP32: 100", "matrix product INT8: 400"]
    labels = texts_of(flat)
    assert {"a FP32: 50", "a INT8: 100", "memory: 10 GB/s"} <= set(labels)
    assert no_text_is_cut_off(flat)


def test_points_of_the_roofline_that_are_close_have_labels_that_are_apart() -> None:
    points = {"a FP32": (20.0, 50.0), "b FP32": (20.0, 52.0)}
    picture = pictures.roofline({"FP32": 100.0}, 10.0, points)
    picture.figure.canvas.draw()
    boxes = [
        text.get_window_extent()
        for text in picture.figure.axes[0].texts
        if text.get_text().startswith(("a ", "b "))
    ]
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])


def test_the_workflow_names_all_notebooks() -> None:
    picture = pictures.workflow()
    heads = [text for text in texts_of(picture) if re.match(r"\d\d ", text)]
    assert sorted(head[:2] for head in heads) == [f"{n:02}" for n in range(1, 10)]
    assert no_text_is_cut_off(picture)


def test_a_conversion_names_files_sizes_and_tools() -> None:
    stages = [
        Stage("checkpoint", "16-bit weights", 2.0),
        Stage("ONNX", "32-bit weights", 4.0, "export", 0),
        Stage("IR", "16-bit weights", 2.1, "convert", 0),
        Stage("INT8", "8-bit weights", 1.0, "quantise", 2),
    ]
    picture = pictures.conversion(stages)
    assert title_of(picture) == "One network, 4 files: from 2.00 MB (checkpoint) to 1.00 MB (INT8)"
    assert {"export", "convert", "quantise", "1.00 MB"} <= set(texts_of(picture))
    assert "IR, 16-bit weights, 2.10 MB, by convert of checkpoint" in picture.alt
    assert no_text_is_cut_off(picture)


# --- reading


def test_a_limit_on_the_confidence_counts_lines_to_review_and_errors_that_pass() -> None:
    picture = pictures.doubt([0.2, 0.6, 0.8, 0.95], [False, True, False, True], 0.7)
    assert title_of(picture) == "Below 0.70: 2 of 4 lines to review; 1 of 2 wrong lines pass"
    review, passed = picture.figure.axes[0].lines[:2]
    assert (review.get_ydata().min(), review.get_ydata().max()) == (0, 4)
    assert (passed.get_ydata().min(), passed.get_ydata().max()) == (0, 2)


# --- pictures


def test_a_picture_is_shown_with_its_text_and_only_once() -> None:
    picture = pictures.workflow()
    assert pyplot.get_fignums() == []
    html = picture._repr_html_()
    assert html.startswith('<img alt="The notebooks in order.')
    data = re.search(r"base64,([^\"]+)", html)
    assert data
    image = Image.open(BytesIO(b64decode(data[1])))
    assert image.width == 800 and image.format == "PNG"
    figure, _ = pyplot.subplots()
    pyplot.close(figure)
    assert 'alt="a &lt;b&gt; &quot;c&quot;"' in Picture(figure, 'a <b> "c"')._repr_html_()
