"""What this machine has for the kit, what is missing or broken, and the remedy for each.

Nothing heavy is imported: versions come from the packages' metadata, and weights are checked by
their headers, so the answer takes well under a second.
"""

from __future__ import annotations

import html
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WEIGHTS = Path(__file__).parent / "weights"

INSTALL = "pip install {} (or, in a clone of the repository: make clean setup)"
NEEDED = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "safetensors",
    "jiwer",
    "psutil",
    "rich",
    "tqdm",
    "typer",
)
# Optional package -> what is closed without it.
OPTIONAL = {
    "neural-compressor": "INT8 with Neural Compressor",
    "neural-compressor-pt": "INT8 with Neural Compressor",
    "openvino": "the OpenVINO backend",
    "nncf": "INT8 with OpenVINO",
    "onnx": "export to ONNX",
    "onnxruntime": "running exported ONNX models",
    "easyocr": "the craft detector",
    "trdg": "rendering training words",
    "jupyterlab": "the notebooks",
    "papermill": "running notebooks from the command line",
    "matplotlib": "figures",
    "pandas": "tables in the notebooks",
}
# CPU feature -> the flags of /proc/cpuinfo that give it (one is enough), and what it is for.
FEATURES = {
    "AVX2": (("avx2",), "every backend; IPEX does not start without it"),
    "AVX-512": (("avx512f",), "faster FP32"),
    "VNNI": (("avx512_vnni", "avx_vnni"), "INT8 that is faster than FP32"),
    "BF16": (("avx512_bf16", "amx_bf16"), "training and reading in bfloat16"),
    "AMX": (("amx_tile",), "the fastest INT8 and BF16"),
}

State = Literal["ok", "optional", "broken"]


@dataclass(frozen=True)
class Row:
    """One finding.

    ``state`` is "ok", "optional" (missing, and only some uses of the kit notice) or "broken".
    ``remedy`` says what to do or expect; it is empty only where the state is "ok".
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
    """All findings, in the order in which they are shown."""

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken; optional parts may be missing."""
        return all(row.state != "broken" for row in self.rows)

    def __str__(self) -> str:
        width = max(len(row.what) for row in self.rows)
        return "\n".join(
            f"{row.state:8}  {row.what:{width}}  {row.found}  {row.remedy}".rstrip()
            for row in self.rows
        )

    def _repr_html_(self) -> str:
        head = "<tr><th></th><th>what</th><th>found</th><th>remedy</th></tr>"
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{html.escape(text)}</td>"
                for text in (row.state, row.what, row.found, row.remedy)
            )
            + "</tr>"
            for row in self.rows
        )
        return f"<table>{head}{body}</table>"


def doctor() -> Report:
    """Examine this machine and this installation; takes well under a second and changes nothing."""
    return Report(
        (
            python_row(sys.version_info[:3]),
            *package_rows(),
            *cpu_rows(*_cpu()),
            *machine_rows(),
            compiler_row(os.environ.get("CXX", "g++")),
            *weights_rows(WEIGHTS),
            craft_row(),
            widgets_row(_labextension_folders()),
            tesseract_row(),
        )
    )


def python_row(version: tuple[int, int, int]) -> Row:
    found = ".".join(map(str, version))
    if version >= (3, 11):
        return Row("Python", found)
    return Row("Python", found, "broken", "needs 3.11 or newer: make demo PYTHON=python3.11")


def package_rows() -> Iterator[Row]:
    for name in NEEDED:
        found = version_of(name)
        if found:
            yield Row(name, found)
        else:
            yield Row(name, "not found", "broken", INSTALL.format(name))
    for name, use in OPTIONAL.items():
        found = version_of(name)
        if found:
            yield Row(name, found)
        else:
            yield Row(name, "not found", "optional", f"for {use}: {INSTALL.format(name)}")
    yield ipex_row(version_of("intel-extension-for-pytorch"), version_of("torch"))


def ipex_row(ipex: str | None, torch: str | None) -> Row:
    """IPEX loads only beside the torch of its own major and minor version."""
    name = "intel-extension-for-pytorch"
    if not ipex:
        remedy = f"for the ipex backend: {INSTALL.format(name)}; it needs torch 2.8"
        return Row(name, "not found", "optional", remedy)
    wanted = ".".join(ipex.split(".")[:2])
    if torch and torch.startswith(f"{wanted}."):
        return Row(name, ipex)
    remedy = f"pip install 'torch=={wanted}.*', or pip uninstall {name}: the kit works without it"
    return Row(name, f"{ipex} beside torch {torch or '(missing)'}", "broken", remedy)


def cpu_rows(model: str, flags: Collection[str]) -> Iterator[Row]:
    yield Row("CPU", model or "unknown")
    if not flags:
        yield Row("CPU features", "unknown", "optional", INSTALL.format("py-cpuinfo"))
        return
    for name, (any_of, use) in FEATURES.items():
        present = [flag for flag in any_of if flag in flags]
        if present:
            yield Row(name, ", ".join(present))
        else:
            remedy = f"a property of the CPU, good for {use}; the rest works without"
            yield Row(name, "no", "optional", remedy)


def machine_rows() -> Iterator[Row]:
    try:
        import psutil
    except ImportError:
        return  # package_rows has said so
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Row("cores", f"{psutil.cpu_count(logical=False) or '?'} physical, {usable} usable here")
    memory = psutil.virtual_memory()
    found = f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free"
    if memory.available >= 2 * 2**30:
        yield Row("memory", found)
    else:
        remedy = "close other programs; read with --jobs 1, train with a smaller batch_size"
        yield Row("memory", found, "optional", remedy)
    free = psutil.disk_usage(str(Path.cwd())).free / 2**30
    if free >= 1:
        yield Row("disk", f"{free:.1f} GiB free here")
    else:
        remedy = "make room, or name another disk with -o DIR"
        yield Row("disk", f"{free:.1f} GiB free here", "broken", remedy)


