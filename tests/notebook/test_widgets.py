from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from ocrkit import read_document
from ocrkit.archive.formats import FORMATS
from ocrkit.detection.network import LineNet
from ocrkit.document import Document
from ocrkit.errors import ImageError, MissingPartError
from ocrkit.image import load_pages

pytest.importorskip("ipywidgets")
from ocrkit.notebook import widgets  # noqa: E402

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
OWN = ["ocrkit-fast-int8", "ocrkit-fast", "ocrkit-hand-int8", "ocrkit-hand"]


@pytest.fixture
def reader(tmp_path: Path) -> widgets.Reader:
    reader = widgets.Reader(SAMPLES, tmp_path)
    choose(reader, "form.png")
    return reader


def choose(reader: widgets.Reader, name: str) -> None:
    reader.source.value = dict(reader.source.options)[name]


def upload(reader: widgets.Reader, name: str, data: bytes) -> None:
    """Upload as the browser does: the bytes arrive as a memoryview."""
    file = {"name": name, "type": "", "size": len(data), "last_modified": datetime.now()}
    reader.upload.value = (file | {"content": memoryview(data)},)


def downloads(reader: widgets.Reader) -> dict[str, bytes]:
    links = re.findall(r'download="([^"]+)" href="data:[^,]+;base64,([^"]+)"', reader.links.value)
    return {unquote(name): base64.b64decode(data) for name, data in links}


def test_a_selected_sample_is_shown_before_it_is_read(reader: widgets.Reader) -> None:
    assert "Press Read" in reader.status.value
    assert "<img" in reader.view.picture.value
    assert reader.view.lines.options == ()
    assert downloads(reader) == {}


def test_the_widget_reads_the_same_as_read_document(reader: widgets.Reader) -> None:
    reader.button.click()
    plain = read_document(SAMPLES / "form.png")
    lines = plain.pages[0].lines
    assert [text.split("  ", 1)[1] for text, _ in reader.view.lines.options] == [
        line.text for line in lines
    ]
    assert len(reader.view.page.children) == 1 + len(lines)
    assert f"form.png: {len(lines)} lines" in reader.status.value
    assert downloads(reader)["form.txt"].decode() == f"{plain.text}\n"
    document = Document.from_dict(json.loads(downloads(reader)["form.json"]))
    assert document.source == "form.png"
    assert document.pages == plain.pages


def test_only_backends_that_can_run_the_chosen_weights_are_offered(
    reader: widgets.Reader, tmp_path: Path
) -> None:
    assert reader.backend.options == ("openvino",)  # of the INT8 weights
    reader.recognizer.value = "ocrkit-fast"
    assert reader.backend.value == "pytorch" and "ipex" in reader.backend.options
    reader.backend.value = "openvino"
    reader.button.click()
    assert reader.document is not None
    assert reader.document.reader.endswith("ocrkit-fast, openvino")
    Path(tmp_path, "crnn-inc.pt2").touch()
    again = widgets.Reader(SAMPLES, tmp_path)
    again.recognizer.value = dict(again.recognizer.options)["crnn-inc.pt2"]
    assert again.backend.options == ("pytorch", "inductor")


def test_every_control_has_a_label_and_every_picture_a_text(reader: widgets.Reader) -> None:
    reader.button.click()
    for control in (
        reader.source,
        reader.upload,
        reader.detector,
        reader.recognizer,
        reader.number,
    ):
        assert control.description
    assert reader.button.description and reader.view.lines.description
    assert all(box.tooltip for box in reader.view.page.children[1:])
    reader.view.lines.value = 0
    assert 'alt="' in reader.view.picture.value and 'alt="' in reader.view.line.value


