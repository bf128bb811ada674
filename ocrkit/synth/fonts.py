"""The type: which fonts the generator draws with, of what kind, and how to get the lacking ones.

`python -m ocrkit.synth.fonts` lists what was found and what is lacking.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from ocrkit.alphabet import DEFAULT_CHARACTERS

# Typewriters and receipt printers come first because letters and receipts are what the reader meets
# most; old-style serifs are nearly all of print before 1950.
KIND_WEIGHTS = {
    "typewriter": 0.30,
    "serif": 0.27,
    "mono": 0.13,
    "sans": 0.14,
    "dotmatrix": 0.06,
    "slab": 0.06,
    "display": 0.04,
}

# kind, where it comes from, package, file names (lower case, * and ? as in a shell; for npm a name
# of its own is not needed). Left out on purpose: scripts, black letter, small capitals that look
# like capitals, symbols.
_TABLE = """
typewriter apt fonts-gnutypewriter   gnutypewriter*
typewriter apt fonts-courier-prime   courier?prime.* courier?prime?bold* courier?prime?italic*
typewriter apt fonts-compagnon       compagnon-light* compagnon-italic*
typewriter apt fonts-tlwg-typewriter-otf tlwgtypewriter*
typewriter apt fonts-tlwg-typist-otf tlwgtypist*
typewriter apt fonts-tlwg-typo-otf   tlwgtypo.* tlwgtypo-*
typewriter apt fonts-freefont-otf    freemono*
typewriter apt fonts-urw-base35      nimbusmonops*
typewriter apt fonts-texgyre         texgyrecursor*
typewriter apt fonts-cmu             cmuntt* cmunit* cmuntb* cmuntx*
typewriter apt fonts-lmodern         lmmono10-* lmmono12-* lmmonolt10-* lmmonoltcond10-*
typewriter npm special-elite
typewriter npm courier-prime
typewriter npm cutive-mono
mono apt fonts-ocr-b                 ocrb.*
mono apt fonts-ocr-a                 ocra.* ocrabold* ocracondensed*
mono apt fonts-inconsolata           inconsolata*
mono apt fonts-liberation2           liberationmono*
mono apt fonts-hack                  hack-*
mono apt fonts-go                    go-mono*
mono apt fonts-anonymous-pro         anonymous?pro*
mono apt fonts-league-mono           leaguemono-condensed* leaguemono-narrow* leaguemono-regular*
mono apt fonts-tlwg-mono-otf         tlwgmono*
mono matplotlib -                    dejavusansmono*
mono npm share-tech-mono
mono npm roboto-mono
mono npm space-mono
mono npm nova-mono
mono npm b612-mono
mono npm ibm-plex-mono
mono npm pt-mono
mono npm oxygen-mono
mono npm overpass-mono
mono npm fira-mono
mono npm ubuntu-mono
mono npm dm-mono
mono npm lekton
mono npm xanh-mono
mono npm sometype-mono
mono npm spline-sans-mono
mono npm red-hat-mono
mono npm azeret-mono
mono npm martian-mono
mono npm chivo-mono
mono npm m-plus-1-code
mono npm libertinus-mono
dotmatrix apt fonts-3270             3270*
dotmatrix apt fonts-glasstty         glass_tty*
dotmatrix npm vt323
dotmatrix npm dotgothic16
dotmatrix npm doto
dotmatrix npm handjet
dotmatrix npm jersey-10
dotmatrix npm kode-mono
dotmatrix npm workbench
serif apt fonts-junicode             junicodetwobeta-*
serif apt fonts-linuxlibertine       linlibertine_r*
serif apt fonts-ebgaramond           ebgaramond08-r* ebgaramond12-[ri]*
serif apt fonts-oldstandard          oldstandard*
serif apt fonts-gfs-didot            gfsdidot*
serif apt fonts-goudybookletter      goudybookletter*
serif apt fonts-lindenhill           lindenhill*
serif apt fonts-prociono             prociono*
serif apt fonts-fanwood              fanwood*
serif apt fonts-essays1743           essays1743*
serif apt fonts-century-catalogue    century-catalogue*
serif apt fonts-adf-baskervald       baskervaldadfstd*
serif apt fonts-adf-romande          romandeadfstd* romandeadfno2std*
serif apt fonts-adf-berenis          berenisadfpro-*
serif apt fonts-adf-tribun           tribunadfstd*
serif apt fonts-elstob               elstobd-8pt* elstobd-10pt* elstobd-regular* elstobd-italic*
serif apt fonts-cardo                cardo*
serif apt fonts-sil-gentium          gentium-*
serif apt fonts-sil-charis           charissil*
serif apt fonts-quattrocento         quattrocento-*
serif apt fonts-arapey               arapey-regular* arapey-black*
serif apt fonts-cmu                  cmunrm* cmunti* cmunbx* cmunsl* cmunbi*
serif apt fonts-lmodern              lmroman8-* lmroman10-* lmroman12-*
serif apt fonts-freefont-otf         freeserif*
serif apt fonts-urw-base35           nimbusroman* texgyretermes*
serif apt fonts-urw-base35           c059* texgyreschola*
serif apt fonts-urw-base35           p052* texgyrepagella*
serif apt fonts-urw-base35           urwbookman* texgyrebonum*
serif apt fonts-liberation2          liberationserif*
serif apt fonts-crosextra-caladea    caladea*
serif apt fonts-averia-serif-gwf     averiaserif*
serif matplotlib -                   stixgeneral*
serif matplotlib -                   dejavuserif.* dejavuserif-*
serif npm im-fell-english
serif npm im-fell-dw-pica
serif npm im-fell-double-pica
serif npm im-fell-great-primer
serif npm im-fell-french-canon
serif npm old-standard-tt
serif npm libre-caslon-text
serif npm libre-baskerville
serif npm libre-bodoni
serif npm bodoni-moda
serif npm playfair-display
serif npm crimson-text
serif npm cormorant-garamond
serif npm sorts-mill-goudy
serif npm libertinus-serif
serif npm source-serif-4
serif npm merriweather
serif npm vollkorn
serif npm alegreya
serif npm gelasio
serif npm brygada-1918
serif npm ibarra-real-nova
serif npm rosarivo
serif npm cutive
serif npm neuton
serif npm pt-serif
serif npm spectral
serif npm inknut-antiqua
serif npm gupter
serif npm junge
serif npm lusitana
serif npm noticia-text
serif npm domine
serif npm rufina
serif npm prata
serif npm castoro
serif npm sedan
serif npm averia-serif-libre
slab apt fonts-roboto-slab           robotoslab*
slab apt fonts-adf-mekanus           mekanusadfstd*
slab npm zilla-slab
slab npm rokkitt
slab npm arvo
slab npm bitter
slab npm sanchez
slab npm trocchi
slab npm coustard
slab npm josefin-slab
slab npm podkova
slab npm glegoo
slab npm kreon
slab npm slabo-13px
sans trdg -                          aller_*
sans trdg -                          caviar*
sans trdg -                          droidsans*
sans trdg -                          lato-*
sans trdg -                          opensans*
sans trdg -                          raleway-*
sans trdg -                          roboto-*
sans trdg -                          robotocondensed*
sans trdg -                          sansation*
sans trdg -                          walkway_*
sans matplotlib -                    dejavusans.* dejavusans-*
sans apt fonts-liberation2           liberationsans*
sans apt fonts-urw-base35            nimbussans-* nimbussansnarrow*
sans apt fonts-freefont-otf          freesans*
sans apt fonts-texgyre               texgyreheros*
sans apt fonts-crosextra-carlito     carlito*
sans apt fonts-adf-universalis       universalisadfstd*
sans apt fonts-go                    go-regular* go-bold* go-medium* go-italic*
sans apt fonts-opendin               osp-din*
sans apt fonts-routed-gothic         routed-gothic*
sans npm archivo-narrow
sans npm pt-sans-narrow
sans npm oswald
sans npm league-gothic
sans npm pathway-gothic-one
sans npm saira-extra-condensed
sans npm libre-franklin
sans npm ibm-plex-sans-condensed
sans npm share-tech
sans npm antonio
display trdg -                       allerdisplay*
display trdg -                       amatic*
display trdg -                       bebas*
display trdg -                       capture*
display trdg -                       fff_tusj*
display trdg -                       pacifico*
display trdg -                       seasrn*
display npm abril-fatface
display npm alfa-slab-one
display npm bevan
display npm archivo-black
display npm chonburi
display npm young-serif
display npm gloock
display npm fjalla-one
display npm averia-libre
display npm almendra
"""


# A first drawn just as its second, or known to be wrong, would teach a lie: it is not claimed.
_TWINS = ("ſs", "ſf", "£€", "–-", "—-", "—–", "“\"", "”\"", "„\"", "‘'", "’'", "‚,", "•.", "…-",
          "(/", ")/", "[/", "]/", "{/", "}/", "ÐD")  # fmt: skip
_WRONG = (("Walkway", "£"), ("Glass_TTY", "ÐÞðþÿ"))
_SUFFIXES = frozenset((".ttf", ".otf", ".woff2"))
_HEAVY_OR_SLANTED = re.compile(r"(?i)bold|black|demi|heavy|700|italic|oblique|slant|it$")


@dataclass(frozen=True)
class Family:
    """A row of the table: fonts that share a design, and the package that brings them."""

    kind: str
    source: str
    package: str
    patterns: tuple[str, ...]


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
        face = ImageFont.truetype(str(self.path), 16, layout_engine=ImageFont.Layout.BASIC)
        drawn = {c: _glyph(face, c) for c in DEFAULT_CHARACTERS}
        absent = _glyph(face, "\U0010fffd")
        lies = {c for c in drawn if c != c.upper() and drawn[c] == drawn.get(c.upper())}
        lies |= {pair[0] for pair in _TWINS if drawn[pair[0]] == drawn[pair[1]]}
        lies |= {c for name, wrong in _WRONG if self.name.startswith(name) for c in wrong}
        good = {c for c, glyph in drawn.items() if any(glyph[0]) and glyph != absent} - lies
        return frozenset(good | {" "})

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at `size` pixels per em, kept for the next call."""
        return _load(str(self.path), size)


