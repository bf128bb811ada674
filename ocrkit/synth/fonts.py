"""The fonts that synthetic text is drawn with: finding them, choosing one, drawing its glyphs.

fonts.tsv lists them by kind. `python -m ocrkit.synth.fonts` prints which were found and how to
install the others.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from PIL import ImageFont

from ocrkit.recognition.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.tables import read_rows, read_toml

_SETTINGS = read_toml("fonts.toml")
KIND_WEIGHTS: dict[str, float] = _SETTINGS["kind_weights"]  # kind -> how often it is used
MACHINES: list[str] = _SETTINGS["machines"]  # kinds printed by ribbon, needles or thermal heads

# Letters with a tilde, which typesetting can draw as the plain letter and a stroke above it.
WITH_TILDE = dict(zip("ãẽĩõũ", "aeiou", strict=True))

_SUFFIXES = frozenset((".ttf", ".otf", ".woff2"))
_HEAVY_OR_SLANTED = re.compile(r"(?i)bold|black|demi|heavy|700|italic|oblique|slant|it$")


class Family(NamedTuple):
    """A row of fonts.tsv: fonts of one design, and the package that installs them.

    patterns: shell patterns of the file names, in lower case.
    """

    kind: str
    source: str
    package: str
    patterns: list[str]


class Glyph(NamedTuple):
    """A character's bitmap.

    ink: uint8 (h, w), without empty borders. left, top: px from the start of the baseline to its
    top left corner. advance: px from this character's start to the next one's.
    """

    ink: np.ndarray
    left: int
    top: int
    advance: float


@dataclass(frozen=True)
class Font:
    """A font file with its kind, and its family: the row of fonts.tsv that lists it."""

    path: Path
    name: str
    kind: str
    family: str

    @cached_property
    def characters(self) -> frozenset[str]:
        """The characters of the default alphabet that the font draws correctly.

        Left out: characters without a glyph, small letters drawn as capitals, and the exceptions
        of fonts.toml.
        """
        face = self.at(16)
        drawn = {c: _bitmap(face, c) for c in DEFAULT_CHARACTERS}
        missing_glyph = _bitmap(face, "\U0010fffd")
        wrong = {c for c in drawn if c != c.upper() and drawn[c] == drawn.get(c.upper())}
        wrong |= {a for a, b in _SETTINGS["same_glyphs"] if drawn[a] == drawn[b]}
        for name, characters in _SETTINGS["wrong_glyphs"].items():
            wrong |= set(characters) if self.name.startswith(name) else set()
        good = {c for c, bitmap in drawn.items() if any(bitmap[0]) and bitmap != missing_glyph}
        return frozenset(good - wrong | {" "})

    @cached_property
    def has_round_r(self) -> bool:
        """Whether the font draws ꝛ, the r that old print has after round letters."""
        missing_glyph, drawn = (_bitmap(self.at(16), c) for c in ("\U0010fffd", "ꝛ"))
        return any(drawn[0]) and drawn != missing_glyph

    def can_draw(self, text: str) -> bool:
        """Whether the font has every character, or the plain letter of those with a tilde."""
        missing = set(text) - self.characters
        return missing <= WITH_TILDE.keys() and self.characters.issuperset(
            WITH_TILDE[character] for character in missing
        )

    def drawable(self, text: str) -> str:
        """`text` without the characters that the font cannot draw, with single spaces."""
        return " ".join("".join(c for c in text if self.can_draw(c)).split())

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at `size` pixels per em; cached."""
        return load_font(str(self.path), size)

    def glyph(self, size: int, character: str) -> Glyph:
        """A character at `size` pixels per em; cached."""
        return _cached_glyph(self, size, character)


def _bitmap(face: ImageFont.FreeTypeFont, character: str) -> tuple[bytes, tuple[int, int]]:
    mask, offset = face.getmask2(character)
    return bytes(mask), offset