def test_a_line_is_selected_on_the_page_or_in_the_list(reader: widgets.Reader) -> None:
    reader.button.click()
    view, boxes = reader.view, reader.view.page.children[1:]
    boxes[2].click()
    assert view.lines.value == 2
    assert "Line 3 of" in view.line.value and "<img" in view.line.value
    assert [i for i, box in enumerate(boxes) if "ocrkit-selected" in box._dom_classes] == [2]
    view.lines.value = 1
    assert "Line 2 of" in view.line.value
    assert [i for i, box in enumerate(boxes) if "ocrkit-selected" in box._dom_classes] == [1]


def test_boxes_are_where_the_lines_are(reader: widgets.Reader) -> None:
    reader.button.click()
    (page,) = reader.document.pages
    line, layout = page.lines[0], reader.view.page.children[1].layout
    assert float(layout.left[:-1]) == pytest.approx(100 * line.box.x0 / page.width, abs=0.01)
    assert float(layout.height[:-1]) == pytest.approx(100 * line.box.height / page.height, abs=0.01)


def test_an_upload_is_selected_shown_and_read(reader: widgets.Reader) -> None:
    upload(reader, "mine.png", (SAMPLES / "form.png").read_bytes())
    assert reader.source.label == "mine.png (uploaded)"
    reader.button.click()
    assert "mine.png:" in reader.status.value
    assert set(downloads(reader)) == {f"mine{kind.suffix}" for kind in FORMATS.values()}
    assert b"/" not in json.loads(downloads(reader)["mine.json"])["source"].encode()
    upload(reader, "mine.png", (SAMPLES / "form.png").read_bytes())  # the same again
    assert "Press Read" in reader.status.value


@pytest.mark.parametrize("data", [b"", b"no image", (SAMPLES / "form.png").read_bytes()[:3000]])
def test_a_broken_upload_is_answered_and_changes_nothing_else(
    reader: widgets.Reader, data: bytes, tmp_path: Path
) -> None:
    reader.button.click()
    before = reader.source.options, reader.source.value, reader.view.lines.options, reader.document
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(ImageError) as error:
        list(load_pages(tmp_path / "bad.png"))
    upload(reader, "bad.png", data)
    assert str(error.value).replace(f"{tmp_path}/", "") in reader.status.value
    assert 'role="alert"' in reader.status.value and not reader.button.disabled
    after = reader.source.options, reader.source.value, reader.view.lines.options, reader.document
    assert after == before and downloads(reader)
    choose(reader, "receipt.png")
    assert "alert" not in reader.status.value


@pytest.mark.parametrize("name", ["", "..", ".", "/", "a/..", "a\\..", " ", "a\0.png", "x" * 300])
def test_an_upload_with_an_impossible_name_is_answered(reader: widgets.Reader, name: str) -> None:
    before = reader.source.options
    upload(reader, name, (SAMPLES / "form.png").read_bytes())
    assert 'role="alert"' in reader.status.value
    assert reader.source.options == before
    assert str(Path(reader._uploads.name)) not in reader.status.value


def test_an_upload_that_the_browser_refused_is_answered(reader: widgets.Reader) -> None:
    refused = {"name": "<large>.tif", "size": 12_345_678, "time": 1}
    for refused["time"] in (1, 2):  # the same file a second time
        reader._refused.value = json.dumps(refused)
        assert "&lt;large&gt;.tif has 12.3 MB; Jupyter uploads up to 10 MB" in reader.status.value
        choose(reader, "receipt.png" if refused["time"] == 1 else "form.png")
        assert "alert" not in reader.status.value


@pytest.mark.parametrize(("part", "other"), [("detector", "craft"), ("recognizer", "ocrkit-fast")])
def test_another_reader_clears_what_the_old_one_read(
    reader: widgets.Reader, part: str, other: str
) -> None:
    reader.button.click()
    assert downloads(reader)
    getattr(reader, part).value = other
    assert reader.document is None and downloads(reader) == {}
    assert reader.view.lines.options == () and "Press Read" in reader.status.value
    assert reader.source.label == "form.png"


