"""The documents in data/samples: eight pages, set, printed, aged and scanned by the kit itself.

They are set in the fonts that come with the locked packages only, so that anyone makes the same
ones. The long s page is Gibbon (1776), the title page after Diderot (1751-1772); the rest is ours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageFont

from ocrkit.synth import degrade
from ocrkit.synth.degrade import Ink, Scan
from ocrkit.synth.fonts import package_folder
from ocrkit.synth.text import long_s

# Knuth's Computer Modern is a type of the 1890s, and its typewriter face the only one in the locked
# packages. Its files keep accents and ligatures in places of TeX's own.
_TEX = str.maketrans(
    "–—“”‘’æœÆŒß\u0300\u0301\u0302\u0308\u0327", '{|\\"`\'½¾ÀÁ¼µ¶^Ä»'
)  # fmt: skip
_TEX_LIGATURES = (("ffi", "±"), ("ffl", "²"), ("ff", "®"), ("fi", "¯"), ("fl", "°"))


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    folder = package_folder("matplotlib", "mpl-data", "fonts", "ttf")
    # The basic layout is the same whatever shaping library a machine has.
    return ImageFont.truetype(folder / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


@dataclass(frozen=True)
class _Face:
    """A font of a size (px per em), with letters `tracking` px apart or on a fixed `pitch` (px)."""

    name: str
    size: int
    tracking: float = 0.0
    pitch: float = 0.0

    def glyphs(self, text: str) -> list[tuple[str, str, float]]:
        """(letter, accent to strike over it, advance in px) for each letter of `text`."""
        font, tex = _font(self.name, self.size), self.name.startswith("cm")
        if tex:
            text = unicodedata.normalize("NFD", text)
            for letters, ligature in _TEX_LIGATURES if self.name == "cmr10" else ():
                text = text.replace(letters, ligature)
        out: list[tuple[str, str, float]] = []
        for character in text:
            glyph = character.translate(_TEX) if tex else character
            if unicodedata.combining(character):
                letter, _, advance = out.pop()
                out.append((letter, glyph, advance))
            else:
                advance = (self.pitch or font.getlength(glyph)) + self.tracking
                out.append((glyph, "", advance))
        return out

    def width(self, text: str) -> float:
        return sum(advance for _, _, advance in self.glyphs(text)) - self.tracking


@dataclass
class _Sheet:
    """A page being set: its ink so far, and the lines on it in reading order."""

    width: int
    height: int
    rng: Generator
    lines: list[str] = field(default_factory=list)
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("L", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)

    def put(self, x: float, y: float, text: str, face: _Face, stretch: float = 0.0) -> None:
        """Ink `text` from x on the baseline y; each space is `stretch` px wider."""
        font, typed = _font(face.name, face.size), bool(face.pitch)
        rise = 0.24 * face.size
        for glyph, accent, advance in face.glyphs(text):
            dy = self.rng.normal(0, 0.7) if typed else 0.0
            ink = int(np.clip(self.rng.normal(225, 28), 120, 255)) if typed else 255
            # Whole pixels, as a fraction would move letters otherwise on other systems.
            at = (round(x), round(y + dy))
            self.draw.text(at, glyph, ink, font, anchor="ls")
            if accent:
                lift = rise if glyph.isupper() and accent != "»" else 0
                shift = (advance - face.tracking - font.getlength(accent)) / 2
                self.draw.text(
                    (round(x + shift), round(y + dy - lift)), accent, ink, font, anchor="ls"
                )
            x += advance + (stretch if glyph == " " else 0)

    def line(self, x: float, y: float, text: str, face: _Face, fill: float = 0.0) -> None:
        """A line of the text, from x, stretched over `fill` px if that is given."""
        gaps = text.count(" ")
        stretch = (fill - face.width(text)) / gaps if fill and gaps else 0.0
        self.put(x, y, text, face, stretch)
        self.lines.append(text)

    def centre(self, y: float, text: str, face: _Face) -> None:
        self.line((self.width - face.width(text)) / 2, y, text, face)

    def row(self, y: float, cells: Sequence[tuple[float, str]], face: _Face) -> None:
        """A row of a table: cells at x; a negative x is where the cell ends."""
        for x, text in cells:
            self.put(x if x >= 0 else -x - face.width(text), y, text, face)
        self.lines.append(" ".join(text for _, text in cells if text))

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        face: _Face,
        leading: float,
        indent: float,
    ) -> float:
        """A justified paragraph (ragged if typed); the baseline of the line that comes next."""
        words, start = text.split(), x + indent
        while words:
            n = 1
            while n < len(words) and start - x + face.width(" ".join(words[: n + 1])) <= width:
                n += 1
            fill = 0.0 if n == len(words) or face.pitch else width - (start - x)
            self.line(start, y, " ".join(words[:n]), face, fill)
            words, start, y = words[n:], x, y + leading
        return y

    def rule(self, x0: float, y0: float, x1: float, y1: float, weight: int = 2) -> None:
        self.draw.line((round(x0), round(y0), round(x1), round(y1)), fill=255, width=weight)

    def ink(self) -> Ink:
        return (np.asarray(self.image) / 255).astype(np.float32)


_LETTER = """
J'ai l'honneur de vous accuser réception de votre lettre du 2 courant et des trois caisses qui
l'accompagnaient. Elles nous sont arrivées en bon état, à l'exception d'un petit vase dont l'anse
était brisée.

