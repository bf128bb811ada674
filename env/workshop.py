"""The folder for a workshop: everything that installs the kit on a computer without a network.

    python env/workshop.py build output/workshop env/requirements.lock uv==0.13.9 [windows|macos]
    python env/workshop.py check output/workshop

`build` downloads the wheels of a lock for this computer, or for Windows (x86-64) or macOS (15 or
newer, Apple silicon). It needs Python 3.11 with the packages of a lock, and pip. `check` installs
from the folder into a temporary one, as a learner would, without a network, and reads the samples.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALLER = Path(__file__).with_name("workshop_install.py")
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.9"}
# Where nothing answers, in case the network cannot be taken away from a program.
NOWHERE = "http://127.0.0.1:9"
# Without a network, a kernel of Jupyter still needs the loopback address, which is off at first.
WITH_LOOPBACK = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 0x41
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP_AND_RUNNING))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class System:
    """A kind of computer: as the installer calls it, as markers see it, and the tag of wheels."""

    name: str
    markers: dict[str, str]
    tag: str


SYSTEMS = {
    "windows": System(
        "Windows AMD64",
        {"sys_platform": "win32", "platform_machine": "AMD64", "os_name": "nt"}
        | {"platform_system": "Windows"},
        "win_amd64",
    ),
    "macos": System(
        "Darwin arm64",
        {"sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix"}
        | {"platform_system": "Darwin"},
        "macosx_15_0_arm64",
    ),
}


def build(folder: Path, lock: Path, uv: str, system: System | None = None) -> None:
    """Make the folder anew, for this computer or a system; the old one stays until it is done."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    wheels = part / "wheels"
    wheels.mkdir(parents=True)
    if system is None:
        # Packages without a wheel are built. Their dependencies are in the lock.
        pip("wheel", wheels, "--require-hashes", "-r", str(lock))
        pip("wheel", wheels, uv)
    else:
        download(wheels, lock, uv, system)
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools would pack what was deleted
    pip("wheel", wheels, "--no-build-isolation", str(ROOT))
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    names = [path.name.split("-")[:2] for path in sorted(wheels.iterdir())]
    (part / "packages.txt").write_text("".join(f"{n}=={v}\n" for n, v in names))
    here = f"{platform.system()} {platform.machine()}"
    (part / "system.txt").write_text(f"{system.name if system else here}\n")
    shutil.copyfile(INSTALLER, part / "install.py")
    shutil.copyfile(ROOT / "env" / "workshop.md", part / "README.md")
    shutil.copytree(ROOT / "data" / "samples", part / "data" / "samples")
    if any(name == "jupyterlab" for name, _ in names):
        shutil.copytree(
            ROOT / "notebooks",
            part / "notebooks",
            ignore=shutil.ignore_patterns(".ipynb_checkpoints"),
        )
        copy_fonts(part / "data" / "fonts")
    write_sums(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    print(f"{folder}: {size(folder) / 1e6:,.0f} MB in {len(names)} packages and the rest")


def pip(command: str, folder: Path, *arguments: str) -> None:
    """Download or build wheels into a folder; command: "wheel" or "download"."""
    into = ["--no-deps", "-w" if command == "wheel" else "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", command, *into, *arguments], check=True)


def download(wheels: Path, lock: Path, uv: str, system: System) -> None:
    """Download the wheels of another system; packages of plain Python without one are built."""
    chosen = ["--platform", system.tag, "--python-version", "3.11", "--implementation", "cp"]
    with tempfile.TemporaryDirectory() as place:
        rows = Path(place, "lock.txt")
        rows.write_text("\n".join(entries_for(lock.read_text(encoding="utf-8"), system)))
        pip("download", Path(place), "--require-hashes", "-r", str(rows), *chosen)
        pip("download", Path(place), uv, *chosen)
        for path in Path(place).iterdir():
            if path.suffix == ".whl":
                shutil.move(path, wheels / path.name)
            elif path != rows:
                pip("wheel", wheels, str(path))
    if wrong := [p.name for p in wheels.iterdir() if not fits(p.name, system)]:
        sys.exit(f"these have no wheel for {system.name}: {', '.join(wrong)}")


