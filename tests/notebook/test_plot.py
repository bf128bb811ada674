from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ocrkit.measure.operations import Layer
from ocrkit.metrics import reliability
from ocrkit.notebook import plot


def test_a_learning_curve_shows_the_rows_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("minutes,loss,cer\n1,3.5,0.9\n2,1.5,0.4\n3,0.5,0.1\n")
    loss, errors = plot.learning_curve(log).axes
    assert loss.lines[0].get_ydata().tolist() == [3.5, 1.5, 0.5]
    assert errors.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert errors.lines[0].get_ydata().tolist() == [0.9, 0.4, 0.1]


def test_a_learning_curve_shows_real_lines_beside_synthetic_ones(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("minutes,loss,cer,real_cer\n1,3.5,0.9,0.5\n2,1.5,0.4,0.3\n")
    _, errors = plot.learning_curve(log).axes
    assert [line.get_ydata().tolist() for line in errors.lines] == [[0.9, 0.4], [0.5, 0.3]]
    legend = [text.get_text() for text in errors.get_legend().get_texts()]
    assert legend == ["synthetic lines", "real lines"]


def test_a_reliability_diagram_shows_accuracy_over_confidence_and_the_ideal() -> None:
    figure = plot.reliability(reliability([0.2, 0.95], [False, True]), "Too sure")
    top, bottom = figure.axes
    ideal, measured = top.lines
    assert list(ideal.get_xdata()) == list(ideal.get_ydata()) == [0, 1]
    assert list(measured.get_xdata()) == [0.2, 0.95]
    assert list(measured.get_ydata()) == [0.0, 1.0]
    assert [bar.get_height() for bar in bottom.patches] == [1, 1]
    assert top.get_title() == "Too sure"


def test_a_network_is_drawn_layer_by_layer() -> None:
    figure = plot.network(
        [
            Layer("conv1", "Conv2d", (1, 16, 32, 128), 0, 0),
            Layer("relu1", "ReLU", (1, 16, 32, 128), 0, 0),
            Layer("pool1", "MaxPool2d", (1, 16, 16, 64), 0, 0),
            Layer("rnn.0.rnn", "LSTM", (33, 1, 256), 0, 0),
        ]
    )
    (axes,) = figure.axes
    assert [box.get_height() for box in axes.patches] == [32, 16, 1]
    labels = ["conv1\n16 x\n32 x 128", "pool1\n16 x\n16 x 64", "LSTM\n256 x\n1 x 33"]
    assert [text.get_text() for text in axes.texts] == labels
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))
    # Nothing is cut off.
    shapes = [box.get_window_extent() for box in axes.patches]
    frame = axes.get_window_extent().padded(1)
    assert all(frame.containsy(y) for b in boxes + shapes for y in (b.y0, b.y1))


def test_heat_maps_share_their_scale_and_name_their_cells() -> None:
    columns, index = pd.Index([1e-3, 3e-3], name="rate"), pd.Index([20, 80], name="batch")
    tables = {n: pd.DataFrame([[n, 2.0], [3.0, 4.0]], index, columns) for n in (0.5, 9.0)}
    figure = plot.heat_maps({f"{n:g} epochs": table for n, table in tables.items()})
    assert {axes.images[0].get_clim() for axes in figure.axes} == {(0.5, 9.0)}
    left = figure.axes[0]
    assert left.get_title() == "0.5 epochs"
    assert [text.get_text() for text in left.texts] == ["0.5000", "2.0000", "3.0000", "4.0000"]
    assert (left.get_xlabel(), left.get_ylabel()) == ("rate", "batch")
    assert [label.get_text() for label in left.get_yticklabels()] == ["20", "80"]


def test_a_contact_sheet_has_every_crop_under_its_label() -> None:
    crops = [np.full((10, 40 + i), 9 * i, np.uint8) for i in range(4)]
    figure = plot.contact_sheet(crops, ["one", "two", "£3 $4 $5", "four"])
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.images[0].get_array().shape for axes in shown] == [c.shape for c in crops]
    assert [axes.get_title(loc="left") for axes in shown] == ["one", "two", r"£3 \$4 \$5", "four"]
    figure.canvas.draw()
    assert plot.contact_sheet([], []).axes
