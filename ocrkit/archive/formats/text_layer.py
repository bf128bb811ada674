"""Invisible text on the pages of a PDF, each word where it is on the scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pikepdf
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pikepdf import Array, Dictionary, Name

from ocrkit.archive.formats.placing import DESCENT, baseline, blocks_of, edges, words_of
from ocrkit.document import Line, Page, Word
from ocrkit.image import page_matrix

if TYPE_CHECKING:
    from pikepdf import Object, Pdf

_EM = 1000  # units of the font; every character is one em wide, and is then stretched
_INVISIBLE = 3  # text render mode
_SMALLEST_GAP = 0.25  # between two words, in heights of the line
_LEVELLED = 0.5  # by how much a word is moved up or down, in heights of the line; see `_placed`
_TO_UNICODE = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{}
endcmap CMapName currentdict /CMap defineresource pop end end
"""


class TextLayer:
    """Adds text to pages of an open PDF; `finish` must be called after the last page.

    The font has one shape for all, so it is small and has every character of Unicode: character
    codes are given out as characters come, and a table says which character each code is.
    """

    def __init__(self, pdf: Pdf) -> None:
        self._codes: dict[str, int] = {}
        self._pdf = pdf
        self._font = pdf.make_indirect(Dictionary(Type=Name.Font))

    def add(self, target: pikepdf.Page, page: Page) -> None:
        """Add the text of a page beneath what is on it."""
        if not page.lines:
            return
        name = _free_name(target)
        matrix = np.linalg.inv(
            page_matrix(_visible_box(target), _rotation(target), page.width, page.height)
        )
        operators = [f"q BT {_INVISIBLE} Tr"]
        for block in blocks_of(page):
            for number in block.lines:
                for run in _runs(page.lines[number]):
                    operators.append(self._shown(run, matrix, name))
        operators.append("ET Q")
        target.add_resource(self._font, Name.Font, Name(name))
        target.contents_add("\n".join(operators).encode("ascii"), prepend=True)

    def finish(self) -> None:
        """Make the font, which knows by now all characters that were added."""
        if self._codes:
            for key, value in _font(self._pdf, self._codes).items():
                self._font[key] = value

    def _shown(self, run: _Run, matrix: np.ndarray, font: str) -> str:
        """The operators that show a run; the matrix is from pixels to points."""
        along, up = (matrix[:2, :2] @ vector for vector in (run.direction, run.up))
        x, y = (matrix @ np.array([*run.start, 1.0]))[:2]
        size = run.height * float(np.linalg.norm(up))
        stretch = 100 * run.length / (len(run.text) * run.height)
        # The size says how high letters are in points, so the matrix has no more than directions,
        # and the ratio of the resolutions across and down.
        numbers = *(along / np.linalg.norm(up)), *(up / np.linalg.norm(up)), x, y
        place = " ".join(f"{value:.4f}" for value in numbers)
        codes = "".join(f"{self._code(character):04X}" for character in run.text)
        return f"{font} {size:.3f} Tf {stretch:.2f} Tz {place} Tm <{codes}> Tj"

    def _code(self, character: str) -> int:
        return self._codes.setdefault(character, len(self._codes) + 1)


@dataclass(frozen=True)
class _Run:
    """Characters in one place, in pixels of the page.

    start: of the baseline. direction: of the baseline, of length 1. height: of the line. length: of
    the run.
    """

    text: str
    start: np.ndarray
    direction: np.ndarray
    height: float
    length: float

    @property
    def up(self) -> np.ndarray:
        """From the baseline to the top of the letters, of length 1."""
        return np.array([self.direction[1], -self.direction[0]])


def _runs(line: Line) -> Iterator[_Run]:
    """The words of a line, and the spaces between them."""
    placed = [_placed(word, line) for word in words_of(line)]
    for run, following in pairwise(placed):
        # The ends of words are estimates. Programs that extract text join words without a gap.
        room = float((following.start - run.start) @ run.direction)
        gap = max(room - run.length, _SMALLEST_GAP * run.height)
        length = max(room - gap, run.length / 2)
        yield replace(run, length=length)
        yield _Run(" ", run.start + length * run.direction, run.direction, run.height, gap)
    yield from placed[-1:]


def _placed(word: Word, line: Line) -> _Run:
    """A word on its line, which is straight to the right, down, left or up.

    Words are not tilted: programs that extract text cut a word where its baseline changes. Words of
    a tilted or curved line are moved towards the height of its middle, by at most half of the
    line's height: such programs take words of different heights for different lines.
    """
    base, (top, bottom) = np.array(baseline(line)), map(np.array, edges(line))
    direction = _quarter_turn(base[-1] - base[0])
    down = np.array([-direction[1], direction[0]])
    box = word.box
    corners = np.array([(box.x0, box.y0), (box.x1, box.y1)]) @ direction
    across = np.interp(corners.mean(), base @ direction, base @ down)
    height = max(float(np.linalg.norm(top - bottom, axis=1).mean()), 1.0)
    middle, most = float((base @ down).mean()), _LEVELLED * height
    across -= np.clip(across - middle, -most, most)
    start = corners.min() * direction + across * down
    return _Run(word.text, start, direction, height, max(float(np.ptp(corners)), 1.0))


def _quarter_turn(vector: np.ndarray) -> np.ndarray:
    """The direction nearest to a vector: (1, 0), (0, 1), (-1, 0) or (0, -1)."""
    axis = int(np.abs(vector).argmax())
    return np.eye(2)[axis] * (-1 if vector[axis] < 0 else 1)