Les pièces numérotées de 1 à 48 ont été déposées dans la salle du rez-de-chaussée, où M. Lemaître en
dresse le catalogue. Les monnaies, au nombre de 215, seront examinées par M. le chanoine Béraud dès
son retour de voyage; nous vous en ferons connaître le résultat avant la fin du mois de mai.

Quant aux frais de transport (37 fr. 50), notre trésorier vous les fera rembourser par mandat-poste.
Je vous serais obligé de vouloir bien nous dire à quel nom il convient de l'établir.

Veuillez agréer, Monsieur le Conservateur, avec nos remerciements, l'expression de mes sentiments
les plus distingués.
"""
_GIBBON = """
In the second century of the Christian Æra, the empire of Rome comprehended the fairest part of the
earth, and the most civilized portion of mankind. The frontiers of that extensive monarchy were
guarded by ancient renown and disciplined valour. The gentle, but powerful influence of laws and
manners had gradually cemented the union of the provinces. Their peaceful inhabitants enjoyed and
abused the advantages of wealth and luxury. The image of a free constitution was preserved with
decent reverence. The Roman senate appeared to possess the sovereign authority, and devolved on the
emperors all the executive powers of government.

During a happy period of more than fourscore years, the public administration was conducted by the
virtue and abilities of Nerva, Trajan, Hadrian, and the two Antonines.
"""
_ITEMS = """
Bill No: CS-LH-0041877
Date: 23/11/2016||5:42:09PM
-
ITEM|QTY|AMOUNT
-
PVC TAPE 18MM BLACK|2|5.80 SR
WOOD SCREW 1" X 50|1|4.50 SR
LED BULB 9W E27|4|39.60 SR
PAINT BRUSH 2.5"|1|7.20 SR
PADLOCK 40MM|1|16.90 SR
-
SUBTOTAL||74.00
GST 6%||4.44
ROUNDING ADJ.||0.01
TOTAL RM||78.45
CASH||100.00
CHANGE||21.55
-
"""
_ENTRIES = """
Jan. 4|Wm. Okeley, mending the lych-gate|3|1|12|6
Jan. 19|Candles for the vestry, per dozen|2½|0|15|7½
Feb. 2|Widow Harcourt, washing surplices|6|0|9|0
Mar. 11|Coals and carriage from the wharf|14|4|18|8
Apr. 5|Jas. Penrose, glazier|—|2|3|4
May 27|Bell-ropes, and oil for the clock|4|1|7|10¼
June 24|Ringers, on Midsummer day|8|0|16|0
July 30|Printing of notices|150|0|11|9
Sept. 8|Thos. Attwood, sexton, half a year|½|5|0|0
Oct. 13|Straw, lime, and sand|22|0|13|2
Nov. 5|Repairs of the north aisle|—|17|4|5¾
"""
_NEWS = """
THE NEW LIGHTHOUSE.
The works upon the Gannet Rock are now so far advanced that the lantern, which was sent from
Birmingham on the 14th of last month, will be raised in the course of the week. The tower stands one
hundred and twelve feet above high water, and the light, it is expected, will be seen in fair
weather at a distance of eighteen miles. The engineer, Mr. Whitfield, was last evening entertained
at dinner by the Harbour Board.

