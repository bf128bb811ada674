"""The kit's own detector: a small network that marks the lines of a page of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ocrkit.detection.gutters import white_gutters
from ocrkit.detection.letter_height import letter_height
from ocrkit.detection.maps import STRIDE, LineShape, decode, find_lines
from ocrkit.detection.order import crossings, reading_order
from ocrkit.detection.rules import Rules, find_rules
from ocrkit.detection.strips import dark_on_light
from ocrkit.errors import CheckpointError
from ocrkit.image import page_ink, scaled
from ocrkit.runtime import Backend
from ocrkit.runtime.metadata import DETECTOR_FORMAT, parse_metadata
from ocrkit.runtime.weights import check_format, default_weights, weights_path

MULTIPLE = 32  # sides of the network's input
EDGE = 16  # px of paper added around the page, or letters at its edge would look cut off
MAX_PIXELS = 8_000_000  # of the network's input; larger pages are scaled down
GAP = 0.35  # heights of a line; between two columns there is at least so much white
LETTERS = 15.0  # px; the typical height of letters on the pages of the training set


@dataclass(frozen=True)
class LineDetector:
    """Finds the lines of text of a page.

    run: a network, (N, 1, H, W) float32 -> maps (N, 3, H / 4, W / 4), the core as a logit.
    margin: the paper around a line, as in `maps.LineShape.outline`.
    """

    run: Backend
    margin: float = 0.1

    @classmethod
    def load(cls, name_or_path: str | Path | None = None, margin: float = 0.1) -> LineDetector:
        """The network by the name of the kit's own weights, or by a path, .safetensors or .xml.

        None takes "ocrkit-detector-int8" where OpenVINO is installed, because it finds the same
        lines in half the time, and else "ocrkit-detector". Raises CheckpointError for a file that
        is not there or is not a detector, MissingPartError for an .xml without OpenVINO.
        """
        name_or_path = name_or_path or default_weights("ocrkit-detector")
        return cls(detector_backend(name_or_path), margin)

    def __call__(self, page: np.ndarray) -> list[np.ndarray]:
        """Line polygons of a grey page (H, W) uint8, in reading order; see `Detector`."""
        if min(page.shape) < 6:
            return []
        scale = min(page_scale(page), (MAX_PIXELS / page.size) ** 0.5)
        small = scaled(page, scale)
        lines = find_lines(self.maps(small))
        if not lines:
            return []
        rules = find_rules(small, float(np.median([line.height for line in lines])))
        lines = parted(lines, small, rules)
        # The order is found without margins, which would close the gutters between columns.
        order = reading_order([line.outline() for line in lines], rules)
        return [(lines[i].outline(self.margin) / scale).astype(np.float32) for i in order]

    def at_scale(self, page: np.ndarray) -> list[np.ndarray]:
        """Line polygons of a page whose letters are LETTERS high, in no particular order."""
        return decode(self.maps(page), self.margin)

    def maps(self, page: np.ndarray) -> np.ndarray:
        """The network's maps of a page (H, W): float32 (3, h, w), the core as a probability."""
        cells = [slice(EDGE // STRIDE, -(-(EDGE + side) // STRIDE)) for side in page.shape]
        core, height, middle = self.run(network_input(page))[0][:, *cells]
        return np.stack([1 / (1 + np.exp(-core)), height, middle])


def parted(lines: Sequence[LineShape], page: np.ndarray, rules: Rules) -> list[LineShape]:
    """The lines of a grey page, and those that reach across a gutter cut there."""
    cuts = crossings([line.outline() for line in lines], rules)
    gutters = white_gutters(lines, page)
    result = []
    for i, line in enumerate(lines):
        gaps = gutters.get(i, []) + [_white(line, x, page) for x in cuts.get(i, ())]
        for start, end in sorted(gaps):
            if line.left + line.height < start < end < line.right - line.height:
                result.append(replace(line, right=start))
                line = replace(line, left=end)
        result.append(line)
    return result


def _white(line: LineShape, x: float, page: np.ndarray) -> tuple[float, float]:
    """The ends of the gap in a line's ink near x; both are x if there is only a word space."""
    middle, half = float(line.centre(x)), line.height / 2
    rows = slice(max(0, round(middle - half)), max(0, round(middle + half)))
    first = max(0, round(x - line.height))
    part = page[rows, first : round(x + line.height)]
    if not part.size:
        return x, x
    paper, dark = np.quantile(part, 0.75), float(part.min())
    inked = (part < paper - 0.4 * max(paper - dark, 24)).mean(axis=0)
    white = np.concatenate([[False], inked == 0, [False]])
    # A rule between two columns is a column of ink from top to bottom.
    white[1:-1] |= inked > 0.9
    edges = np.flatnonzero(np.diff(white.astype(int)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return x, x
    widest = int(np.argmax(ends - starts))
    if ends[widest] - starts[widest] < GAP * line.height:
        return x, x
    return float(first + starts[widest]), float(first + ends[widest])


def page_scale(page: np.ndarray) -> float:
    """The factor by which a grey page (H, W) is scaled so that its letters are LETTERS high."""
    whole = min(1.0, (4_000_000 / page.size) ** 0.5)
    height = letter_height(scaled(page, whole)) / whole
    return float(np.clip(LETTERS / height, 0.05, 2.0)) if height else 1.0


def detector_ink(page: np.ndarray) -> np.ndarray:
    """What a detector sees of a grey page (H, W): its ink, float32 (H, W), letters above 0."""
    return dark_on_light(page_ink(page))


def network_input(page: np.ndarray) -> np.ndarray:
    """The network's input of a grey page (H, W): float32 (1, 1, H, W), with paper all around."""
    padding = [(EDGE, padded_side(side + 2 * EDGE) - side - EDGE) for side in page.shape]
    return np.pad(detector_ink(page), padding)[None, None]


def padded_side(side: int) -> int:
    """The next of the sizes that a network is given: by at most an eighth larger.

    OpenVINO prepares itself for each new size of a page, which takes time, and some MB of memory
    for good. Pages of a folder may all have different sizes, so only 8 sizes are used between a
    power of two and the next: ... 512, 576, 640 ... 1024, 1152 ...
    """
    step = max(MULTIPLE, 2 ** (side.bit_length() - 4))
    return side + -side % step


def detector_backend(name_or_path: str | Path) -> Backend:
    """A detector's network made ready to run, (N, 1, H, W) -> (N, 3, H / 4, W / 4), float32.

    Takes the name of the kit's own weights or a path: a .safetensors is run by PyTorch, an .xml by
    OpenVINO. Raises CheckpointError for a file that is missing, damaged or no detector, and
    MissingPartError for an .xml without OpenVINO.
    """
    path = weights_path(name_or_path, DETECTOR_FORMAT)
    if path.suffix != ".xml":
        from ocrkit.detection.network import LineNet
        from ocrkit.runtime.pytorch import in_pytorch

        return in_pytorch(LineNet.load(path))
    from ocrkit.runtime.openvino import check_shapes, compile_network, read_network

    network, text = read_network(path)
    metadata = parse_metadata(text or "{}", path)
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path} is not a readable checkpoint: its metadata is not a table")
    check_format(path, metadata.get("format"), DETECTOR_FORMAT)
    check_shapes(path, network, (-1, 1, -1, -1), classes=-1)
    return compile_network(network, path=path)
