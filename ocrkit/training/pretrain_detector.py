"""Pretraining: a detector learns from synthetic pages, within a budget of minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ocrkit.detection.lines import LineDetector
from ocrkit.detection.network import LineNet
from ocrkit.metrics import line_f1
from ocrkit.runtime import Backend
from ocrkit.synth.pages import PageGenerator, Sheet
from ocrkit.training.ground_truth import fitted_sheet
from ocrkit.training.losses import detector_loss
from ocrkit.training.pages import own_sheets
from ocrkit.training.pieces import Mixture, Pieces, PieceStream
from ocrkit.training.run import HELD_OUT, Budget, run_within_budget
from ocrkit.training.streams import stream_batches

BENDS = 0.12  # of all pages
OWN_SEVERITY = 0.6  # of the damage added to own pages, which are real scans already


@dataclass(frozen=True, kw_only=True)
class DetectorPretrainConfig(Budget):
    """The settings of `pretrain_detector`.

    channels: of the network at its four strides. A step takes `batch` pieces of pages, `side` x
    `side` pixels each. pages: a folder of your own documents, which give every second page; see
    `own_sheets`.
    """

    channels: tuple[int, int, int, int] = (32, 64, 96, 128)
    batch: int = 4
    side: int = 416
    pages: str | None = None
    pages_held_out: str | None = None
    ground_truth: bool = False
    held_out: int = 60


def pretrain_detector(
    folder: str | Path,
    config: DetectorPretrainConfig | None = None,
    start_from: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train a detector until the budget is spent; returns the checkpoint of averaged weights.

    Runs are resumed, and errors raised, as in `pretrain`; also OcrkitError for documents in
    `config.pages` that cannot be used.
    """
    config = config or DetectorPretrainConfig()
    torch.manual_seed(config.seed)
    model = LineNet.load(start_from) if start_from else LineNet(config.channels)
    return run_within_budget(Path(folder), DetectorTask(model, config), start_from, progress)


class DetectorTask:
    """Training a LineNet on pieces of pages, with the maps of their lines; see `Task`."""

    data = "synthetic pages of ocrkit.synth"

    def __init__(self, model: LineNet, config: DetectorPretrainConfig) -> None:
        self.model, self.config = model, config
        self.model_settings = {"channels": list(model.channels)}
        own = self._own(config.pages) if config.pages else []
        self.make = Mixture(PageGenerator(config.seed), own, OWN_SEVERITY, BENDS)
        if config.pages:
            self.data = f"{self.data}, and the pages of {config.pages}"

    def _own(self, folder: str) -> list[Sheet]:
        sheets = own_sheets(folder)
        if not self.config.ground_truth:
            return sheets
        detector = LineDetector.load(margin=0)
        return [fitted_sheet(sheet, detector) for sheet in sheets]

    @cached_property
    def own_held_out(self) -> list[Sheet]:
        """The validation set of your own pages."""
        return self._own(self.config.pages_held_out) if self.config.pages_held_out else []

    @cached_property
    def held_out(self) -> list[Sheet]:
        """The validation set, from a seed that is not used for training."""
        make = PageGenerator(self.config.seed + HELD_OUT)
        return [make(i) for i in range(self.config.held_out)]

    def batches(self, start: int) -> Iterator[Pieces]:
        config = self.config
        stream = PieceStream(self.make, config.seed, config.side, config.batch, start)
        return stream_batches(stream, config.workers)

    def loss(self, output: Tensor, batch: Pieces) -> Tensor:
        return detector_loss(output, batch.maps.to(output.device))

    def scores(self, average: LineNet, device: torch.device) -> dict[str, float]:
        """Precision, recall and F1 of the lines of whole pages, at an IoU of 0.5.

        Those of your own pages, if there are any held out, begin with "own_".
        """

        def run(page: np.ndarray) -> np.ndarray:
            return average(torch.from_numpy(page).to(device)).cpu().numpy()

        names = ("precision", "recall", "f1")
        scores = dict(zip(names, sheet_f1(run, self.held_out), strict=True))
        if self.own_held_out:
            rates = sheet_f1(run, self.own_held_out)
            scores |= dict(zip((f"own_{name}" for name in names), rates, strict=True))
        return scores


def sheet_f1(run: Backend, sheets: Sequence[Sheet]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the lines that a detector's network finds; see `line_f1`."""
    detector = LineDetector(run, margin=0)
    predictions = [detector.at_scale(sheet.scan) for sheet in sheets]
    targets = [sheet.polygons for sheet in sheets]
    return line_f1(targets, predictions, ignored=[sheet.ignored for sheet in sheets])