LOSS OF THE “ALBION.”
We regret to announce that the brig Albion, 230 tons, of this port, laden with slate, was driven
ashore near Penmorvah in the gale of Tuesday night. The crew of nine were brought off by the rocket
apparatus; the vessel has since gone to pieces. She was insured for two-thirds of her value.

MARKETS.
Wheat, 46s. to 49s. per quarter; barley, 38s.; oats, dull of sale at 25s. 6d. Butter was plentiful
at 1s. 3d. the pound, and eggs at twelve for a shilling.

TOWN COUNCIL.
At the monthly meeting, held on Monday, the Mayor in the chair, a letter was read from the Railway
Company, declining to stop the morning express at the lower station. Alderman Yates said it was a
shabby answer to a civil question. It was resolved, after some discussion, that a deputation should
wait upon the directors. The surveyor reported that the drain in Fish Street had been opened and
found to be in a very offensive state.

A CURIOUS FIND.
In digging the foundations of the new school a workman named Quick came upon an earthen jar, holding
sixty-three silver pennies of the reign of King Stephen. They have been forwarded to the Museum,
where they may be viewed on payment of twopence.

TO BE LET,
and entered upon at Christmas next, a commodious Dwelling House, with garden and stabling, five
minutes’ walk from the quay.—Apply to Messrs. Baker & Finch, Solicitors, 7, Church Row.
"""
_CARD = """
Name:|Schröder, Käthe, geb. Weiß
Geboren:|28. Februar 1893 in Lübeck
Beruf:|Lehrerin
Wohnung:|Große Bäckerstraße 17, III. Stock
Zugezogen:|1.10.1921 aus Güstrow
Akte:|B 4711/32, Bl. 105-118
Bemerkung:|Siehe auch Karte Nr. 2306 (Bruder)
"""


def _letter(rng: Generator) -> _Sheet:
    sheet = _Sheet(1240, 1640, rng)
    typed = _Face("cmtt10", 29, pitch=15.2)
    sheet.centre(120, "SOCIÉTÉ D’ÉMULATION DE SAINT-AUBIN", _Face("cmr10", 42, tracking=4))
    sheet.centre(164, "fondée en 1834 — 12, rue des Tanneurs", _Face("cmr10", 26))
    sheet.rule(470, 186, 770, 186)
    sheet.line(690, 270, "Saint-Aubin, le 14 mars 1926.", typed)
    sheet.line(150, 330, "Dossier 69/B", typed)
    sheet.line(226, 400, "Monsieur le Conservateur,", typed)
    y = 462.0
    for text in _LETTER.split("\n\n"):
        y = sheet.paragraph(150, y, 930, text, typed, 46, 76) + 20
    sheet.line(740, y + 30, "Le Secrétaire,", typed)
    sheet.line(740, y + 130, "P. CARDONNEL", typed)
    return sheet


def _long_s(rng: Generator) -> _Sheet:
    sheet = _Sheet(1100, 1560, rng)
    body, italic = _Face("STIXGeneral", 33), _Face("STIXGeneralItalic", 32)
    sheet.row(120, [(-920, "1")], body)
    for y, text, size, tracking in (
        (230, "THE HISTORY", 54, 8),
        (282, "OF THE", 26, 4),
        (340, "DECLINE AND FALL", 42, 6),
        (396, "OF THE ROMAN EMPIRE.", 34, 4),
        (500, "CHAPTER I.", 36, 4),
    ):
        sheet.centre(y, text, _Face("STIXGeneral", size, tracking))
    sheet.rule(190, 430, 910, 430, 2)
    sheet.rule(190, 437, 910, 437, 1)
    argument = "The Extent and Military Force of the Empire, in the Age of the Antonines."
    sheet.paragraph(230, 556, 660, long_s(argument), italic, 42, 0)
    baseline = 680.0
    for text in _GIBBON.split("\n\n"):
        baseline = sheet.paragraph(180, baseline, 740, long_s(text), body, 45, 50)
    sheet.row(1440, [(180, "Vol. I."), (560, "B")], italic)
    return sheet


def _receipt(rng: Generator) -> _Sheet:
    sheet = _Sheet(1000, 1520, rng)
    body, bold = _Face("DejaVuSansMono", 34), _Face("DejaVuSansMono-Bold", 40)
    sheet.centre(100, "LAMPWORKS HARDWARE SDN BHD", bold)
    sheet.centre(154, "(519384-K)", body)
    sheet.centre(208, "NO.27, JALAN SERINDIT 3/8,", body)
    sheet.centre(262, "TAMAN KENANGA, 81200 JOHOR", body)
    sheet.centre(316, "GST ID: 000418266304", body)
    sheet.centre(370, "TEL: 07-335 9142", body)
    sheet.centre(424, "TAX INVOICE", bold)
    y = 478
    for item in _ITEMS.split("\n")[1:-1]:
        if item == "-":
            for x in range(70, 925, 24):
                sheet.rule(x, y - 10, x + 14, y - 10, 3)
        else:
            cells = list(zip((70, -690, -930), item.split("|"), strict=False))
            sheet.row(y, cells, bold if item.startswith("TOTAL") else body)
        y += 52
    sheet.centre(y + 4, "GOODS SOLD ARE NOT RETURNABLE", body)
    sheet.centre(y + 58, "*** THANK YOU ***", body)
    return sheet


def _ledger(rng: Generator) -> _Sheet:
    sheet = _Sheet(1400, 1080, rng)
    face, bold = _Face("STIXGeneral", 34), _Face("STIXGeneralBol", 34)
    sheet.centre(100, "ACCOUNT OF THE PARISH OF ST. OSWALD, 1847", _Face("STIXGeneralBol", 40))
    top, bottom = 140, 1000
    for x in (90, 230, 800, 950, 1070, 1190, 1310):
        sheet.rule(x, top, x, bottom, 3 if x in (90, 1310) else 2)
    for y in (top, top + 62, bottom - 68, bottom):
        sheet.rule(90, y, 1310, y, 3)
    columns = (104, 250, 820, 1000, 1120, 1240)
    titles = ("Date", "To whom paid, and for what", "Qty", "£", "s.", "d.")
    sheet.row(185, list(zip(columns, titles, strict=True)), _Face("STIXGeneralItalic", 32))
    y = 242
    for entry in _ENTRIES.split("\n")[1:-1]:
        cells = zip((104, 250, -930, -1050, -1170, -1290), entry.split("|"), strict=True)
        sheet.row(y, list(cells), face)
        sheet.rule(92, y + 16, 1308, y + 16, 1)
        y += 62
    total = [(250, "Carried forward"), (-1050, "35"), (-1170, "12"), (-1290, "4½")]
    sheet.row(bottom - 22, total, bold)
    return sheet


def _newspaper(rng: Generator) -> _Sheet:
    sheet = _Sheet(1500, 1520, rng)
    body, title = _Face("cmr10", 31), _Face("cmr10", 34, tracking=3)
    sheet.centre(150, "The Harbour Gazette", _Face("STIXGeneralBol", 104))
    sheet.rule(100, 186, 1400, 186, 3)
    left, middle, right = "No. 1,204.", "SATURDAY, OCTOBER 9, 1875.", "Price One Penny."
    sheet.row(224, [(110, left), (520, middle), (-1390, right)], _Face("cmr10", 30))
    sheet.rule(100, 242, 1400, 242, 2)
    sheet.rule(750, 262, 750, 1450, 2)
    x, y = 110, 304.0
    for news in _NEWS.strip("\n").split("\n\n"):
        heading, _, text = news.partition("\n")
        if heading == "TOWN COUNCIL.":
            x, y = 780, 304.0
        sheet.line(x + (610 - title.width(heading)) / 2, y, heading, title)
        y = sheet.paragraph(x, y + 48, 610, text, body, 38, 32)
        sheet.rule(x + 220, y - 2, x + 390, y - 2, 1)
        y += 52
    return sheet


def _title_page(rng: Generator) -> _Sheet:
    sheet = _Sheet(1100, 1560, rng)
    for y, text, size, tracking in (
        (170, "RECUEIL", 96, 14),
        (250, "DE", 34, 6),
        (340, "PLANCHES,", 84, 10),
        (420, "SUR", 34, 6),
        (510, "LES SCIENCES,", 66, 8),
        (600, "LES ARTS LIBÉRAUX,", 50, 6),
        (680, "ET", 34, 6),
        (770, "LES ARTS MÉCHANIQUES,", 50, 4),
        (850, "AVEC LEUR EXPLICATION.", 40, 5),
        (970, "TROISIÈME LIVRAISON, 298 Planches.", 34, 1),
        (1200, "A PARIS,", 52, 8),
        (1264, "Chez Briasson, rue Saint Jacques, à la Science.", 32, 0),
        (1364, "M. DCC. LXV.", 44, 4),
        (1420, "AVEC APPROBATION ET PRIVILÉGE DU ROY.", 30, 3),
    ):
        sheet.centre(y, text, _Face("cmr10", size, tracking))
    sheet.rule(430, 905, 670, 905)
    sheet.rule(180, 1296, 920, 1296)
    for i in range(5):
        sheet.rule(490 + 12 * i, 1040 + 14 * i, 610 - 12 * i, 1040 + 14 * i, 4)
    return sheet


def _form(rng: Generator) -> _Sheet:
    sheet = _Sheet(1300, 900, rng)
    label, typed = _Face("DejaVuSans", 24), _Face("cmtt10", 31, pitch=16.3)
    sheet.centre(96, "Städtisches Archiv — Karteikarte", _Face("DejaVuSerif-Bold", 36))
    y = 190
    for entry in _CARD.split("\n")[1:-1]:
        name, value = entry.split("|")
        sheet.put(308 - label.width(name), y - 4, name, label)
        sheet.put(330, y - 4, value, typed)
        sheet.lines.append(f"{name} {value}")
        sheet.rule(320, y + 10, 1200, y + 10, 1)
        y += 90
    sheet.draw.rectangle((60, 40, 1240, 850), outline=255, width=3)
    return sheet


def _turned(scan: Scan, degrees: float) -> Scan:
    """The sheet laid askew on the glass; beyond its edge is more of the same paper."""
    height, width = scan.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turned = cv2.warpAffine(
        scan, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return turned.astype(np.uint8)


def _folded(scan: Scan, y: int, depth: float) -> Scan:
    """A crease across the sheet, dark beneath and light above."""
    rows = np.arange(scan.shape[0], dtype=np.float32)[:, None] - y
    shade = depth * rows / 3 * np.exp(-(rows**2) / 18)
    return np.clip(scan - shade, 0, 255).astype(np.uint8)


def _ribbon(ink: Ink, rng: Generator) -> Ink:
    """A typewriter's ribbon: cloth and hammer leave patches paler than others."""
    return degrade.uneven(degrade.thicken(ink, 0.35), 24, 0.22, rng)


