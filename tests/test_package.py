"""The kit as a whole: what it imports, what it installs, what is in the repository."""

from __future__ import annotations

import ast
import json
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
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

import ocrkit
from ocrkit.notebook import doctor

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ocrkit"

# A room (a folder, or a file at the top) imports only from rows above its own.
ROWS = (
    {"errors"},
    {"document", "metrics", "plain", "processor", "progress"},
    {"files", "image"},
    {"runtime"},
    {"recognition"},
    {"detection", "synth"},
    {"pipeline", "training", "compress"},
    {"archive", "measure"},
    {"notebook", "teaching"},
    {"cli"},
)
ROW = {name: row for row, names in enumerate(ROWS) for name in names}

HEAVY = {
    "distributed",
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
    "pikepdf",
    "fpdf",
    "pypdfium2",
    "ocrmypdf",
    "dask",
}
# Import name -> what is asked for to get it, where the two differ.
INSTALLED_BY = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "distributed": "dask",
    "cpuinfo": "py-cpuinfo",
    "fpdf": "fpdf2",
    "fontTools": "fonttools",
    "IPython": "jupyterlab",
    "jupyter_core": "jupyterlab",
    "matplotlib_inline": "jupyterlab",
    "packaging": "jupyterlab",
}
# The rooms that reading is made of. Modules in them that import torch or safetensors are for
# training and for .safetensors weights: reading does not import those modules.
READING = {
    "archive",
    "cli",
    "detection",
    "document",
    "errors",
    "files",
    "image",
    "pipeline",
    "plain",
    "processor",
    "progress",
    "recognition",
    "runtime",
}
LOCKS = ("read", "requirements")
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.9"}
SYSTEMS = {
    "Linux x86-64": {"sys_platform": "linux", "platform_machine": "x86_64", "os_name": "posix"},
    "Linux arm64": {"sys_platform": "linux", "platform_machine": "aarch64", "os_name": "posix"},
    "macOS": {"sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix"},
    "Windows": {"sys_platform": "win32", "platform_machine": "AMD64", "os_name": "nt"},
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


def test_what_reads_is_imported_without_torch():
    reading = "ocrkit.archive.run, ocrkit.archive.overlay, ocrkit.detection.lines, ocrkit.pipeline"
    loaded = loaded_by(f"import {reading}, ocrkit.recognition.recognizer")
    assert loaded & {"torch", "safetensors", "jiwer", "matplotlib", "pandas"} == set()


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
    optional = HEAVY - {"torch", "pikepdf"}
    if file.parent.name == "notebook" and file.stem in {
        "explorers", "plot", "review", "search", "widgets",
    }:  # fmt: skip
        optional -= {"matplotlib", "ipywidgets", "pandas"}
    if file.stem == "ocrmypdf":  # which imports it
        optional -= {"ocrmypdf"}
    assert {name.split(".")[0] for name, at_once in imports(file) if at_once} & optional == set()


# --- what is installed


def lock_entries(name: str) -> Iterator[tuple[str, str, str]]:
    """Package, version and marker; fails on a line that is not an exact version with its hashes."""
    text = (ROOT / "env" / f"{name}.lock").read_text()
    for entry in text.replace("\\\n", " ").splitlines():
        match = re.fullmatch(
            r"([a-z0-9][a-z0-9._-]*)==([\w.!+]+)(?: ; (.*?))?(?: +--hash=sha256:[0-9a-f]{64})+",
            entry.strip(),
        )
        assert match, f"not an exact version with hashes: {entry[:80]}"
        yield match[1], match[2], match[3] or ""


def lock(name: str, **system: str) -> dict[str, str]:
    """Package -> version, of what is installed on a system, or on any."""
    versions: dict[str, str] = {}
    for package, version, marker in lock_entries(name):
        if system and marker and not Marker(marker).evaluate({**PYTHON, **system}):
            continue
        assert package not in versions, f"{package} is there in two versions"
        versions[package] = version
    return versions


def required(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines if line.strip() and line[0] not in "#-"]


def wanted(name: str) -> list[Requirement]:
    """What a .in file asks for, and what the .in files that it includes ask for."""
    lines = (ROOT / "env" / f"{name}.in").read_text().splitlines()
    included = [line.removeprefix("-r ").removesuffix(".in") for line in lines if line[:2] == "-r"]
    return required(lines) + [asked for other in included for asked in wanted(other)]


def names(requirements: list[Requirement]) -> set[str]:
    return {requirement.name for requirement in requirements}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def installs(*extras: str) -> list[Requirement]:
    """What a plain install asks for, and what these extras add to it."""
    table = project()["project"]
    asked = required(table["dependencies"])
    for extra in extras:
        for requirement in required(table["optional-dependencies"][extra]):
            own = requirement.name == "ocrkit"
            asked += installs(*requirement.extras) if own else [requirement]
    return asked


def packages(files: list[Path], later: bool = False) -> set[str]:
    """The packages that modules import when they are imported or, with ``later``, at any time."""
    used = {name.split(".")[0] for file in files for name, now in imports(file) if now or later}
    used -= {*sys.stdlib_module_names, "ocrkit"}
    return {INSTALLED_BY.get(name, name).replace("_", "-") for name in used}


def modules_of(rooms: set[str]) -> list[Path]:
    return [file for file in modules() if Path(file.relative_to(PACKAGE).parts[0]).stem in rooms]


def needs_torch(file: Path) -> bool:
    return bool(packages([file]) & {"torch", "safetensors"})


def notebook_code() -> Iterator[str]:
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(cell["source"])


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_holds_what_was_asked_for_in_exact_versions_with_hashes(name):
    versions = lock(name)
    for requirement in wanted(name):
        assert versions.get(requirement.name), f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(versions[requirement.name]), str(requirement)


@pytest.mark.parametrize("system", SYSTEMS)
def test_both_locks_have_the_same_versions_on_every_system(system):
    reading, everything = (lock(name, **SYSTEMS[system]) for name in LOCKS)
    assert reading.items() <= everything.items()
    assert {"openvino", "opencv-python-headless"} <= set(reading)
    assert {"torch", "nncf", "easyocr", "jupyterlab"} <= set(everything)


@pytest.mark.parametrize("system", SYSTEMS)
def test_ipex_is_asked_for_only_where_it_has_wheels(system):
    here = "intel-extension-for-pytorch" in lock("requirements", **SYSTEMS[system])
    assert here == (system == "Linux x86-64")


def test_reading_installs_nothing_that_only_the_rest_asks_for():
    others = names(wanted("requirements")) - names(wanted("read"))
    assert others & set(lock("read")) == set()


def test_an_install_gets_nothing_that_the_locks_do_not_hold():
    table = project()["project"]
    for name, asked in (
        ("read", installs() + required(project()["build-system"]["requires"])),
        ("requirements", installs(*table["optional-dependencies"])),
    ):
        versions = lock(name)
        for requirement in asked:
            assert requirement.specifier.contains(versions[requirement.name]), str(requirement)


def test_pyproject_and_the_environments_ask_for_the_same():
    build = names(required(project()["build-system"]["requires"]))
    assert names(wanted("read")) == names(installs()) | build
    # torchvision comes with EasyOCR, and is named there to be of the same release as torch.
    every = names(installs(*project()["project"]["optional-dependencies"]))
    assert names(wanted("requirements")) == every | build | {"torchvision"}


def test_a_plain_install_gets_what_reading_imports():
    files = [file for file in modules_of(READING) if not needs_torch(file)]
    files = [file for file in files if file.stem != "ocrmypdf"]
    assert packages(files) - names(installs()) == set()


@pytest.mark.parametrize(
    ("extra", "rooms"),
    [
        ("train", {"metrics", "synth", "training", "compress", "measure", *READING} - {"archive"}),
        ("train", {"teaching"}),
        ("inc", {"compress", "runtime"}),
        ("ipex", {"runtime"}),
        ("craft", {"detection"}),
        ("notebooks", {"notebook"}),
        ("ocrmypdf", {"archive"}),
    ],
)
def test_an_extra_gets_what_its_rooms_import(extra, rooms):
    assert packages(modules_of(rooms)) - names(installs(extra)) == set()


def test_every_room_is_in_a_plain_install_or_in_an_extra():
    others = {"metrics", "synth", "training", "compress", "measure", "notebook", "teaching"}
    assert READING | others == set(ROW)


def test_the_notebooks_extra_gets_what_the_notebooks_import():
    used = set()
    for code in notebook_code():
        for node in ast.walk(ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE))):
            if isinstance(node, ast.Import):
                used |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                used.add(node.module.split(".")[0])
    used -= {*sys.stdlib_module_names, "ocrkit"}
    asked = {INSTALLED_BY.get(name, name) for name in used}
    assert asked - names(installs("notebooks")) == set()


