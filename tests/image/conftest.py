"""What the tests of images share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def scan() -> np.ndarray:
    """A grey picture (20, 30) that looks different whichever way it is turned."""
    return np.add.outer(np.arange(20) * 2, np.arange(30) * 7).astype(np.uint8)