def _clean(ink: Ink, rng: Generator) -> Scan:
    scan = degrade.print_on_paper(_ribbon(ink, rng), rng, paper=228, tone=48, grain=2.5)
    return degrade.noise(degrade.blur(degrade.light(scan, 0.12, rng), 0.7), 2.0, rng)


def _stained(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.wave(_ribbon(ink, rng), 1.5, 500, rng)
    scan = degrade.print_on_paper(ink, rng, paper=218, tone=52, grain=4)
    scan = degrade.stain(degrade.stain(scan, 220, 40, rng), 40, 22, rng)
    scan = _folded(_folded(scan, 547, 26), 1093, 22)
    return degrade.noise(degrade.blur(_turned(degrade.light(scan, 0.2, rng), 1.6), 0.8), 2.5, rng)


def _book(ink: Ink, rng: Generator) -> Scan:
    other = np.roll(ink, 23, axis=0)
    ink = degrade.broken(degrade.uneven(degrade.thicken(ink, 0.5), 33, 0.15, rng), 33, 0.02, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 2, 400, rng), rng, 218, 52, 3.5)
    scan = degrade.show_through(degrade.stain(scan, 90, 18, rng), other, 14)
    return degrade.noise(degrade.blur(_turned(scan, -0.4), 0.8), 2.0, rng)