def test_every_package_that_is_imported_is_asked_for():
    assert packages(modules(), later=True) - names(wanted("requirements")) == set()


def test_the_doctor_asks_for_what_a_plain_install_gets():
    assert names(installs()) == set(doctor.NEEDED)


def test_the_doctor_names_an_extra_that_brings_the_package():
    for package, (_, extra) in doctor.OPTIONAL.items():
        assert package in names(installs(extra))


def test_every_file_beside_the_code_is_packed():
    patterns = project()["tool"]["setuptools"]["package-data"]["*"]
    left_out = [
        file.name
        for file in tracked()
        if PACKAGE in file.parents and file.suffix != ".py"
        if not any(file.match(pattern) for pattern in patterns)
    ]
    assert left_out == []


# --- the commands


@pytest.fixture
def clone(tmp_path):
    """A clone in which the environment looks installed; what make would do is asked with -n."""
    for name in ("Makefile", "pyproject.toml", "env/read.lock", "env/requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1000, 1000))
    for name, stamp in ((".venv", ".installed-lock"), (".venv-read", ".installed")):
        (tmp_path / name / "bin").mkdir(parents=True)
        for at, file in ((1500, "bin/uv"), (2000, stamp)):
            (tmp_path / name / file).touch()
            os.utime(tmp_path / name / file, (at, at))
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
    (command,) = make(clone, "-n", "test").splitlines()
    assert ".venv/bin/python -m pytest" in command
    assert len(make(clone, "-n", "demo").splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "environment", "lock"),
    [("demo", ".venv-read", "env/read.lock"), ("test", ".venv", "env/requirements.lock")],
)
@pytest.mark.parametrize("changed", ["lock", "pyproject.toml"])
def test_a_changed_lock_installs_again(clone, command, environment, lock, changed):
    os.utime(clone / (lock if changed == "lock" else changed), (3000, 3000))
    planned = make(clone, "-n", command)
    assert f"{environment}/bin/uv pip sync" in planned
    assert lock in planned


