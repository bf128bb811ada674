"""The type: which fonts the generator draws with, of what kind, and how to get the lacking ones.

`python -m ocrkit.synth.fonts` lists what was found and what is lacking.
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

from ocrkit.alphabet import DEFAULT_CHARACTERS

# Typewriters and receipt printers come first because letters and receipts are what the reader meets
# most; old-style serifs are nearly all of print before 1950. Faces that draw capitals for small
# letters set nothing but the reference data set's words, whose labels are in small letters, and
# black letter only what was set in it.
KIND_WEIGHTS = {
    "typewriter": 0.30,
    "serif": 0.27,
    "mono": 0.13,
    "sans": 0.14,
    "dotmatrix": 0.06,
    "slab": 0.06,
    "display": 0.04,
    "blackletter": 0.0,
    "capitals": 0.0,
}
MACHINES = ("typewriter", "dotmatrix", "mono")  # kinds that ribbons, needles and tills print

# A first drawn just as its second, or known to be wrong, would teach a lie: it is not claimed.
_TWINS = ("′'", "″\"", "·.", "‹(", "›)", "º°", "ªa", "×x",
          "ſs", "ſf", "£€", "–-", "—-", "—–", "“\"", "”\"", "„\"", "‘'", "’'", "‚,", "•.", "…-",
          "(/", ")/", "[/", "]/", "{/", "}/", "ÐD")  # fmt: skip
_WRONG = (("Walkway", "£"), ("Glass_TTY", "ÐÞðþÿ"))
_TILDES = dict(zip("ãẽĩõũ", "aeiou", strict=True))
_SUFFIXES = frozenset((".ttf", ".otf", ".woff2"))
_HEAVY_OR_SLANTED = re.compile(r"(?i)bold|black|demi|heavy|700|italic|oblique|slant|it$")


class Family(NamedTuple):
    """A row of fonts.tsv: fonts that share a design, and the package that brings them."""

    kind: str
    source: str
    package: str
    patterns: list[str]


class Glyph(NamedTuple):
    """A character's ink (h, w), where that stands from the start of the baseline; its advance."""

    ink: np.ndarray
    left: int
    top: int
    advance: float


@dataclass(frozen=True)
class Font:
    """A font file, and of which kind and family (row of the table) it is."""

    path: Path
    name: str
    kind: str
    family: str

    @cached_property
    def characters(self) -> frozenset[str]:
        """The characters of the default alphabet that the font really draws, each as itself."""
        face = self.at(16)
        drawn = {c: _glyph(face, c) for c in DEFAULT_CHARACTERS}
        absent = _glyph(face, "\U0010fffd")
        lies = {c for c in drawn if c != c.upper() and drawn[c] == drawn.get(c.upper())}
        lies |= {pair[0] for pair in _TWINS if drawn[pair[0]] == drawn[pair[1]]}
        lies |= {c for name, wrong in _WRONG if self.name.startswith(name) for c in wrong}
        good = {c for c, glyph in drawn.items() if any(glyph[0]) and glyph != absent} - lies
        return frozenset(good | {" "})

    @cached_property
    def has_round_r(self) -> bool:
        """Whether the font draws ꝛ, which old print has for r after round letters."""
        absent, drawn = (_glyph(self.at(16), c) for c in ("\U0010fffd", "ꝛ"))
        return any(drawn[0]) and drawn != absent

    def can_draw(self, text: str) -> bool:
        """Whether the font has every character, or a letter to which a tilde can be drawn."""
        lacking = set(text) - self.characters
        return lacking <= _TILDES.keys() and self.characters.issuperset(
            _TILDES[char] for char in lacking
        )

    def drawable(self, text: str) -> str:
        """What of a text the font can draw, with single spaces."""
        return " ".join("".join(c for c in text if self.can_draw(c)).split())

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at `size` pixels per em, kept for the next call."""
        return load_font(str(self.path), size)

    def glyph(self, size: int, character: str) -> Glyph:
        """A character at `size` pixels per em, kept for the next call."""
        return _cut(self, size, character)


def _glyph(face: ImageFont.FreeTypeFont, character: str) -> tuple[bytes, tuple[int, int]]:
    mask, offset = face.getmask2(character)
    return bytes(mask), offset


@lru_cache(maxsize=1024)
def load_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The font of a file at `size` pixels per em."""
    # The basic layout draws the same whatever shaping library a machine has, and is quicker.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=20_000)
