from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ocrkit import search
from ocrkit.archive import search as search_module
from ocrkit.archive.catalogue import Catalogue, Content
from ocrkit.archive.search import LONGEST, parse
from ocrkit.archive.words import differ_by_one, normalised, tokens
from ocrkit.cli import app
from ocrkit.document import Box, Page
from ocrkit.errors import CatalogueError, QueryError
from tests.archive.helpers import page_of, scan

PAGES = {
    "mill": page_of("The old mill", "stands by the water"),
    "mills": page_of("Two mills and a mine"),
    "gibbon": page_of("In the ſecond century of the", "Chriſtian Æra, the Empire of Rome"),
    "divided": page_of("he was a wheel-", "wright of Bleſſington"),
    "misread": page_of("the windmlll of Müller"),
    "code": page_of("No. 4711, don't fold"),
}


def catalogue_of(folder: Path, pages: dict[str, Page]) -> Path:
    with Catalogue.open_for_run(folder) as catalogue:
        settings = catalogue.settings("")
        for name, page in pages.items():
            path = scan(folder / f"{name}.png")
            catalogue.add_files({path: (f"{name}.png", name)})
            (file,) = (file for file in catalogue.files() if file.path == path)
            content = Content.of(path)
            assert content
            catalogue.begin(file, content, settings, "")
            catalogue.set_count(file.id, 1)
            catalogue.add_page(file.id, page)
            catalogue.finish(file.id, catalogue.document(file.id))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return catalogue_of(tmp_path_factory.mktemp("out"), PAGES)


@pytest.mark.parametrize(
    ("query", "files"),
    [
        ("mill", {"mill"}),
        ("MILL", {"mill"}),
        ("mill*", {"mill", "mills"}),
        ("old mill", {"mill"}),
        ("mill old", {"mill"}),
        ("old mine", set()),
        ("mill water", {"mill"}),
        ('"old mill"', {"mill"}),
        ('"mill old"', set()),
        ('"mill stands"', {"mill"}),  # over the end of a line
        ("mill OR mine", {"mill", "mills"}),
        ("the -mill", {"gibbon", "misread"}),
        ("second", {"gibbon"}),
        ("ſecond", {"gibbon"}),
        ("christian", {"gibbon"}),
        ("aera", set()),
        ("Blessington", {"divided"}),
        ("wheelwright", {"divided"}),
        ("wheel", {"divided"}),
        ("wright", {"divided"}),
        ("*wright", {"divided"}),
        ("*ind*", {"misread"}),
        ("muller", {"misread"}),
        ("müller", {"misread"}),
        ("windmill", {"misread"}),  # one letter misread
        ("windmi", set()),
        ("watter", {"mill"}),  # one letter more
        ("wate", set()),  # a short word is not like others
        ("4711", {"code"}),
        ("don't", {"code"}),
        ("AND", {"mills"}),
        ("NEAR", set()),
    ],
)
def test_a_query_finds_these_pages(folder: Path, query: str, files: set[str]) -> None:
    assert {hit.file.removesuffix(".png") for hit in search(query, folder)} == files


def test_a_hit_says_where_the_words_are(folder: Path) -> None:
    (hit,) = search("water stands", folder)
    assert (hit.file, hit.page, hit.line) == ("mill.png", 1, 2)
    assert hit.snippet == "stands by the water"
    assert hit.box == Box(0, 30, 190, 50)
    assert [(word.line, word.text, word.box) for word in hit.words] == [
        (2, "stands", Box(0, 30, 60, 50)),
        (2, "water", Box(140, 30, 190, 50)),
    ]


def test_both_parts_of_a_divided_word_have_their_boxes(folder: Path) -> None:
    (hit,) = search("wheelwright", folder)
    assert [(word.line, word.text) for word in hit.words] == [(1, "wheel-"), (2, "wright")]
    assert (hit.line, hit.box) == (1, Box(90, 0, 150, 20))


def test_pages_with_the_word_itself_come_before_similar_words(tmp_path: Path) -> None:
    pages = {"a": page_of("windmlll windmlll"), "b": page_of("windmill"), "c": page_of("nothing")}
    hits = search("windmill", catalogue_of(tmp_path, pages))
    assert [hit.file for hit in hits] == ["b.png", "a.png"]
    assert hits[0].score >= hits[1].score


def test_no_more_hits_than_asked_for(tmp_path: Path) -> None:
    pages = {str(i): page_of("mill") for i in range(30)}
    assert len(search("mill", catalogue_of(tmp_path, pages))) == 20
    assert len(search("mill", tmp_path, limit=25)) == 25


def test_a_long_line_is_cut_around_the_word(tmp_path: Path) -> None:
    pages = {"a": page_of("before " * 50 + "mill" + " after" * 50)}
    (hit,) = search("mill", catalogue_of(tmp_path, pages))
    assert len(hit.snippet) < 200
    assert re.fullmatch(r"\.\.\..*before mill after.*\.\.\.", hit.snippet)


