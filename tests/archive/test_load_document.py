"""Documents are read back: the kit's own formats, and those of other programs."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocrkit import load_document, save
from ocrkit.archive.formats import FORMATS
from ocrkit.archive.formats.outlines import line_polygon
from ocrkit.archive.formats.placing import baseline
from ocrkit.document import Block, Box, Document, Line, Page, Word
from ocrkit.errors import DocumentError

from .mutations import damaged, outcomes

XML = ("alto", "page", "hocr")


def strip(*top: tuple[float, float], height: float = 20) -> tuple[tuple[float, float], ...]:
    return (*top, *((x, y + height) for x, y in top[::-1]))


WORDS = (Word("Anno", 0.9, Box(10, 10, 50, 31)), Word("1726.", 0.5, Box(60, 11, 110, 32)))
STRAIGHT = Line(strip((10, 10), (110, 12)), "Anno 1726.", 0.75, WORDS)
CURVED = Line(strip((10, 60), (60, 55), (110, 60)), "ſo far", 0.75)
DOWNWARDS = Line(((190, 10), (190, 90), (170, 90), (170, 10)), "margin", 0.75)
UPSIDE_DOWN = Line(((160, 60), (120, 60), (120, 40), (160, 40)), "head", 0.75)
DOCUMENT = Document(
    "scans/a.png",
    (Page(200, 100, (STRAIGHT, CURVED, DOWNWARDS, UPSIDE_DOWN), 1, {}, 150.0),),
    "ocrkit 0.2.0, own",
)


def close(a: object, b: object, pixels: float = 1.0) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.abs(np.subtract(a, b)).max() <= pixels)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", XML)
def test_what_was_written_comes_back_to_the_pixel(name: str, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    Image.new("L", (200, 100)).save(scan := tmp_path / "scans" / "a.png")
    document = replace(DOCUMENT, source=str(scan))
    back = load_document(save(document, tmp_path / f"out/a{FORMATS[name].suffix}"))
    assert Path(back.source) == scan
    assert back.reader == DOCUMENT.reader
    assert back.text == DOCUMENT.text
    (page,) = back.pages
    assert (page.width, page.height, page.number) == (200, 100, 1)
    assert page.dpi == (None if name == "alto" else 150)
    for read, line in zip(page.lines, DOCUMENT.pages[0].lines, strict=True):
        assert close(read.polygon, line.polygon)
        assert read.confidence == pytest.approx(line.confidence, abs=0.06)
    assert [word.text for word in page.lines[0].words] == ["Anno", "1726."]
    assert page.lines[0].words[1].confidence == pytest.approx(0.5)
    assert close([page.lines[0].words[1].box.x0], [60])


CELLS = tuple(
    Line(strip((60.0 * c, 30.0 * r), (60.0 * c + 50, 30.0 * r)), text, 0.75)
    for r, row in enumerate(("Qty £", "14 2"))
    for c, text in enumerate(row.split())
)
BLOCKS = Page(
    200,
    100,
    (
        *CELLS,
        Line(strip((5, 70), (50, 70)), "Total", 0.75),
        Line(strip((180, 5), (195, 5)), "7", 1),
    ),
    blocks=(
        Block("page number", (((5,),),)),
        Block("table", (((0,), (1,)), ((2,), ()), ((3,), (4,)))),
    ),
)


@pytest.mark.parametrize("name", XML)
def test_blocks_come_back_and_in_page_tables_too(name: str, tmp_path: Path) -> None:
    document = Document("a.png", (BLOCKS,))
    (page,) = load_document(save(document, tmp_path / f"a{FORMATS[name].suffix}")).pages
    assert page.text.split() == document.text.split() == ["7", "Qty", "£", "14", "2", "Total"]
    if name == "page":
        assert page.tables == BLOCKS.tables == ((("Qty", "£"), ("14", ""), ("2", "Total")),)
        assert page.text == BLOCKS.text
    if name != "hocr":
        assert page.blocks[0].kind == "page number"


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    assert load_document(save(DOCUMENT, tmp_path / "a.json")) == DOCUMENT


@pytest.mark.parametrize("name", XML)
def test_a_page_keeps_its_number_in_the_image_file(name: str, tmp_path: Path) -> None:
    third = replace(DOCUMENT, pages=(replace(DOCUMENT.pages[0], number=3),))
    (page,) = load_document(save(third, tmp_path / f"a{FORMATS[name].suffix}")).pages
    assert page.number == 3


# --- files of other programs, written here after their public formats


def loaded(tmp_path: Path, text: str, name: str = "a.xml") -> Document:
    (tmp_path / name).write_text(text, "utf-8")
    return load_document(tmp_path / name)


TESSERACT_ALTO = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v3#">
 <Description>
  <MeasurementUnit>pixel</MeasurementUnit>
  <sourceImageInformation><fileName>/scans/a.png</fileName></sourceImageInformation>
  <OCRProcessing ID="OCR_0"><ocrProcessingStep><processingSoftware>
   <softwareName>tesseract 5.3.0</softwareName>
  </processingSoftware></ocrProcessingStep></OCRProcessing>
 </Description>
 <Layout><Page WIDTH="400" HEIGHT="300" PHYSICAL_IMG_NR="0" ID="page_0">
  <PrintSpace HPOS="0" VPOS="0" WIDTH="400" HEIGHT="300">
   <ComposedBlock ID="c"><TextBlock ID="b">
    <TextLine ID="l" HPOS="10" VPOS="20" WIDTH="110" HEIGHT="24">
     <String HPOS="10" VPOS="20" WIDTH="50" HEIGHT="24" WC="0.91" CONTENT="Anno"/>
     <SP WIDTH="5" VPOS="20" HPOS="60"/>
     <String HPOS="65" VPOS="20" WIDTH="55" HEIGHT="24" WC="0.89" CONTENT="dom-"/>
     <HYP CONTENT="-"/>
    </TextLine>
   </TextBlock></ComposedBlock>
  </PrintSpace>
 </Page></Layout>
</alto>"""