def _cut(font: Font, size: int, character: str) -> Glyph:
    face = font.at(size)
    mask, (left, top) = face.getmask2(character, anchor="ls")
    ink = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[::-1])
    x, y, w, h = cv2.boundingRect(ink) if ink.size else (0, 0, 0, 0)
    return Glyph(ink[y : y + h, x : x + w], left + x, top + y, face.getlength(character))


def _families() -> Iterator[Family]:
    table = Path(__file__).with_name("fonts.tsv").read_text(encoding="utf-8")
    for row in table.splitlines():
        if not row.startswith("#"):
            kind, source, package, *files = row.split("\t")
            # npm's have a file for each script and weight; these three are what print used.
            patterns = files[0].split() if files else [f"{package}-latin-[347]00-*.woff2"]
            yield Family(kind, source, package, patterns)


FONT_PACKAGES = tuple(_families())


def package_folder(name: str, *inside: str) -> Path:
    """A folder inside an installed package, without importing it; the null device if it is not."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent.joinpath(*inside) if spec and spec.origin else Path(os.devnull)


def _folders() -> dict[str, tuple[Path, ...]]:
    return {
        "trdg": (package_folder("trdg", "fonts", "latin"),),
        "matplotlib": (package_folder("matplotlib", "mpl-data", "fonts", "ttf"),),
        "npm": (Path("data/fonts"), Path(__file__).parents[2] / "data" / "fonts"),
        "apt": (
            Path("/usr/share/fonts"),
            Path("/usr/share/texmf/fonts/opentype"),
            Path.home() / ".local/share/fonts",
        ),
    }


@cache
def find_fonts() -> tuple[Font, ...]:
    """All fonts of the table that this machine has, sorted by name; a name is given once."""
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
    """Chance of each font of a kind (n,), float64, sum 1: families alike.

    A family of forty weights and widths is thus asked for no more often than a single old face,
    and inside a family upright regular type goes before bold and italic.
    """
    share = [0.3 if _HEAVY_OR_SLANTED.search(font.name) else 1.0 for font in fonts]
    families: defaultdict[str, float] = defaultdict(float)
    for font, part in zip(fonts, share, strict=True):
        families[font.family] += part
    chance = np.array([part / families[f.family] for f, part in zip(fonts, share, strict=True)])
    return chance / chance.sum()


@lru_cache(maxsize=4)
def by_kind(fonts: tuple[Font, ...] | None) -> dict[str, tuple[list[Font], np.ndarray]]:
    """Fonts of each kind, and the chance of each; None means all that are found."""
    fonts = fonts or find_fonts()  # inside, as a key of the cache they would take long to hash
    kinds = sorted({font.kind for font in fonts if font.kind != "capitals"})
    pools = {kind: [font for font in fonts if font.kind == kind] for kind in kinds}
    return {kind: (pool, sampling_weights(pool)) for kind, pool in pools.items()}


def choose(kinds: Mapping[str, float], fonts: tuple[Font, ...] | None, rng: Generator) -> Font:
    """One of `fonts`, of one of the kinds (kind -> weight); of any where it has none of these."""
    pools = by_kind(fonts)
    weights = {k: w for k, w in kinds.items() if w and k in pools} or dict.fromkeys(pools, 1.0)
    chances = np.array(list(weights.values()))
    pool, shares = pools[list(weights)[rng.choice(len(weights), p=chances / chances.sum())]]
    return pool[rng.choice(len(pool), p=shares)]


def missing_packages() -> dict[str, list[str]]:
    """Packages of which no font was found: {"apt": [...], "npm": [...]}."""
    found = {tuple(font.family.split()[:2]) for font in find_fonts()}
    lacking = [row for row in FONT_PACKAGES if (row.source, row.package) not in found]
    return {
        source: list(dict.fromkeys(prefix + row.package for row in lacking if row.source == source))
        for source, prefix in (("apt", ""), ("npm", "@fontsource/"))
    }


def main() -> None:
    """Prints the fonts found per kind, and the commands that bring the lacking ones."""
    fonts = find_fonts()
    for kind, weight in KIND_WEIGHTS.items():
        names = [font.name for font in fonts if font.kind == kind]
        print(f"{kind:10}  {len(names):4} fonts  chosen {weight:.0%} of the time")
    commands = {"apt": "apt-get install", "npm": "npm install --prefix data/fonts --no-save"}
    for source, packages in missing_packages().items():
        if packages:
            print(f"\nlacking, from {source}:\n  {commands[source]} {' '.join(packages)}")


if __name__ == "__main__":
    main()