def test_a_page_that_was_read_again_is_found_by_its_new_words_only(tmp_path: Path) -> None:
    folder = catalogue_of(tmp_path, {"a": page_of("mill"), "b": page_of("mine")})
    with Catalogue.open_for_run(folder) as catalogue:
        catalogue.add_page(1, page_of("water"))
    assert search("mill", folder) == []
    assert [hit.file for hit in search("water", folder)] == ["a.png"]
    assert [hit.file for hit in search("mine", folder)] == ["b.png"]


def test_a_folder_can_be_searched_while_a_run_writes_into_it(tmp_path: Path) -> None:
    folder = catalogue_of(tmp_path, {"a": page_of("mill")})
    with Catalogue.open_for_run(folder) as catalogue:
        catalogue.add_page(1, page_of("water"))
        assert len(search("water", folder)) == 1


def test_a_page_that_is_replaced_during_a_search_is_shown_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = catalogue_of(tmp_path, {"a": page_of("mine"), "b": page_of("mill")})
    find = search_module._pages

    def then_replaced(*query: Any) -> Any:
        found = find(*query)
        with Catalogue.open_for_run(folder) as catalogue:
            catalogue.forget_pages(2)
            catalogue.add_page(1, page_of("water", number=2))  # in the row of the other
        return found

    with monkeypatch.context() as patch:
        patch.setattr(search_module, "_pages", then_replaced)
        (hit,) = search("mill", folder, limit=1)
    assert (hit.file, hit.snippet) == ("b.png", "mill")
    assert search("mill", folder) == []


@pytest.mark.parametrize(
    "query", ["", " ", '"', "-mill", "*", "**", "...", "OR", "-", '""', "*ab*"]
)
def test_a_query_without_a_word_is_one_line(folder: Path, query: str) -> None:
    result = CliRunner().invoke(app, ["search", "--", query, str(folder)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output


def test_a_query_that_is_too_long_is_refused() -> None:
    with pytest.raises(QueryError, match=f"{LONGEST} are allowed"):
        parse("x" * (LONGEST + 1))
    with pytest.raises(QueryError, match="60 words"):
        parse("x " * 60)


@given(st.text(max_size=60) | st.from_regex(r'[a-e"*()^:+\-{} ORANDNEAR]{0,40}', fullmatch=True))
def test_whatever_is_typed_is_searched_or_refused(folder: Path, query: str) -> None:
    try:
        hits = search(query, folder)
    except QueryError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(hits, list)


def test_a_folder_without_a_catalogue_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there is no catalogue"):
        search("mill", tmp_path)
    result = CliRunner().invoke(app, ["search", "mill", str(tmp_path)])
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1


def test_the_command_prints_a_line_for_each_page(folder: Path) -> None:
    result = CliRunner().invoke(app, ["search", "mill*", str(folder)])
    assert result.exit_code == 0
    assert sorted(result.stdout.splitlines()) == [
        "mill.png, page 1, line 1: The old mill",
        "mills.png, page 1, line 1: Two mills and a mine",
    ]
    assert CliRunner().invoke(app, ["search", "nowhere", str(folder)]).exit_code == 1


def test_the_command_prints_json_lines(folder: Path) -> None:
    result = CliRunner().invoke(app, ["search", "mill", str(folder), "--json"])
    (hit,) = map(json.loads, result.stdout.splitlines())
    assert (hit["file"], hit["page"], hit["line"]) == ("mill.png", 1, 1)
    assert hit["box"] == [80, 0, 120, 20]
    assert hit["words"] == [{"line": 1, "text": "mill", "box": [80, 0, 120, 20]}]
    assert hit["snippet"] == "The old mill" and hit["score"] > 0


# --- words


def test_spellings_that_are_searched_alike() -> None:
    assert normalised("Weiſſ") == normalised("WEISS") == normalised("weiß") == "weiss"
    assert normalised("École ﬁn") == "ecole fin"
    assert tokens("l'Académie, 4½ d.") == ["l", "academie", "41", "2", "d"]


@given(st.text())
def test_an_indexed_word_is_indexed_as_itself(text: str) -> None:
    for token in tokens(text):
        assert tokens(token) == [token]


@given(st.text("abc", min_size=1, max_size=8), st.data())
def test_one_changed_letter_is_noticed_and_two_are_too_many(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    assert not differ_by_one(word, word)
    for other in (
        word[:at] + "x" + word[at + 1 :],
        word[:at] + "x" + word[at:],
        word[:at] + word[at + 1 :],
    ):
        assert differ_by_one(word, other) and differ_by_one(other, word)
        assert not differ_by_one(word, f"{other}yz")


@settings(max_examples=30)
@given(st.text("abcdefgh", min_size=5, max_size=12), st.data())
def test_every_word_of_five_letters_is_found_with_one_misread(
    tmp_path_factory: pytest.TempPathFactory, word: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    misread = word[:at] + "x" + word[at + 1 :]
    folder = catalogue_of(tmp_path_factory.mktemp("out"), {"a": page_of(misread)})
    assert [hit.file for hit in search(word, folder)] == ["a.png"]