def compiler_row(name: str) -> Row:
    version = _first_line(*name.split(), "-dumpversion")
    if version:
        return Row("C++ compiler", f"{name} {version}")
    remedy = "torch.compile needs one: sudo apt-get install g++ (Fedora: sudo dnf install gcc-c++)"
    return Row("C++ compiler", f"{name} not found", "broken", remedy)


def weights_rows(folder: Path) -> Iterator[Row]:
    """One row for each weights file, with its size and the beginning of its SHA-256."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        remedy = "git checkout -- ocrkit/weights, or make your own: ocrkit pretrain"
        yield Row("weights", f"none in {folder}", "broken", remedy)
    for file in files:
        what = f"weights {file.stem}"
        try:
            found = f"{file.stat().st_size / 1e6:.1f} MB, SHA-256 {_sha256(file)[:12]}"
            whole = file.stat().st_size == _size_by_header(file)
        except OSError as error:
            yield Row(what, f"cannot be read: {error.strerror}", "broken", f"chmod a+r {file}")
            continue
        if whole:
            yield Row(what, found)
        else:
            remedy = f"get the file again: git checkout -- {file}"
            yield Row(what, f"{found}, damaged or cut short", "broken", remedy)


def craft_row() -> Row:
    # The path and its variables are EasyOCR's own.
    variables = (os.environ.get(name) for name in ("EASYOCR_MODULE_PATH", "MODULE_PATH"))
    home = Path(next(filter(None, variables), "~/.EasyOCR")).expanduser()
    file = home / "model" / "craft_mlt_25k.pth"
    if file.is_file():
        return Row("CRAFT weights", f"{file.stat().st_size / 1e6:.1f} MB in {file.parent}")
    remedy = f"only for --detector craft, which fetches it or says how; it belongs in {file.parent}"
    return Row("CRAFT weights", "not found", "optional", remedy)


def widgets_row(labextension_folders: Sequence[Path]) -> Row:
    """Whether JupyterLab draws ipywidgets: three parts must be there and fit one another."""
    what = "JupyterLab widgets"
    found = {name: version_of(name) for name in ("ipywidgets", "jupyterlab_widgets", "jupyterlab")}
    shown = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    missing = [name for name, version in found.items() if not version]
    if missing:
        remedy = f"for the controls in the notebooks: {INSTALL.format(' '.join(missing))}"
        return Row(what, f"no {', '.join(missing)}", "optional", remedy)
    from packaging.specifiers import SpecifierSet  # JupyterLab brings it along

    fitting = "pip install --force-reinstall ipywidgets jupyterlab_widgets"
    wanted = _wanted_by_ipywidgets()
    if not SpecifierSet(wanted).contains(found["jupyterlab_widgets"] or ""):
        note = f"{shown}: ipywidgets wants jupyterlab_widgets {wanted}"
        return Row(what, note, "broken", fitting)
    manager = Path("@jupyter-widgets") / "jupyterlab-manager" / "package.json"
    if not any((folder / manager).is_file() for folder in labextension_folders):
        note = f"{shown}: the lab extension's files are missing"
        return Row(what, note, "broken", f"{fitting}, then reload the page")
    return Row(what, shown)


def tesseract_row() -> Row:
    found = _first_line("tesseract", "--version")
    if found:
        return Row("Tesseract", found.removeprefix("tesseract "))
    remedy = "only for comparing readings: sudo apt-get install tesseract-ocr"
    return Row("Tesseract", "not found", "optional", remedy)


def version_of(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def parse_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Model name and feature flags from the text of ``/proc/cpuinfo``."""
    fields = dict(re.findall(r"^(model name|flags)\s*: (.*)$", text, flags=re.MULTILINE))
    return fields.get("model name", ""), frozenset(fields.get("flags", "").split())


def _cpu() -> tuple[str, frozenset[str]]:
    try:
        return parse_cpuinfo(Path("/proc/cpuinfo").read_text())
    except OSError:  # not Linux; py-cpuinfo knows the others, in a second or two
        try:
            from cpuinfo import get_cpu_info
        except ImportError:
            return platform.processor(), frozenset()
        found = get_cpu_info()
        return found.get("brand_raw", ""), frozenset(found.get("flags", ()))


def _first_line(*command: str) -> str:
    """First line that a command prints, or "" where it cannot be run."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else next(iter((done.stdout + done.stderr).splitlines()), "")


def _sha256(file: Path) -> str:
    from hashlib import file_digest

    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _size_by_header(file: Path) -> int:
    """Size a safetensors file must have by its own header, or -1 where there is no such header."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        try:
            header = json.loads(stream.read(min(length, 100_000_000)))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        except (ValueError, AttributeError, KeyError, TypeError):
            return -1
    return 8 + length + max(ends, default=0)


def _labextension_folders() -> list[Path]:
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        return []
    return [Path(folder) for folder in jupyter_path("labextensions")]


def _wanted_by_ipywidgets() -> str:
    """The versions of jupyterlab_widgets that the installed ipywidgets asks for, as "~=3.0.15"."""
    from importlib.metadata import requires

    name = re.compile(r"jupyterlab[_-]widgets", re.IGNORECASE)
    wanted = (name.sub("", line) for line in requires("ipywidgets") or () if name.match(line))
    return next(wanted, "").split(";")[0].strip(" ()")
