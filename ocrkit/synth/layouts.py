"""The layouts of synthetic pages: letters, books, newspapers, receipts, forms, tables and more.

Each kind of page has a function here that adds its lines to a `PageBuilder`, and an entry in
pages.toml with its share, sizes and fonts. The builder does not draw a line that would be too close
to another one on its baseline. So a gap within a line is always a word space, and two lines on one
baseline are at least CLEARANCE em apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from ocrkit.synth.fonts import KIND_WEIGHTS, Font
from ocrkit.synth.page_builder import CLEARANCE, Column, PageBuilder, PageFormat
from ocrkit.synth.tables import read_toml

_PAGES = read_toml("pages.toml")
FONTS: dict[str, dict[str, float]] = {**_PAGES["font_weights"], "any": KIND_WEIGHTS}
TEXTS: dict[str, list[str]] = _PAGES["texts"]


@dataclass(frozen=True)
class Layout:
    """A kind of page: its share of all pages, its sizes and fonts, and what fills it."""

    share: float
    format: PageFormat
    fill: Callable[[PageBuilder], None]


def lay_out(kind: str, rng: Generator, fonts: tuple[Font, ...] | None = None) -> PageBuilder:
    """A random page of a kind of LAYOUTS, laid out; fonts: None uses all installed ones."""
    layout = LAYOUTS[kind]
    page = PageBuilder(rng, fonts, layout.format)
    layout.fill(page)
    return page


def _page_number(page: PageBuilder) -> None:
    """A page number and a running head above the text, each on some of the pages."""
    if page.chance(0.7):
        number = page.text("codes", 5) if page.chance(0.3) else f"- {page.integer(1, 99)} -"
        page.add_line(number, page.body, page.top, page.choice((0, 0.5, 1)))
    if page.chance(0.5):
        page.add_line(page.text("title", 30), page.body, page.top, 0.5)
    page.top += page.uniform(1.6, 3.5) * page.body.font.em


def _running_text(
    page: PageBuilder, column: Column, y: float, foot: float, headings: float, pictures: float = 0
) -> float:
    """Prose from y down to `foot`, with headings, lists, pictures and rules between paragraphs.

    headings, pictures: their probability before each group of paragraphs; half of `headings` for
    lists, twice `pictures` for rules. Returns the next free baseline.
    """
    font, em = column.font, column.font.em
    while y < foot:
        if page.chance(2 * pictures):
            middle, height = column.middle, y - 0.4 * em
            page.draw_rule(middle - 2 * em, height, middle + 2 * em, height)
            y += 0.9 * em
        if page.chance(headings):
            kinds = {font.face.kind: 1.0} if page.chance(0.5) else FONTS["heading"]
            head = page.choose_font(kinds, em * page.uniform(0.9, 2))
            y = page.add_heading(head, column, y + 0.4 * head.em, page.choice((0, 0.5)), 3)
            y += 0.2 * em
        if page.chance(pictures) and foot - y > 9 * em:
            end = y + page.uniform(5, 9) * em
            page.add_mark("picture", column.x0, y - 0.7 * em, column.x1, end - 0.7 * em)
            y = end + 0.7 * em
        if page.chance(headings / 2):
            bullet, x = page.choice(TEXTS["bullet"]) + " ", column.x0 + page.uniform(1, 3) * em
            item = replace(column, x0=x, indent=-font.width(bullet))
            for _ in range(page.integer(2, 5)):
                text = bullet + page.text("prose", page.integer(20, 120))
                y = page.add_paragraph(item, y, 3, text)
        y = page.add_prose(column, y, min(foot, y + page.uniform(4, 30) * em)) + 0.2 * em
    return y


def _letter(page: PageBuilder) -> None:
    body, em, y, align = page.body, page.body.font.em, page.top, page.choice((0, 0.5, 1))
    head = page.choose_font(FONTS["heading"], em * page.uniform(0.8, 1.8))
    for _ in range(page.integer(0, 4)):
        text = page.text(page.choice(("title", "letter", "capitals")), 34)
        page.add_line(text, replace(body, font=head), y, align)
        y, head = y + 1.3 * head.em, head.scaled(page.uniform(0.7, 1.0))
    for number in range(page.integer(1, 5)):  # the date, aligned right, and the address
        y += body.leading * em
        page.add_line(page.text("letter", 30), body, y, float(number == 0))
    y = page.add_prose(body, y + page.uniform(1.5, 4) * em, page.bottom - page.uniform(2, 9) * em)
    x = page.uniform(body.x0, body.middle)
    page.add_mark("scribble", x, y - 0.5 * em, x + page.uniform(6, 14) * em, y + 3 * em)
    page.add_line(page.text("letter", 24), replace(body, x0=x), y + page.uniform(2.5, 4) * em)


def _typescript(page: PageBuilder) -> None:
    font = page.body.font
    font = replace(font, tracking=page.uniform(0, 0.2) * font.em * page.chance(0.25))
    leading = page.uniform(1.0, 1.2) if page.chance(0.5) else page.uniform(1.6, 2.4)
    page.body = replace(page.body, font=font, leading=leading)
    _page_number(page)
    _running_text(page, page.body, page.top, page.bottom, 0.3)
    for x0, _, x1, y in page.occupied:
        deletion = page.choice(TEXTS["deletion"]) * page.integer(2, 8)
        room = x1 - x0 - font.width(deletion)
        if room > 0 and page.chance(0.04):
            font.draw(page.ink, deletion, x0 + page.uniform(0, room), y, 0.0, page.rng)


def _book(page: PageBuilder) -> None:
    em = page.body.font.em
    _page_number(page)
    page.body = replace(page.body, justify=page.chance(0.85))
    count = page.integer(1, 3) if page.body.width > 26 * em else 1
    columns = page.columns(count, page.uniform(CLEARANCE, 3) * em)
    start, foot = page.top, page.bottom - page.uniform(3, 9) * em * page.chance(0.35)
    if page.chance(0.35):
        head = page.choose_font(FONTS["heading"], em * page.uniform(1, 2))
        start = page.add_heading(head, page.body, start, max_lines=2) + page.uniform(0.5, 2) * em
    for column in columns:
        y = start
        if page.chance(0.15):  # a drop cap, two lines high
            large = replace(column, font=column.font.scaled(page.uniform(2.2, 3.2)), clearance=0)
            x = page.add_line(page.text("capitals", 8)[:1], large, y + column.leading * em)
            y = page.add_paragraph(replace(column, x0=x + CLEARANCE * em, clearance=0), y, 2)
        y = _running_text(page, column, y, foot, 0.12, 0.04)
        if foot < page.bottom:  # footnotes
            y = max(y, foot) + em
            end = page.uniform(column.x0, column.x1)
            page.draw_rule(column.x0, y - 1.2 * em, end, y - 1.2 * em)
            page.add_paragraph(replace(column, font=column.font.scaled(0.8), indent=em), y, 9)


def _newspaper(page: PageBuilder) -> None:
    em, ruled = page.body.font.em, page.chance(0.7)
    # Columns with a rule between them can be closer together.
    clearance = 0.6 if ruled else CLEARANCE
    gutter = page.uniform(0.9, 1.8) if ruled else page.uniform(CLEARANCE, 2.4)
    leading = page.uniform(1.0, 1.2)
    page.body = replace(page.body, leading=leading, justify=True, clearance=clearance)
    count = int(np.clip(page.body.width / (em * page.uniform(11, 19)), 2, 6))
    columns = page.columns(count, gutter * em)
    y = page.top
    if page.chance(0.3):
        head = page.choose_font(FONTS["heading"], em * page.uniform(2, 5))
        y = page.add_heading(head, page.body, y + 0.5 * head.em) - 0.3 * head.em
        page.add_line(page.text("title", 26), page.body, y, 0.5)
        page.draw_rule(page.body.x0, y + 0.5 * em, page.body.x1, y + 0.5 * em, page.integer(1, 3))
        y += 1.9 * em
    tops: list[float] = []
    while len(tops) < count:  # headings over one or more columns
        spanned = columns[len(tops) :][: page.integer(1, 3)]
        head = page.choose_font(FONTS["heading"], em * page.uniform(1.2, 1.5 + len(spanned)))
        place = replace(spanned[0], x1=spanned[-1].x1)
        top = page.add_heading(head, place, y + 0.5 * head.em, page.choice((0, 0.5)), 2) + 0.3 * em
        tops += [top] * len(spanned)
    for column, top in zip(columns, tops, strict=True):
        if ruled and column.x0 > page.body.x0:
            x = column.x0 - gutter * em / 2
            page.draw_rule(x, top - em, x, page.bottom, page.integer(1, 2))
        _running_text(page, column, top, page.bottom, 0.35, 0.12)


def _receipt(page: PageBuilder) -> None:
    body, font, em, y = page.body, page.body.font, page.body.font.em, page.top
    step = body.leading * em
    stops = body.x0 + np.sort(page.rng.uniform(0.4, 0.85, 3)) * body.width
    if page.chance(0.2):
        page.add_mark("ornament", body.middle - 4 * em, y - em, body.middle + 4 * em, y + 3 * em)
        y += 4.5 * em
    head = page.choose_font(FONTS["receipt"], em * page.uniform(1, 2.2))
    for _ in range(page.integer(1, 3)):
        y = page.add_heading(head, body, y, max_lines=2)
        head = font.scaled(page.uniform(0.9, 1.2))
    for _ in range(page.integer(0, 6)):
        page.add_line(page.text("receipt", 40), body, y, 0.5)
        y += step
    while y < page.bottom - 3 * em:
        y = _receipt_row(page, y, stops)
        y += step * page.choice((1, 1, 1, 1.5))


def _receipt_row(page: PageBuilder, y: float, stops: np.ndarray) -> float:
    """An item, a total, a bar code, a separator or another row; returns its last baseline.

    stops: right ends of the columns of numbers between an item and its price.
    """
    body, em = page.body, page.body.font.em
    match page.integer(0, 8):
        case 0:
            page.draw_separator(page.choice(TEXTS["separator"]), body, y)
        case 1:
            page.add_line(page.text("receipt", 30), body, y)
            page.add_line(page.text("codes", 12), body, y, 1)
        case 2 if page.chance(0.5):
            font = page.choose_font(FONTS["receipt"], em * page.uniform(1.3, 2.4))
            large = replace(body, font=font)
            y += 0.8 * font.em
            page.add_line(page.choice(TEXTS["total"]), large, y)
            page.add_line(f"{page.uniform(1, 999):.2f}", large, y, 1)
        case 3 if page.chance(0.3):
            page.add_mark("barcode", body.x0 + 2 * em, y - 0.7 * em, body.x1 - 2 * em, y + 2.2 * em)
            y += 2.6 * em
        case 4 | 5:
            page.add_line(page.text("receipt", 40), body, y, page.choice((0, 0.5)))
        case _:
            page.add_line(f"{page.uniform(0.5, 99):.2f}", body, y, 1)
            page.add_line(page.text("receipt", 26), replace(body, x1=body.x1 - 7 * em), y)
            for x in stops[: page.integer(0, 3)]:
                amount = f"{page.uniform(1, 20):.{page.integer(0, 2)}f}"
                page.add_line(amount, replace(body, x1=x), y, 1)
    return y


def _form(page: PageBuilder) -> None:
    body, font, em = page.body, page.body.font, page.body.font.em
    answers = page.choose_font(FONTS["typed"], em * page.uniform(0.9, 1.25))
    head = page.choose_font(FONTS["heading"], em * page.uniform(1, 2))
    y = page.add_heading(head, body, page.top, max_lines=2) + em
    while y < page.bottom - em:
        boxed, dotted = page.chance(0.3), page.chance(0.3)
        count = page.integer(1, 2 if page.width < 30 * em else 3)
        for cell in page.columns(count, (CLEARANCE + 0.1) * em):
            if boxed:  # the label is in the top left corner of the box
                page.draw_frame(cell.x0 - 0.4 * em, y - 1.3 * em, cell.x1 + 1.5 * em, y + 1.6 * em)
                label = replace(cell, font=font.scaled(0.75))
                page.add_line(page.text("letter", 18), label, y - 0.4 * em)
                start, base = cell.x0, y + 1.1 * em
            else:
                end = page.add_line(page.text("letter", 16) + " :", cell, y) + 0.3 * em
                if dotted:
                    page.draw_separator(".", replace(cell, x0=end), y)
                else:
                    page.draw_rule(end, y + 0.1 * em, cell.x1, y + 0.1 * em)
                start, base = max(end + CLEARANCE * answers.em, cell.x0 + 0.35 * cell.width), y
            if page.chance(0.7):
                place = replace(cell, font=answers, x0=start)
                text = page.text(page.choice(("letter", "codes")), 24)
                page.add_line(text, place, base + page.uniform(-0.12, 0.25) * em)
        y += (2.9 if boxed else page.uniform(1.5, 2.2)) * em
        if page.chance(0.12):
            y = page.add_paragraph(replace(body, font=font.scaled(0.85)), y, 3) + em


def _table(page: PageBuilder) -> None:
    body, em = page.body, page.body.font.em
    step = max(1.15, 1.2 * body.leading) * em
    y = page.add_heading(body.font.scaled(page.uniform(1, 1.6)), body, page.top) + 0.5 * em
    count = int(np.clip(body.width / (em * page.uniform(5.5, 10)), 2, 8))
    shares = page.rng.uniform(0.7, 1.3, count)  # of the page's width, for each column
    shares[page.integer(0, 1)] *= page.uniform(1.5, 3)
    edges = body.x0 + np.cumsum([0, *shares]) / shares.sum() * body.width
    contents = ("number", "number", "account", "account", "codes", "prose", "ledger")
    columns = ["prose", *(page.choice(contents) for _ in shares)]
    pad, top, ruled = (CLEARANCE / 2 + 0.05) * em, y - 1.2 * em, page.chance(0.35)
    last = int((page.bottom - y) / step)
    for row in range(last + 1):
        for content, x0, x1 in zip(columns, edges, edges[1:], strict=False):
            cell = replace(body, x0=x0 + pad, x1=x1 - pad, underline=row == last)
            text = page.text("ledger", 9) if row == 0 else _cell_text(page, content)
            page.add_line(text, cell, y, float(content in ("number", "account", "codes")))
        if ruled or row == 0:
            page.draw_rule(edges[0], y + 0.35 * step, edges[-1], y + 0.35 * step)
        y += step
    for x in edges if page.chance(0.5) else ():
        page.draw_rule(x, top, x, y - 0.6 * step)


def _cell_text(page: PageBuilder, content: str) -> str:
    if page.chance(0.1):
        return page.choice(TEXTS["empty_cell"])
    if content == "number":
        return f"{np.exp(page.uniform(0, 9)):,.{page.choice((0, 2))}f}"
    return page.choice(TEXTS["account"]) if content == "account" else page.text(content, 24)


def _title(page: PageBuilder) -> None:
    body, em, y = page.body, page.body.font.em, page.top
    fonts = (body.font, body.font, page.choose_font(FONTS["heading"], em))
    while y < page.bottom - 2 * em:
        font = page.choice(fonts).scaled(float(np.exp(page.uniform(-0.4, 1.4))))
        half = page.uniform(1, 8) * em
        y += 0.8 * font.em
        if page.chance(0.08):
            page.add_mark("ornament", body.middle - half, y - em, body.middle + half, y + 3 * em)
            y += 4 * em
        else:
            font = replace(font, tracking=page.uniform(0, 0.3) * font.em * page.chance(0.3))
            style = page.choice(("title", "capitals", "prose"))
            text = page.text(style, 1.3 * body.width / font.em)
            text = text.upper() if page.chance(0.7) else text
            page.add_line(text, replace(body, font=font), y, 0.5)
        y += page.uniform(0.5, 1.6) * max(em, 0.7 * font.em)


def _office(page: PageBuilder) -> None:
    body, em = page.body, page.body.font.em
    head = page.choose_font(FONTS["office"], em * page.uniform(1, 2.2))
    y = page.add_heading(head, body, page.top, page.choice((0, 0.5)), 2) + em
    for _ in range(page.integer(0, 4)):
        page.add_line(page.text("letter", 12) + ":", body, y)
        page.add_line(page.text("letter", 34), replace(body, x0=body.x0 + 10 * em), y)
        y += body.leading * em
    _running_text(page, replace(body, justify=page.chance(0.3)), y + em, page.bottom, 0.4)


def _index(page: PageBuilder) -> None:
    font, em = page.body.font, page.body.font.em
    _page_number(page)
    dot = page.choice(TEXTS["leader"]) if page.chance(0.6) else ""
    hanging = page.uniform(1, 3) * em
    count = page.integer(1, 2) if page.width > 32 * em else 1
    for column in page.columns(count, page.uniform(CLEARANCE, 3) * em):
        y = page.top
        while y < page.bottom:
            if page.chance(0.08):
                y = page.add_heading(font.scaled(page.uniform(0.9, 1.4)), column, y + 0.6 * em)
            elif dot:
                name, number = page.text("prose", page.integer(8, 30)), str(page.integer(1, 999))
                room = column.width - font.width(f"{name}  {number}")
                leaders = " ".join((dot * int(room / font.width(dot))).split())
                page.add_line(f"{name} {leaders} {number}", column, y)
                y += column.leading * em
            else:
                text = page.text(page.choice(("ledger", "prose", "prose")), page.integer(15, 150))
                y = page.add_paragraph(replace(column, indent=-hanging), y, 5, text)


def _card(page: PageBuilder) -> None:
    body = page.body
    y, align = page.top + page.uniform(0, 2) * body.font.em, page.choice((0, 0.5, 1))
    if page.chance(0.25):  # a single word or letter
        word = page.text("word", 12)[: page.integer(1, 12)]
        page.add_line(word, body, page.height * page.uniform(0.3, 0.7), 0.5)
        return
    for _ in range(page.integer(1, 6)):
        other = page.choose_font(FONTS["any"], body.font.em * page.uniform(0.8, 1.6))
        font = page.choice((body.font, body.font, other))
        style = page.choice(("letter", "title", "prose", "codes", "word", "receipt"))
        page.add_line(page.text(style, page.integer(4, 40)), replace(body, font=font), y, align)
        y += font.em * page.uniform(1.2, 2.2)


def _pictures(page: PageBuilder) -> None:
    for _ in range(page.integer(1, 4)):
        x0, y0 = page.uniform(0, 0.6) * page.width, page.uniform(0, 0.6) * page.height
        x1 = page.uniform(x0 + 0.2 * page.width, page.width)
        y1 = page.uniform(y0 + 0.15 * page.height, page.height)
        page.add_mark(page.choice(("picture", "picture", "ornament", "stamp")), x0, y0, x1, y1)


def _blank(page: PageBuilder) -> None:
    """An empty page."""


_FILL: dict[str, Callable[[PageBuilder], None]] = {
    "letter": _letter,
    "typescript": _typescript,
    "book": _book,
    "newspaper": _newspaper,
    "receipt": _receipt,
    "form": _form,
    "table": _table,
    "title": _title,
    "office": _office,
    "index": _index,
    "card": _card,
    "blank": _blank,
    "pictures": _pictures,
}


def _layout(kind: str, share: float, fonts: str, **ranges: Any) -> Layout:
    """The layout of a row of pages.toml."""
    return Layout(share, PageFormat(FONTS[fonts], **ranges), _FILL[kind])


LAYOUTS = {kind: _layout(kind, **row) for kind, row in _PAGES["kinds"].items()}