def test_alto_of_tesseract_has_boxes_in_composed_blocks(tmp_path: Path) -> None:
    document = loaded(tmp_path, TESSERACT_ALTO.replace('"dom-"', '"dom"'))
    (page,) = document.pages
    assert document.reader == "tesseract 5.3.0"
    assert (page.width, page.height, page.number) == (400, 300, 1)
    (line,) = page.lines
    assert line.text == "Anno dom-"
    assert line.polygon == ((10, 20), (120, 20), (120, 44), (10, 44))
    assert line.confidence == pytest.approx(0.90)


KRAKEN_ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
 <Description><MeasurementUnit>pixel</MeasurementUnit>
  <sourceImageInformation><fileName>a.png</fileName></sourceImageInformation></Description>
 <Layout><Page WIDTH="400" HEIGHT="300" PHYSICAL_IMG_NR="12" ID="p">
  <PrintSpace><TextBlock ID="b">
   <TextLine ID="l" BASELINE="20 40 120 44 220 40">
    <Shape><Polygon POINTS="10 45 60 52 120 54 230 50 228 24 120 26 60 22 12 20"/></Shape>
    <String CONTENT="Hæc ſunt"/>
   </TextLine>
   <TextLine ID="m" BASELINE="20 80 220 80"><String CONTENT="a line without an outline"/></TextLine>
   <TextLine ID="n"><String CONTENT="nowhere"/></TextLine>
  </TextBlock></PrintSpace>
 </Page></Layout>