def entries_for(lock: str, system: System) -> list[str]:
    """The entries of a lock that a system installs, without their markers."""
    from packaging.markers import Marker  # in both locks

    entries = []
    for row in lock.replace("\\\n", " ").splitlines():
        match = re.fullmatch(r"([^ ;]+)(?: ; (.+?))?((?: +--hash=\S+)+) *", row)
        if match and (not match[2] or Marker(match[2]).evaluate({**system.markers, **PYTHON})):
            entries.append(f"{match[1]}{match[3]}")
    return entries


def fits(wheel: str, system: System) -> bool:
    """Whether a wheel is for this system, or for all."""
    return wheel.endswith("-any.whl") or system.tag.split("_")[0] in wheel.rpartition("-")[2]


def copy_fonts(folder: Path) -> None:
    """Copy the fonts for training that are on this computer and in none of the packages."""
    sys.path.insert(0, str(ROOT))
    from ocrkit.synth.fonts import find_fonts

    for font in find_fonts():
        if font.family.split()[0] in ("npm", "apt"):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(font.path, folder / font.path.name)


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder and its subfolders, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file, which the installer checks."""
    rows = []
    for path in files_below(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")


def size(folder: Path) -> int:
    """The bytes of all files of a folder."""
    return sum(path.stat().st_size for path in files_below(folder))


def check(folder: Path) -> None:
    """Install from the folder without a network and read all samples; exits with 1 if it fails."""
    with tempfile.TemporaryDirectory(prefix="ocrkit-workshop-") as place:
        target, start = Path(place, "kit"), time.monotonic()
        run_offline([sys.executable, str(folder / "install.py"), str(target)], Path(place))
        installed = time.monotonic()
        print(f"installed in {installed - start:.0f} s, {size(target) / 1e6:,.0f} MB")
        bin_folder = target / ".venv" / ("Scripts" if os.name == "nt" else "bin")
        read = [str(bin_folder / "ocrkit"), "read", str(target / "data" / "samples")]
        run_offline([*read, "-o", str(target / "output")], target)
        samples = {path.stem for path in (folder / "data" / "samples").glob("*.txt")}
        unread = samples - {path.stem for path in (target / "output").glob("*.txt")}
        if unread:
            sys.exit(f"these samples were not read: {', '.join(sorted(unread))}")
        print(f"{len(samples)} samples read in {time.monotonic() - installed:.0f} s")
        if (target / "notebooks").is_dir():
            run_a_notebook(target, bin_folder)


def run_a_notebook(target: Path, bin_folder: Path) -> None:
    """Run notebook 07 in its quick form, which trains, compresses and reads."""
    start = time.monotonic()
    command = [str(bin_folder / "papermill"), "07_end_to_end.ipynb", "../output/07.ipynb"]
    run_offline([*command, "-p", "PRESET", "quick", "--no-progress-bar"], target / "notebooks")
    print(f"notebook 07 in {time.monotonic() - start:.0f} s")


def run_offline(command: list[str], folder: Path) -> None:
    """Run a command as on a bare computer: no network, no settings, no caches."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP") if name in os.environ}
    home = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    settings = {"HOME": str(home), "USERPROFILE": str(home), "PIP_CONFIG_FILE": os.devnull}
    result = subprocess.run([*without_network(), *command], cwd=folder, env=kept | settings | dead)
    shutil.rmtree(home, ignore_errors=True)
    if result.returncode:
        sys.exit(f"this failed: {' '.join(command)}")


def without_network() -> list[str]:
    """What to put before a command so that it has no network; nothing where that is impossible.

    There proxies that do not answer keep it from the network.
    """
    for options in (["-n"], ["-r", "-n"]):
        prefix = ["unshare", *options, sys.executable, "-c", WITH_LOOPBACK]
        program = shutil.which("unshare")
        if program and not subprocess.run([*prefix, "true"], capture_output=True).returncode:
            return prefix
    return []


def main(arguments: list[str]) -> None:
    """Build or check, as the arguments say."""
    match arguments:
        case ["build", folder, lock, uv]:
            build(Path(folder), Path(lock), uv)
        case ["build", folder, lock, uv, name] if name in SYSTEMS:
            build(Path(folder), Path(lock), uv, SYSTEMS[name])
        case ["check", folder]:
            check(Path(folder).resolve())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"This step failed, and says above why: {' '.join(map(str, error.cmd))}")