def test_an_upload_cannot_leave_its_folder(reader: widgets.Reader) -> None:
    upload(reader, "../../mine.png", (SAMPLES / "form.png").read_bytes())
    assert reader.source.value.is_relative_to(reader._uploads.name)


def test_names_and_texts_are_escaped(reader: widgets.Reader) -> None:
    upload(reader, "<b>.png", b"")
    assert "&lt;b&gt;.png" in reader.status.value and "<b>" not in reader.status.value


def test_a_missing_part_is_named(reader: widgets.Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise MissingPartError(f"the weights of {name} are not here; fetch them")

    monkeypatch.setattr("ocrkit.pipeline._detector", load)
    reader.detector.value = "craft"
    reader.button.click()
    assert "the weights of craft are not here; fetch them" in reader.status.value
    assert reader.button.description == "Read" and not reader.button.disabled


def test_an_unexpected_error_is_shown_too(
    reader: widgets.Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **settings: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(widgets, "read_document", fail)
    reader.button.click()
    assert "RuntimeError: no memory" in reader.status.value


def test_the_button_is_disabled_while_a_page_is_read(
    reader: widgets.Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def read(*arguments: object, **settings: object) -> Document:
        seen.append((reader.button.disabled, reader.button.description, reader.status.value))
        return read_document(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(widgets, "read_document", read)
    reader.button.click()
    ((disabled, description, status),) = seen
    assert disabled and "Reading" in description and "Reading form.png" in status
    assert not reader.button.disabled and reader.button.description == "Read"


def test_weights_below_the_output_folder_are_recognisers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/model.safetensors", "int8.xml", "int8.bin", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    reader = widgets.Reader(SAMPLES, tmp_path)
    names = [name for name, _ in reader.recognizer.options]
    assert names == [*OWN, "a/model.safetensors", "int8.xml"]
    reader.recognizer.value = tmp_path / "int8.xml"
    reader.button.click()
    assert 'role="alert"' in reader.status.value and "int8.xml" in reader.status.value


def test_detectors_are_not_listed_as_recognisers(tmp_path: Path) -> None:
    LineNet((8, 8, 8, 8)).save(tmp_path / "detector.safetensors")
    reader = widgets.Reader(SAMPLES, tmp_path)
    assert [name for name, _ in reader.recognizer.options] == OWN


def test_a_folder_without_images_waits_for_an_upload(tmp_path: Path) -> None:
    reader = widgets.Reader(tmp_path, tmp_path)
    assert "upload one" in reader.status.value and reader.button.disabled
    upload(reader, "mine.png", (SAMPLES / "form.png").read_bytes())
    assert "Press Read" in reader.status.value and not reader.button.disabled
    assert "<img" in reader.view.picture.value


def test_the_pages_of_a_tiff_can_be_selected(reader: widgets.Reader, tmp_path: Path) -> None:
    blank = Image.new("L", (300, 200), 255)
    form = Image.fromarray(next(load_pages(SAMPLES / "form.png")))
    form.save(tmp_path / "two.tif", save_all=True, append_images=[blank])
    upload(reader, "two.tif", (tmp_path / "two.tif").read_bytes())
    assert reader.number.layout.display == "none"
    reader.button.click()
    assert reader.number.options == (1, 2) and reader.number.layout.display is None
    first = reader.view.lines.options
    reader.number.value = 2
    assert first and reader.view.lines.options == () and reader.view.line.value == ""
    choose(reader, "form.png")
    assert reader.number.layout.display == "none" and reader.number.value == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nowhere"):
        widgets.Reader(tmp_path / "nowhere")


def test_a_new_page_closes_the_boxes_of_the_old_one(reader: widgets.Reader) -> None:
    reader.button.click()
    boxes = reader.view.page.children[1:]
    reader.view.show(np.full((50, 50), 255, np.uint8))
    assert boxes and all(box.comm is None for box in boxes)