def _glyph(face: ImageFont.FreeTypeFont, character: str) -> tuple[bytes, tuple[int, int]]:
    mask, offset = face.getmask2(character)
    return bytes(mask), offset


@lru_cache(maxsize=1024)
def _load(path: str, size: int) -> ImageFont.FreeTypeFont:
    # The basic layout draws the same whatever shaping library a machine has, and is quicker.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _families() -> Iterable[Family]:
    for row in _TABLE.strip().splitlines():
        kind, source, package, *patterns = row.split()
        # Package fonts of npm come a script and a weight a file; 400 and 700 are what print used.
        files = patterns or [f"{package}-latin-[347]00-*.woff2"]
        yield Family(kind, source, package, tuple(files))


FONT_PACKAGES = tuple(_families())


def package_folder(name: str, *inside: str) -> Path:
    """A folder inside an installed package, without importing it; the null device if it is not."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent.joinpath(*inside) if spec and spec.origin else Path(os.devnull)


def _folders() -> dict[str, list[Path]]:
    npm = [Path("data/fonts"), Path(__file__).parents[2] / "data" / "fonts"]
    return {
        "trdg": [package_folder("trdg", "fonts", "latin")],
        "matplotlib": [package_folder("matplotlib", "mpl-data", "fonts", "ttf")],
        "npm": npm,
        "apt": [
            Path("/usr/share/fonts"),
            Path("/usr/share/texmf/fonts/opentype"),
            Path.home() / ".local/share/fonts",
            Path.home() / "Library/Fonts",
        ],
    }


@cache
def find_fonts() -> tuple[Font, ...]:
    """All fonts of the table that this machine has, sorted by name; a name is given once."""
    fonts: dict[str, Font] = {}
    for source, folders in _folders().items():
        found = (
            Path(where, name)
            for root in folders
            for where, _, names in os.walk(root)
            for name in names
        )
        files = sorted((file for file in found if file.suffix.lower() in _SUFFIXES), key=str)
        for row in FONT_PACKAGES:
            if row.source == source:
                wanted = re.compile(
                    "|".join(fnmatch.translate(pattern) for pattern in row.patterns)
                )
                for file in files:
                    if wanted.match(file.name.lower()):
                        family = f"{row.source} {row.package} {row.patterns[0]}"
                        fonts.setdefault(file.stem, Font(file, file.stem, row.kind, family))
    return tuple(fonts[name] for name in sorted(fonts))


def sampling_weights(fonts: Sequence[Font]) -> np.ndarray:
    """Chance of each font (n,), float64, sum 1: kinds by KIND_WEIGHTS, then families alike.

    A family of forty weights and widths is thus asked for no more often than a single old face,
    and inside a family upright regular type goes before bold and italic.
    """
    share = [0.3 if _HEAVY_OR_SLANTED.search(font.name) else 1.0 for font in fonts]
    families: defaultdict[tuple[str, str], float] = defaultdict(float)
    for font, part in zip(fonts, share, strict=True):
        families[font.kind, font.family] += part
    kinds = Counter(kind for kind, _ in families)
    chance = np.array(
        [
            KIND_WEIGHTS[f.kind] / kinds[f.kind] * part / families[f.kind, f.family]
            for f, part in zip(fonts, share, strict=True)
        ]
    )
    return chance / chance.sum()


def missing_packages() -> dict[str, list[str]]:
    """Packages of which no font was found: {"apt": [...], "npm": [...]}."""
    found = {font.family.rsplit(" ", 1)[0] for font in find_fonts()}
    lacking: dict[str, list[str]] = {"apt": [], "npm": []}
    for row in FONT_PACKAGES:
        known = lacking.get(row.source)
        if known is not None and f"{row.source} {row.package}" not in found:
            name = f"@fontsource/{row.package}" if row.source == "npm" else row.package
            if name not in known:
                known.append(name)
    return lacking


def main() -> None:
    """Prints the fonts found per kind, and the commands that bring the lacking ones."""
    fonts = find_fonts()
    for kind, weight in KIND_WEIGHTS.items():
        names = [font.name for font in fonts if font.kind == kind]
        print(f"{kind:10}  {len(names):4} fonts  chosen {weight:.0%} of the time")
    lacking = missing_packages()
    if lacking["apt"]:
        print("\nlacking, Debian and Ubuntu:\n  apt-get install " + " ".join(lacking["apt"]))
    if lacking["npm"]:
        print(
            "\nlacking, any system:\n  npm install --prefix data/fonts --no-save "
            + " ".join(lacking["npm"])
        )


if __name__ == "__main__":
    main()