</alto>"""


def test_alto_of_kraken_has_baselines_and_outlines_of_many_points(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"a\.xml: 1 of 3 lines have no place and are left out"):
        (page,) = loaded(tmp_path, KRAKEN_ALTO).pages
    assert page.number == 1  # the file a.png has one page, whatever number the project gave it
    first, second = page.lines
    assert first.text == "Hæc ſunt"
    assert first.words == ()
    assert first.confidence == 1
    top, bottom = first.polygon[:3], first.polygon[3:][::-1]
    assert [x for x, _ in top] == pytest.approx([11, 120, 230], abs=3)
    assert top[1][1] == pytest.approx(26, abs=1)
    assert bottom[1][1] == pytest.approx(54, abs=1)
    # 25 characters on 200 px are 8 px each, so an em is 16 px and a line 19.2.
    assert second.box.height == pytest.approx(19.2, abs=0.1)
    assert second.box.x0 == 20
    assert baseline(second)[0] == pytest.approx((20, 80), abs=0.1)


@pytest.mark.parametrize(("unit", "dots"), [("mm10", 254), ("inch1200", 1200)])
def test_alto_in_units_of_length_is_scaled_to_its_image(tmp_path, unit, dots) -> None:
    text = TESSERACT_ALTO.replace("pixel", unit).replace("/scans/a.png", "b.png")
    (page,) = loaded(tmp_path, text).pages
    assert page.width == round(400 / dots * 300)  # without the image: 300 dpi
    Image.new("L", (800, 600)).save(tmp_path / "b.png")
    (page,) = loaded(tmp_path, text).pages
    assert (page.width, page.height) == (800, 600)
    assert page.lines[0].polygon[2] == (240, 88)


TRANSKRIBUS_PAGE = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15">
 <Metadata><Creator>Transkribus</Creator><Created>2020-09-13T11:47:58.199+07:00</Created>
  <LastChange>2021-09-23T12:35:22.487+02:00</LastChange>
  <TranskribusMetadata docId="1" pageId="2" pageNr="34" status="GT"/></Metadata>
 <Page imageFilename="0034.png" imageWidth="400" imageHeight="300">
  <ReadingOrder><OrderedGroup id="ro">
   <RegionRefIndexed index="1" regionRef="r1"/>
   <OrderedGroupIndexed id="g" index="0"><RegionRefIndexed index="0" regionRef="r2"/>
   </OrderedGroupIndexed>
  </OrderedGroup></ReadingOrder>
  <TextRegion id="r0"><Coords points="0,0 9,0 9,9 0,9"/>
   <TextLine id="l0"><Coords points="1,1 8,1 8,8 1,8"/>
    <TextEquiv><Unicode>last</Unicode></TextEquiv></TextLine></TextRegion>
  <TextRegion id="r1" custom="readingOrder {index:1;}"><Coords points="9,9 390,9 390,90 9,90"/>
   <TextLine id="l2" custom="readingOrder {index:1;} structure {type:x;}">
    <Coords points="10,60 10,80 200,80 200,60"/><Baseline points="10,75 200,75"/>
    <TextEquiv index="1"><Unicode>not this</Unicode></TextEquiv>
    <TextEquiv index="0" conf="0.5"><Unicode>third</Unicode></TextEquiv></TextLine>
   <TextLine id="l1" custom="readingOrder {index:0;}">
    <Coords points="10,20 10,40 200,40 200,20"/><Baseline points="10,35 200,35"/>
    <TextEquiv><PlainText>second</PlainText><Unicode></Unicode></TextEquiv></TextLine>
  </TextRegion>
  <TableRegion id="r2"><Coords points="9,200 390,200 390,290 9,290"/>
   <TextRegion id="c"><Coords points="9,200 99,200 99,290 9,290"/>
    <TextLine id="l3"><Baseline points="10,240 90,240"/>
     <Word id="w"><Coords points="10,220 90,220 90,245 10,245"/>
      <TextEquiv><Unicode>first</Unicode></TextEquiv></Word></TextLine></TextRegion></TableRegion>
 </Page>
</PcGts>"""