@lru_cache(maxsize=1024)
def load_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The font of a file at `size` pixels per em."""
    # The basic layout engine needs no text shaping library, so the result is the same on every
    # machine. It is also faster.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=20_000)
def _cached_glyph(font: Font, size: int, character: str) -> Glyph:
    face = font.at(size)
    mask, (left, top) = face.getmask2(character, anchor="ls")
    ink = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[::-1])
    x, y, w, h = cv2.boundingRect(ink) if ink.size else (0, 0, 0, 0)
    return Glyph(ink[y : y + h, x : x + w], left + x, top + y, face.getlength(character))


def _families() -> Iterator[Family]:
    for kind, source, package, *files in read_rows("fonts.tsv"):
        # npm packages have a file for each script and weight; print used these three weights.
        patterns = files[0].split() if files else [f"{package}-latin-[347]00-*.woff2"]
        yield Family(kind, source, package, patterns)


FONT_PACKAGES = tuple(_families())


def package_folder(name: str, *inside: str) -> Path:
    """A folder inside an installed package, found without importing the package.

    If the package is not installed, this is a path inside the null device: no file exists there.
    """
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent.joinpath(*inside) if spec and spec.origin else Path(os.devnull)


def _folders() -> dict[str, tuple[Path, ...]]:
    # A notebook runs one folder deeper; a workshop's folder has the fonts of Debian there too.
    data = (Path("data/fonts"), Path("../data/fonts"), Path(__file__).parents[2] / "data" / "fonts")
    return {
        "trdg": (package_folder("trdg", "fonts", "latin"),),
        "matplotlib": (package_folder("matplotlib", "mpl-data", "fonts", "ttf"),),
        "npm": data,
        "apt": (
            Path("/usr/share/fonts"),
            Path("/usr/share/texmf/fonts/opentype"),
            Path.home() / ".local/share/fonts",
            *data,
        ),
    }


@cache
def find_fonts() -> tuple[Font, ...]:
    """All fonts of fonts.tsv that are installed, sorted by name; each name occurs once."""
    fonts: dict[str, Font] = {}
    for source, folders in _folders().items():
        found = (file for folder in folders for file in folder.rglob("*"))
        files = sorted((file for file in found if file.suffix.lower() in _SUFFIXES), key=str)
        for row in FONT_PACKAGES:
            if row.source == source:
                family = f"{source} {row.package} {row.patterns[0]}"
                wanted = re.compile("|".join(map(translate, row.patterns)))
                for file in files:
                    if wanted.match(file.name.lower()):
                        fonts.setdefault(file.stem, Font(file, file.stem, row.kind, family))
    return tuple(fonts[name] for name in sorted(fonts))


def sampling_weights(fonts: Sequence[Font]) -> np.ndarray:
    """The probability of each font of a kind: float64 (n,), sum 1.

    All families have the same probability, however many weights and widths they have. Within a
    family, upright regular fonts are preferred to bold and italic ones.
    """
    share = [0.3 if _HEAVY_OR_SLANTED.search(font.name) else 1.0 for font in fonts]
    families: defaultdict[str, float] = defaultdict(float)
    for font, part in zip(fonts, share, strict=True):
        families[font.family] += part
    chance = np.array([part / families[f.family] for f, part in zip(fonts, share, strict=True)])
    return chance / chance.sum()


@lru_cache(maxsize=4)
def by_kind(fonts: tuple[Font, ...] | None) -> dict[str, tuple[list[Font], np.ndarray]]:
    """kind -> its fonts and the probability of each; None means all installed fonts."""
    fonts = fonts or find_fonts()  # not an argument: hashing all fonts for the cache is slow
    kinds = sorted({font.kind for font in fonts if font.kind != "capitals"})
    pools = {kind: [font for font in fonts if font.kind == kind] for kind in kinds}
    return {kind: (pool, sampling_weights(pool)) for kind, pool in pools.items()}


def choose(kinds: Mapping[str, float], fonts: tuple[Font, ...] | None, rng: Generator) -> Font:
    """A random font from `fonts` (None: all installed), by kind -> weight.

    If there is no font of these kinds, all kinds have the same weight.
    """
    pools = by_kind(fonts)
    weights = {k: w for k, w in kinds.items() if w and k in pools} or dict.fromkeys(pools, 1.0)
    chances = np.array(list(weights.values()))
    pool, shares = pools[list(weights)[rng.choice(len(weights), p=chances / chances.sum())]]
    return pool[rng.choice(len(pool), p=shares)]


def missing_packages() -> dict[str, list[str]]:
    """Packages none of whose fonts was found: {"apt": [...], "npm": [...]}."""
    found = {tuple(font.family.split()[:2]) for font in find_fonts()}
    missing = [row for row in FONT_PACKAGES if (row.source, row.package) not in found]
    return {
        source: list(dict.fromkeys(prefix + row.package for row in missing if row.source == source))
        for source, prefix in (("apt", ""), ("npm", "@fontsource/"))
    }


def main() -> None:
    """Print the number of fonts of each kind, and the commands that install the missing ones."""
    fonts = find_fonts()
    for kind, weight in KIND_WEIGHTS.items():
        count = sum(font.kind == kind for font in fonts)
        print(f"{kind:10}  {count:4} fonts  used for {weight:.0%} of the lines")
    commands = {"apt": "apt-get install", "npm": "npm install --prefix data/fonts --no-save"}
    for source, packages in missing_packages().items():
        if packages:
            print(f"\nmissing, from {source}:\n  {commands[source]} {' '.join(packages)}")


if __name__ == "__main__":
    main()
