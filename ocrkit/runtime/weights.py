"""The files of weights: the kit's own by name, and the user's by path."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ocrkit.errors import CheckpointError
from ocrkit.runtime.metadata import FORMAT, KINDS, stored_format

WEIGHTS = Path(__file__).parents[1] / "weights"
SUFFIXES = (".safetensors", ".xml")  # a checkpoint, and a model that OpenVINO alone runs


def weights_path(name_or_path: str | Path, kind: str = FORMAT) -> Path:
    """Path of a checkpoint: a name such as "ocrkit-fast" means the kit's own weights.

    Raises CheckpointError when there is no such file, with the names that there are of that kind.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
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
    """The names of the kit's own weights of a kind."""
    return ", ".join(sorted(path.stem for path in models_below(WEIGHTS, kind))) or "none yet"


def models_below(folder: str | Path, kind: str = FORMAT) -> list[Path]:
    """The files in a folder, at any depth, that have weights and are not of another kind.

    Those that cannot be read are among them, so that who takes one is told what is wrong with it.
    """
    files = (path for path in sorted(Path(folder).rglob("*")) if path.suffix in SUFFIXES)
    return [path for path in files if stored_format(path) in (None, kind)]


def check_format(path: Path, found: str | None, wanted: str) -> None:
    """Raises CheckpointError, which says what the file is, if its "format" is not the wanted."""
    if found != wanted:
        raise CheckpointError(
            f"{path} is {KINDS.get(str(found), 'of another program')}, not a checkpoint of "
            f"{KINDS[wanted]} (its format is {found!r}, not {wanted!r}); take one of the kit's own "
            f"({kit_weights(wanted)}) or your own; CRNN.load_reference reads a .pth of the reference kit"
        )


def fastest_weights(name: str) -> str:
    """Of the kit's own weights in FP32 and INT8, which err alike, the name of those to run here."""
    return f"{name}-int8" if find_spec("openvino") else name


def latest_weights(folder: str | Path) -> Path:
    """Of a folder that the notebooks write to the tuned network, else the trained; or the kit's."""
    written = (Path(folder, name) for name in ("crnn-tuned.safetensors", "crnn.safetensors"))
    return next(filter(Path.is_file, written), weights_path("ocrkit-fast"))