def test_page_of_transkribus_is_in_its_reading_order(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    Image.new("L", (400, 300)).save(tmp_path / "0034.png")
    document = loaded(tmp_path / "page", TRANSKRIBUS_PAGE)
    assert document.text == "first\nsecond\nthird\nlast"
    assert document.reader == "Transkribus"
    assert Path(document.source) == tmp_path / "0034.png"  # exports have it in the folder above
    third = document.pages[0].lines[2]
    assert third.confidence == 0.5
    assert third.polygon == ((10, 60), (200, 60), (200, 80), (10, 80))
    assert [word.text for word in document.pages[0].lines[0].words] == ["first"]


def test_page_before_2013_has_an_element_for_each_point(tmp_path: Path) -> None:
    text = TRANSKRIBUS_PAGE.replace("2013-07-15", "2010-03-19").replace(
        '<Coords points="1,1 8,1 8,8 1,8"/>',
        '<Coords><Point x="1" y="1"/><Point x="8" y="1"/><Point x="8" y="8"/>'
        '<Point x="1" y="8"/></Coords>',
    )
    assert loaded(tmp_path, text).pages[0].lines[3].polygon == ((1, 1), (8, 1), (8, 8), (1, 8))


TESSERACT_HOCR = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head><meta name='ocr-system' content='tesseract 5.3.0' /></head>
 <body>
  <div class='ocr_page' title='image "my; scan.png"; bbox 0 0 400 300; ppageno 0; scan_res 70 70'>
   <div class='ocr_carea'><p class='ocr_par'>
    <span class='ocr_line' title="bbox 10 20 120 44; baseline 0.01 -5; x_size 24">
     <span class='ocrx_word' title='bbox 10 20 60 44; x_wconf 91'><strong>Anno</strong></span>
     <span class='ocrx_word' title='bbox 65 20 120 44; x_wconf 89'>1726</span>
    </span>
    <span class='ocr_caption' title="bbox 200 20 224 120; textangle 90">
     <span class='ocrx_word' title='bbox 200 20 224 120; x_wconf 95'>upwards</span></span>
   </p></div>
  </div>
  <div class='ocr_page' title='image "b.png"; bbox 0 0 50 60; ppageno 1'></div>
 </body>
</html>"""


def test_hocr_of_tesseract_has_pages_lines_and_words(tmp_path: Path) -> None:
    document = loaded(tmp_path, TESSERACT_HOCR, "a.html")
    first, second = document.pages
    assert document.source == str(tmp_path / "my; scan.png")
    assert document.reader == "tesseract 5.3.0"
    assert (first.width, first.height, first.dpi, first.number) == (400, 300, 70, 1)
    assert (second.width, second.height, second.number, second.lines) == (50, 60, 2, ())
    assert first.text == "Anno 1726\nupwards"
    assert first.lines[0].confidence == pytest.approx(0.90)
    assert [word.box.x0 for word in first.lines[0].words] == [10, 65]
    assert first.lines[1].polygon == ((200, 120), (200, 20), (224, 20), (224, 120))


def test_html_that_is_not_well_formed_is_read_too(tmp_path: Path) -> None:
    text = "<html><body><div class=ocr_page title='bbox 0 0 9 9'>" + (
        "<span class=ocr_line title='bbox 1 1 8 8'>caf\N{LATIN SMALL LETTER E WITH ACUTE} <br>"
    )
    assert loaded(tmp_path, text).text == "café"


# --- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither JSON, ALTO, PAGE nor hOCR"),
        ("Anno 1726", "neither JSON, ALTO, PAGE nor hOCR"),
        ("{", "Expecting property name"),
        ("[]", "the document must be an object"),
        ("<alto>", "not well-formed"),
        ("<svg/>", "its root is 'svg'"),
        ("<PcGts/>", "has no Page"),
        ("<html><p>Anno</p></html>", "no element of class ocr_page"),
        (KRAKEN_ALTO.replace("20 80 220", "20 nowhere 220"), "'nowhere' is not a number"),
        (KRAKEN_ALTO.replace("20 80 220", "20 1e300 220"), "'1e300' is not a number"),
        (KRAKEN_ALTO.replace("20 80 220 80", "20 80 220"), "is not a list of points"),
        ('{"source": "a", "pages": [{}]}', r"pages[0].lines is missing"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DocumentError) as raised:
        loaded(tmp_path, text)
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'a.xml'}: ")
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(DocumentError, match="no such file"):
            load_document(path)


ENTITIES = "".join(f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in pairwise("abcdefgh"))
BOMB = (
    f'<!DOCTYPE alto [<!ENTITY a "aaaaaaaaaa"> {ENTITIES}]><alto><Layout><Page><TextLine>'
    '<String CONTENT="&h;"/></TextLine></Page></Layout></alto>'
)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(DocumentError):
        loaded(tmp_path, BOMB)
    outside = (
        f'<!DOCTYPE alto [<!ENTITY x SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
        "<alto><Description><sourceImageInformation><fileName>&x;</fileName>"
        "</sourceImageInformation></Description></alto>"
    )
    with pytest.raises(DocumentError, match="entity"):
        loaded(tmp_path, outside)


# --- outlines

numbers = st.integers(0, 400).map(float)
outlines = st.lists(st.tuples(numbers, numbers), max_size=12)


@given(outlines, outlines)
def test_any_outline_and_baseline_give_a_polygon_of_finite_points_or_none(outline, base) -> None:
    polygon = line_polygon(outline, base, "text")
    if polygon is None:
        assert not outline and len(set(base)) < 2
        return
    assert len(polygon) >= 4
    assert len(polygon) % 2 == 0
    assert np.isfinite(polygon).all()


@given(st.integers(0, 3), st.booleans())
def test_a_rectangle_begins_at_the_top_left_whatever_corner_is_named_first(start, reverse) -> None:
    corners = [(10.0, 20.0), (90.0, 22.0), (90.0, 42.0), (10.0, 40.0)]
    named = corners[start:] + corners[:start]
    assert line_polygon(named[::-1] if reverse else named) == tuple(corners)


@given(st.floats(0, 6.28), st.integers(2, 6))
def test_a_polygon_of_the_kit_is_not_changed_by_its_baseline(angle: float, count: int) -> None:
    along, down = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    top = 500 + np.linspace(0, 300, count)[:, None] * along
    polygon = tuple(map(tuple, np.concatenate([top, (top + 30 * down)[::-1]]).round(1).tolist()))
    line = Line(polygon, "a", 1.0)
    assert line_polygon(polygon, baseline(line)) == polygon


# --- damage


@pytest.mark.filterwarnings("ignore:.*have no place")
@pytest.mark.parametrize("name", ["json", *XML])
def test_damaged_files_are_read_or_refused_by_the_kits_own_error(name: str, tmp_path: Path) -> None:
    found = outcomes(name, 200, tmp_path)
    assert found["read"] > 5
    assert found["refused"] > 5


def test_the_damage_is_the_same_every_time() -> None:
    data = TESSERACT_ALTO.encode()
    assert damaged(data, random.Random(3)) == damaged(data, random.Random(3)) != data