def _font(pdf: Pdf, codes: dict[str, int]) -> dict[str, Any]:
    """A composite font of one glyph for all codes (PDF 32000-1, 9.7)."""
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name.OcrkitText,
        Flags=4,  # symbolic: the characters are not those of a standard alphabet
        FontBBox=Array([0, -round(DESCENT * _EM), _EM, round((1 - DESCENT) * _EM)]),
        ItalicAngle=0,
        Ascent=round((1 - DESCENT) * _EM),
        Descent=-round(DESCENT * _EM),
        CapHeight=round((1 - DESCENT) * _EM),
        StemV=80,
        FontFile2=pdf.make_stream(_font_program()),
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name.OcrkitText,
        CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=_EM,
        CIDToGIDMap=pdf.make_stream(b"\x00\x01" * (len(codes) + 1)),
    )
    return {
        "/Subtype": Name.Type0,
        "/BaseFont": Name.OcrkitText,
        "/Encoding": Name("/Identity-H"),
        "/DescendantFonts": Array([pdf.make_indirect(descendant)]),
        "/ToUnicode": pdf.make_stream(_to_unicode(codes)),
    }


def _to_unicode(codes: dict[str, int]) -> bytes:
    entries = [
        f"<{code:04X}> <{character.encode('utf-16-be', 'replace').hex().upper()}>"
        for character, code in codes.items()
    ]
    blocks = [entries[i : i + 100] for i in range(0, len(entries), 100)]  # 100 is the most allowed
    table = "\n".join("\n".join([f"{len(b)} beginbfchar", *b, "endbfchar"]) for b in blocks)
    return _TO_UNICODE.format(table).encode("ascii")


def _font_program() -> bytes:
    """A TrueType font of one glyph, always the same bytes.

    The glyph is a rectangle of the size of an em, and never drawn. An empty one would do for most
    programs; PDFium takes the places of characters from it.
    """
    ascent, descent = round((1 - DESCENT) * _EM), -round(DESCENT * _EM)
    pen = TTGlyphPen(None)
    pen.moveTo((0, descent))
    for corner in ((0, ascent), (_EM, ascent), (_EM, descent)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", "em"]
    builder = FontBuilder(_EM, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (_EM, 0)))
    builder.setupHorizontalHeader(ascent=ascent, descent=descent)
    builder.setupNameTable({"familyName": "OcrkitText", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=ascent, sTypoDescender=descent)
    builder.setupPost()
    builder.updateHead(created=0, modified=0)
    builder.font.save(data := BytesIO())
    return data.getvalue()


def _free_name(page: pikepdf.Page) -> str:
    """A name for the font that the page does not use for another."""
    taken: Any = page.resources.get(Name.Font, {})
    return next(name for i in range(10**6) if (name := f"/OcrkitText{i or ''}") not in taken)


def _visible_box(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """The part of a page that is shown, in points: left, bottom, right, top."""
    crop, media = (_sorted(box) for box in (page.cropbox, page.mediabox))
    box = np.array([*np.maximum(crop[:2], media[:2]), *np.minimum(crop[2:], media[2:])])
    left, bottom, right, top = map(float, box if (box[2:] > box[:2]).all() else media)
    return left, bottom, right, top


def _sorted(box: Iterable[Any]) -> np.ndarray:
    x0, y0, x1, y1 = map(float, box)
    return np.array([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)])


def _rotation(page: pikepdf.Page) -> int:
    """The rotation of a page, which it may have from the nodes above it in the page tree."""
    node: Object | None = page.obj
    for _ in range(100):  # a damaged tree may have a circle
        if node is None:
            break
        if "/Rotate" in node:
            return int(node.Rotate) % 360
        node = node.get("/Parent")
    return 0


def without_invisible_text(pdf: Pdf, page: pikepdf.Page) -> None:
    """Remove the invisible text of a page, which an earlier reading left; all else is kept."""
    kept, changed = _kept(page, page.resources, 0, set())
    if changed:
        page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(kept))


def _kept(
    content: pikepdf.Page | Object, resources: Any, mode: int, seen: set[tuple[int, int]]
) -> tuple[list[Any], bool]:
    """The instructions of a content stream that remain, and whether any is removed.

    mode: the text render mode at the start.
    """
    stack: list[int] = []
    kept, changed = [], False
    for instruction in pikepdf.parse_content_stream(content):
        operator = str(instruction.operator)
        if operator == "q":
            stack.append(mode)
        elif operator == "Q" and stack:
            mode = stack.pop()
        elif operator == "Tr":
            mode = int(instruction.operands[0])
        elif operator == "Do":
            _clean_form(resources, instruction.operands[0], mode, seen)
        if mode == _INVISIBLE and operator in ("Tj", "TJ", "'", '"'):
            changed = True
        else:
            kept.append(instruction)
    return kept, changed


def _clean_form(resources: Any, name: Any, mode: int, seen: set[tuple[int, int]]) -> None:
    """Remove the invisible text within a form, a content stream that others use by name."""
    form = resources.get("/XObject", {}).get(str(name))
    if form is None or form.get("/Subtype") != Name.Form or form.objgen in seen:
        return
    seen.add(form.objgen)
    kept, changed = _kept(form, form.get("/Resources", resources), mode, seen)
    if changed:
        form.write(pikepdf.unparse_content_stream(kept))
