from __future__ import annotations

import pytest

from ocrkit.detection import DETECTORS, load_detector
from ocrkit.detection.lines import LineDetector


def test_detectors_are_loaded_by_name() -> None:
    assert isinstance(load_detector("lines"), LineDetector)
    with pytest.raises(ValueError, match="'tesseract'; choose one of lines, craft"):
        load_detector("tesseract")
    assert DETECTORS == ("lines", "craft")