def _thermal(ink: Ink, rng: Generator) -> Scan:
    ink = degrade.stripes(degrade.uneven(ink, 60, 0.1, rng), 210, 0.3, rng)
    scan = degrade.print_on_paper(degrade.dots(ink, 4.0), rng, paper=238, tone=70, grain=1.0)
    return _levels(degrade.blur(_turned(scan, 0.5), 0.9), 16)


def _copied(ink: Ink, rng: Generator) -> Scan:
    """A microfilm or an office copier: black and white, with specks."""
    ink = degrade.broken(degrade.thicken(ink, 0.3), 30, 0.015, rng)
    scan = degrade.print_on_paper(degrade.wave(ink, 1.5, 600, rng), rng, 205, 60, 5)
    scan = degrade.noise(degrade.blur(_turned(scan, 0.3), 0.9), 5, rng)
    specks = rng.random(scan.shape) < 0.00006
    scan[cv2.dilate(specks.astype(np.uint8), degrade.CROSS) > 0] = 40
    return degrade.otsu(scan)


def _levels(scan: Scan, levels: int) -> Scan:
    """Greys in so few steps that a PNG of them is small."""
    step = 255 / (levels - 1)
    return (np.round(scan / step) * step).astype(np.uint8)


# file name -> (what sets it, what ages and scans it)
_SAMPLES: dict[str, tuple[Callable[[Generator], _Sheet], Callable[[Ink, Generator], Scan]]] = {
    "letter.jpg": (_letter, _clean),
    "letter-stained.jpg": (_letter, _stained),
    "long-s.jpg": (_long_s, _book),
    "receipt.png": (_receipt, _thermal),
    "ledger.jpg": (_ledger, _book),
    "newspaper.tif": (_newspaper, _copied),
    "title-page.jpg": (_title_page, _book),
    "form.png": (_form, _copied),
}


def render_sample(name: str, seed: int = 0) -> tuple[Scan, str]:
    """The scan, uint8 grey (H, W), and the text of one of the samples, before it is compressed."""
    setter, scanner = _SAMPLES[name]
    rng = default_rng((seed, list(_SAMPLES).index(name)))
    sheet = setter(rng)
    return scanner(sheet.ink(), rng), "\n".join(sheet.lines) + "\n"


def write_samples(folder: str | Path, seed: int = 0) -> list[Path]:
    """Write the samples, each with its text beside it (.txt), into `folder`; their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in _SAMPLES:
        scan, text = render_sample(name, seed)
        path, image = folder / name, Image.fromarray(scan)
        if path.suffix == ".jpg":
            image.save(path, quality=42, optimize=True, dpi=(150, 150))
        elif path.suffix == ".tif":
            image.convert("1").save(path, compression="group4", dpi=(200, 200))
        else:
            few = len(np.unique(scan)) <= 2
            image = image.convert("1") if few else image.quantize(16, dither=Image.Dither.NONE)
            image.save(path, optimize=True, dpi=(150, 150))
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
