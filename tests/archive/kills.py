"""Kills `ocrkit read` at random moments, again and again, and counts what that costs.

python tests/archive/kills.py --kills 50 --pages 200 --jobs 2
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from PIL import Image, ImageDraw, ImageFont

MARK = "OCRKIT_KILLED_RUN"  # a variable in the environment of all processes of a run
PROGRAM = "from ocrkit.cli import app; app()"


@dataclass
class Damage:
    """kills: how often a run was killed. lost: results or pages of the catalogue that were there
    before and are gone. torn: files that are not whole, catalogues that are damaged. wrong: results
    that differ from those of a run that was not killed. left: processes that went on running, and
    temporary files. unfinished: files without a result after a last run that was not killed.
    """

    kills: int = 0
    in_work: int = 0  # kills after the first and before the last page
    lost: int = 0
    torn: int = 0
    wrong: int = 0
    left: int = 0
    unfinished: int = 0


def draw_pages(folder: Path, count: int) -> None:
    """Small pages, each with another text; every fifth file is a TIFF of three pages."""
    face = ImageFont.load_default(24)
    folder.mkdir(parents=True)
    number = 0
    while number < count:
        pages = []
        for _ in range(min(3 if number % 5 == 4 else 1, count - number)):
            page = Image.new("L", (360, 90), 255)
            ImageDraw.Draw(page).text((25, 30), f"Folio {number} of this", 0, face)
            pages.append(page)
            number += 1
        suffix = "tif" if len(pages) > 1 else "png"
        more = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
        pages[0].save(folder / f"{number:04}.{suffix}", **more)


def start(scans: Path, out: Path, jobs: int | None, mark: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "read", str(scans), "-o", str(out)]
    command += ["--format", "txt,json", "--no-show"] + (["-j", str(jobs)] if jobs else [])
    return subprocess.Popen(
        command,
        env=os.environ | {MARK: mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def running(mark: str, wait: float = 10.0) -> list[int]:
    """The processes with this mark that are still there after a while."""
    end = time.monotonic() + wait
    while True:
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _has(path, mark)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def _has(process: Path, mark: str) -> bool:
    try:
        return f"{MARK}={mark}".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def texts(out: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in out.glob("*.txt")}


def pages_read(out: Path) -> int:
    """Pages in the catalogue."""
    if not (out / "ocrkit.db").exists():
        return 0
    with closing(sqlite3.connect(out / "ocrkit.db", timeout=30)) as connection:
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            return 0  # killed before the tables were made
        return connection.execute("SELECT count(*) FROM pages WHERE error IS NULL").fetchone()[0]


def check(out: Path) -> None:
    """Raises sqlite3.Error if the catalogue is damaged."""
    with closing(sqlite3.connect(out / "ocrkit.db", timeout=30)) as connection:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            raise sqlite3.DatabaseError(state)
        if connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.execute("INSERT INTO page_words (page_words) VALUES ('integrity-check')")


def kill_runs(
    folder: Path,
    jobs: int | None,
    kills: int,
    pages: int,
    seed: int = 0,
    number: int = signal.SIGKILL,
    latest: float = 8.0,
) -> Damage:
    """Kill runs at random moments; compare with a run that is left alone.

    Every second kill comes up to `latest` seconds after the start, the others after a random number
    of pages and a part of a second.
    """
    scans, whole = folder / "scans", folder / "whole"
    draw_pages(scans, pages)
    assert start(scans, whole, jobs).wait() == 0
    expected = texts(whole)
    chance, damage, round_ = random.Random(seed), Damage(), 0
    while damage.kills < kills:
        round_ += 1
        out = folder / f"out{round_}"
        while damage.kills < kills:
            after, wanted = chance.uniform(0.2, latest), 0
            if damage.kills % 2:
                after, wanted = chance.uniform(0, 0.3), chance.randint(1, max(1, pages // 6))
            if not _kill_once(scans, out, jobs, number, after, wanted, damage):
                break
            _compare(out, expected, damage)
        start(scans, out, jobs).wait()  # and this one may end by itself
        _compare(out, expected, damage)
        damage.unfinished += len(expected) - len(texts(out))
        damage.left += len(list(out.rglob("*.part")))
    return damage


def _kill_once(
    scans: Path,
    out: Path,
    jobs: int | None,
    number: int,
    after: float,
    wanted: int,
    damage: Damage,
) -> bool:
    """Kill one run after so many pages and seconds; False if it had ended by itself before."""
    before, files = pages_read(out), set(texts(out)) if out.exists() else set()
    mark = uuid4().hex
    process = start(scans, out, jobs, mark)
    while process.poll() is None and wanted and pages_read(out) < before + wanted:
        time.sleep(0.01)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    process.wait()
    damage.kills += 1
    left = running(mark)
    damage.left += len(left)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    if not (out / "ocrkit.db").exists():
        return True
    try:
        check(out)
        now = pages_read(out)
    except sqlite3.Error:
        damage.torn += 1
        return True
    damage.in_work += before < now
    damage.lost += max(0, before - now) + len(files - set(texts(out) if out.exists() else ()))
    return True


def _compare(out: Path, expected: dict[str, str], damage: Damage) -> None:
    for name, text in (texts(out) if out.exists() else {}).items():
        if text != expected.get(name):
            part = text != "" and str(expected.get(name)).startswith(text)
            damage.torn += part or not text
            damage.wrong += not part and bool(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--latest", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        damage = kill_runs(
            Path(folder), given.jobs, given.kills, given.pages, given.seed, latest=given.latest
        )
        print(damage, f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