def test_the_demo_needs_the_small_environment_alone(clone):
    shutil.rmtree(clone / ".venv")
    planned = make(clone, "-n", "demo")
    assert ".venv/" not in planned
    assert "C++" not in planned


def test_an_environment_starts_with_python_and_uv_alone(clone):
    shutil.rmtree(clone / ".venv-read")
    planned = make(clone, "-n", "demo")
    assert "-m venv --clear .venv-read\n" in planned
    assert re.search(r"^\.venv-read/bin/python -m pip install .*uv==[\d.]+$", planned, re.MULTILINE)


def test_installing_shows_its_progress(clone):
    shutil.rmtree(clone / ".venv")
    assert "quiet" not in make(clone, "-n", "test", "demo")


def test_clean_removes_both_environments(clone):
    make(clone, "clean")
    assert not (clone / ".venv").exists()
    assert not (clone / ".venv-read").exists()


def test_clean_all_removes_what_runs_wrote_and_downloads_but_not_the_learners_notebooks(clone):
    written = "output/README.md", "output/09/README.md", "output/x.json", "data/dataset/a.jpg"
    for name in (*written, "my_notebooks/01.ipynb"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).touch()
    (clone / "data" / "own.tsv").touch()
    uv = clone / ".venv" / "bin" / "uv"
    uv.write_text("#!/bin/sh\necho $* > uv.txt\n")
    uv.chmod(0o755)
    make(clone, "clean-all")
    assert (clone / "uv.txt").read_text() == "cache clean\n"
    assert [file.name for file in (clone / "output").iterdir()] == ["README.md"]
    assert [file.name for file in (clone / "data").iterdir()] == ["own.tsv"]
    assert (clone / "my_notebooks" / "01.ipynb").is_file()
    assert not (clone / ".venv").exists()


def test_torch_for_the_cpu_is_kept_once_chosen(clone):
    planned = make(clone, "-n", "test", "TORCH=cpu")
    assert "--torch-backend cpu" in planned
    (clone / ".venv" / ".installed-lock").rename(clone / ".venv" / ".installed-cpu")
    assert "uv pip" not in make(clone, "-n", "test")
    assert "uv pip sync" in make(clone, "-n", "test", "TORCH=lock")


# --- the documents


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ocrkit.__all__)
def test_the_readme_lists_every_public_name(name):
    rows = [row for row in document("README.md").splitlines() if row.startswith("| `")]
    assert name == "__version__" or any(f"`{name}`" in row.split("|")[1] for row in rows)


def test_the_map_in_the_readme_has_the_rows_of_the_import_rule():
    rows: list[set[str]] = []
    for row, room in re.findall(r"^\| (\d*) ?\| `(\w+)/?` \|", document("README.md"), re.MULTILINE):
        if row:
            assert int(row) == len(rows) + 1
            rows.append(set())
        rows[-1].add(room)
    assert tuple(rows) == ROWS


def test_the_changelog_begins_with_this_version():
    heading = re.search(r"^## ([\w.]+)", document("CHANGELOG.md"), re.MULTILINE)
    assert heading and heading[1] == ocrkit.__version__


def test_the_model_card_names_every_file_of_weights():
    card = document("MODEL_CARD.md")
    for file in (PACKAGE / "weights").iterdir():
        assert f"`{file.with_suffix('.xml').name if file.suffix == '.bin' else file.name}`" in card


DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md")]


@pytest.mark.parametrize("name", [path.relative_to(ROOT).as_posix() for path in DOCUMENTS])
def test_links_between_the_documents_lead_somewhere(name):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document(name)):
        path, _, heading = target.partition("#")
        linked = (ROOT / name).parent / path if path else ROOT / name
        assert linked.is_file(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            assert heading in {title.lower().replace(" ", "-") for title in titles}


# --- the repository


def test_no_file_is_over_25_mb():
    assert [str(file) for file in tracked() if file.stat().st_size > 25_000_000] == []


def test_no_text_holds_an_index_address_or_a_path_of_one_machine():
    index = r"index-url\s+\S*:/|find-links\s+\S*/|://[^\s\"')]*(?:pypi|/simple\b|pythonhosted)"
    machine = r"(?<![\w./~-])/(?:work|root|home|Users)/\w"
    pattern = re.compile(f"{index}|{machine}")
    assert [(name, match[0]) for name, text in texts() if (match := pattern.search(text))] == []
