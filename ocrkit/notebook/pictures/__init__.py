"""Pictures of the theory, drawn from the kit's real values where that is possible.

Each function returns a `Picture`: a figure whose title says what it finds, and the same as a text.
"""

from ocrkit.notebook.pictures.ctc import Lattice, ctc_frames, ctc_lattice, lattice
from ocrkit.notebook.pictures.flow import Stage, conversion, workflow
from ocrkit.notebook.pictures.int8 import affine, clipping, quantised, relative_error
from ocrkit.notebook.pictures.network import crnn, lstm_gates, lstm_states
from ocrkit.notebook.pictures.picture import Picture
from ocrkit.notebook.pictures.reading import damaged, doubt
from ocrkit.notebook.pictures.roofline import intensity, roofline

__all__ = [
    "Lattice",
    "Picture",
    "Stage",
    "affine",
    "clipping",
    "conversion",
    "crnn",
    "ctc_frames",
    "ctc_lattice",
    "damaged",
    "doubt",
    "intensity",
    "lattice",
    "lstm_gates",
    "lstm_states",
    "quantised",
    "relative_error",
    "roofline",
    "workflow",
]
