"""The kit as a whole: what it imports, what it installs, what is in the repository."""

from __future__ import annotations

import ast
import os
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ocrkit
from ocrkit.notebook import doctor

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ocrkit"

# A room (a folder, or a file at the top) imports only from rows above its own.
ROWS = (
    {"errors"},
    {"document", "metrics", "processor", "progress"},
    {"files", "image"},
    {"runtime"},
    {"recognition"},
    {"detection", "synth"},
    {"pipeline", "training", "compress"},
    {"archive", "measure"},
    {"notebook"},
    {"cli"},
)
ROW = {name: row for row, names in enumerate(ROWS) for name in names}

HEAVY = {
    "torch",
    "intel_extension_for_pytorch",
    "neural_compressor",
    "openvino",
    "nncf",
    "onnx",
    "easyocr",
    "trdg",
    "matplotlib",
    "ipywidgets",
    "pandas",
}
# Import name -> what is asked for to get it, where the two differ.
INSTALLED_BY = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "fontTools": "fonttools",
    "cpuinfo": "py-cpuinfo",
    "jupyter_core": "jupyterlab",
    "packaging": "jupyterlab",
}


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after ``code``."""
    code += "\nimport sys; print(*sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    return {name.split(".")[0] for name in out.splitlines()[-1].split()}


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module imports, and whether it does so when it is itself imported."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = ".".join(file.relative_to(ROOT).with_suffix("").parts[:-1])
    later = {
        id(node)
        for part in ast.walk(tree)
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(part, ast.If) and "TYPE_CHECKING" in ast.unparse(part.test))
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        at_once = id(node) not in later
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_once
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            if base == "ocrkit":
                for alias in node.names:
                    yield f"ocrkit.{alias.name}", at_once
            else:
                yield base, at_once


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def tracked() -> list[Path]:
    """Files that are in the repository, or will be with the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, text=True, cwd=ROOT).split("\0")
    return [file for name in names if name and (file := ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for file in tracked():
        try:
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# --- imports


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import ocrkit") & (HEAVY | {"numpy", "PIL", "cv2"}) == set()


def test_the_command_line_starts_within_a_second_and_without_torch():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = loaded_by(
        "import sys; sys.argv = ['ocrkit', '--help']\n"
        "from ocrkit.cli import app\n"
        "try: app()\n"
        "except SystemExit as stop: assert not stop.code"
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert loaded & HEAVY == set()
    # Time on the CPU: what else the machine is doing must not decide.
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 1.0


@pytest.mark.parametrize("name", sorted(ROWS[0] | ROWS[1] | ROWS[2]))
def test_values_need_no_torch(name):
    assert "torch" not in loaded_by(f"import ocrkit.{name}")


@pytest.mark.parametrize("name", ocrkit.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ocrkit, name) is not None
    assert name in dir(ocrkit)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'recognise'"):
        _ = ocrkit.recognise


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_go_one_way(file):
    own = file.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        return
    assert own in ROW, f"{own} has no row yet: give it one"
    for name, _ in imports(file):
        root, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if root == "ocrkit" and other in ROW and other != own:
            assert ROW[other] < ROW[own], f"{own} imports {other}, which is not above it"


def test_modules_of_a_room_import_one_another_in_no_circle():
    files = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in modules()}
    graph = {
        name: {other for other, _ in imports(file) if other in files and other != name}
        for name, file in files.items()
        if file.stem != "__init__"
    }
    assert tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names it


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_takes_a_private_name_from_another(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    private = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ocrkit")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert private == []


@pytest.mark.parametrize("file", modules(), ids=lambda file: str(file.relative_to(ROOT)))
def test_optional_parts_are_imported_only_where_they_are_used(file):
    optional = HEAVY - {"torch"}
    if file.stem in {"plot", "widgets"}:
        optional -= {"matplotlib", "ipywidgets", "pandas"}
    assert {name.split(".")[0] for name, at_once in imports(file) if at_once} & optional == set()


# --- what is installed


def lock() -> dict[str, str]:
    """Package -> version; fails on a line that is not an exact version with its hashes."""
    text = (ROOT / "env" / "requirements.lock").read_text()
    versions = {}
    for entry in text.replace("\\\n", " ").splitlines():
        match = re.fullmatch(
            r"([a-z0-9][a-z0-9._-]*)==([\w.!+]+)((?: +--hash=sha256:[0-9a-f]{64})+)", entry.strip()
        )
        assert match, f"not an exact version with hashes: {entry[:80]}"
        versions[match[1]] = match[2]
    return versions


def required(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def wanted() -> list[Requirement]:
    return required((ROOT / "env" / "requirements.in").read_text().splitlines())


def test_the_lock_holds_what_was_asked_for_in_exact_versions_with_hashes():
    versions = lock()
    for requirement in wanted():
        assert versions.get(requirement.name), f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(versions[requirement.name]), str(requirement)


def test_a_plain_install_gets_nothing_that_the_lock_does_not_hold():
    versions = lock()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for requirement in required(
        project["project"]["dependencies"] + project["build-system"]["requires"]
    ):
        assert requirement.specifier.contains(versions[requirement.name]), str(requirement)


def test_a_plain_install_gets_what_the_package_imports_of_itself():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = {requirement.name for requirement in required(project["project"]["dependencies"])}
    files = [file for file in modules() if file.stem not in {"plot", "widgets"}]
    used = {name.split(".")[0] for file in files for name, at_once in imports(file) if at_once}
    used -= {*sys.stdlib_module_names, "ocrkit"}
    assert {INSTALLED_BY.get(name, name) for name in used} - installed == set()


def test_the_doctor_asks_for_what_a_plain_install_gets():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {requirement.name for requirement in required(project["project"]["dependencies"])}
    assert names == set(doctor.NEEDED)


def test_every_package_that_is_imported_is_asked_for():
    asked = {requirement.name.replace("-", "_") for requirement in wanted()}
    used = {name.split(".")[0] for file in modules() for name, _ in imports(file)}
    used -= {*sys.stdlib_module_names, "ocrkit"}
    assert {INSTALLED_BY.get(name, name).replace("-", "_") for name in used} - asked == set()


# --- the commands


@pytest.fixture
def clone(tmp_path):
    """A clone in which the environment looks installed; what make would do is asked with -n."""
    for name in ("Makefile", "pyproject.toml", "env/requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1000, 1000))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for at, name in ((1500, "bin/uv"), (2000, ".installed-lock")):
        (tmp_path / ".venv" / name).touch()
        os.utime(tmp_path / ".venv" / name, (at, at))
    return tmp_path


def make(folder: Path, *arguments: str) -> str:
    # Make passes its own arguments on in the environment, and these tests run under `make test`.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "TORCH"}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.check_output(command, text=True, cwd=folder, env=kept)


def test_a_bare_make_lists_every_command(clone):
    lines = make(clone).splitlines()
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony
    assert {line.split()[1] for line in lines} == set(phony[1].split())
    assert all(line.startswith("make ") and len(line.split()) > 3 for line in lines)


def test_a_second_make_installs_nothing(clone):
    assert make(clone, "-n", "test").strip() == ".venv/bin/python -m pytest"


@pytest.mark.parametrize("name", ["env/requirements.lock", "pyproject.toml"])
def test_a_changed_lock_installs_again(clone, name):
    os.utime(clone / name, (3000, 3000))
    assert "uv pip sync" in make(clone, "-n", "test")


def test_torch_for_the_cpu_is_kept_once_chosen(clone):
    planned = make(clone, "-n", "test", "TORCH=cpu")
    assert "--torch-backend cpu" in planned
    (clone / ".venv" / ".installed-lock").rename(clone / ".venv" / ".installed-cpu")
    assert "uv pip" not in make(clone, "-n", "test")
    assert "uv pip sync" in make(clone, "-n", "test", "TORCH=lock")


# --- the repository


def test_no_file_is_over_25_mb():
    assert [str(file) for file in tracked() if file.stat().st_size > 25_000_000] == []


def test_no_text_holds_an_index_address_or_a_path_of_one_machine():
    index = r"index-url\s+\S*:/|find-links\s+\S*/|://[^\s\"')]*(?:pypi|/simple\b|pythonhosted)"
    machine = r"(?<![\w./~-])/(?:work|root|home|Users)/\w"
    pattern = re.compile(f"{index}|{machine}")
    assert [(name, match[0]) for name, text in texts() if (match := pattern.search(text))] == []
