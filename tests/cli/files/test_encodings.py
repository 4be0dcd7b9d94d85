"""The encoding of a text is detected where it is certain; otherwise one message names the option."""

import codecs
from pathlib import Path

import pytest

from cli.events.files.encodings import _COMMON, _NO_LETTER, NOT_TEXT
from tests.cli.files.reading import read
from tests.cli.files.test_csv import NAMES, TEXT

NDJSON = '{"event_id": "1", "name": "Jürgen"}\n{"event_id": "2", "name": "日本 😀"}\n'


@pytest.mark.parametrize(
    ("mark", "encoding", "layout"),
    [
        (b"", "utf-8", ""),
        (codecs.BOM_UTF8, "utf-8", ""),
        (codecs.BOM_UTF16_LE, "utf-16-le", ", in UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", ", in UTF-16"),
        (codecs.BOM_UTF32_LE, "utf-32-le", ", in UTF-32"),
        (b"", "cp1252", ", in cp1252"),
    ],
)
def test_detected(tmp_path: Path, mark: bytes, encoding: str, layout: str) -> None:
    outcome = read(tmp_path / "events.csv", mark + TEXT.encode(encoding))
    assert [fields["name"] for fields in outcome.fields] == NAMES
    assert outcome.columns[0] == "event_id"
    assert outcome.layout == f"CSV separated by commas{layout}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_in_unicode(tmp_path: Path, encoding: str) -> None:
    outcome = read(tmp_path / "events.ndjson", NDJSON.encode(encoding))
    assert [fields["name"] for fields in outcome.fields] == ["Jürgen", "日本 😀"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "shift_jis"])
@pytest.mark.parametrize("offset", range(4))
def test_a_character_may_be_anywhere(tmp_path: Path, encoding: str, offset: int) -> None:
    letters = ("日本ｱ" if encoding == "shift_jis" else "日本a😀") * 40
    content = "id\n" + "x" * offset + "\n" + f"{letters}\n" * 3_000
    outcome = read(tmp_path / "events.csv", content.encode(encoding), None if encoding != "shift_jis" else encoding)
    assert len(outcome.fields) == 3_000 + (offset > 0)
    assert {fields["id"] for fields in outcome.fields} == {letters, "x" * offset} - {""}


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Hélène", "cp1252"),  # è is č in cp1250
        ("Dvořák", "cp1250"),
        ("Łukasz", "cp1250"),
        ("O’Brien", "cp1252"),  # the apostrophe is í in Mac Roman
        ("Björn", "mac-roman"),
        ("Müller", "cp850"),
        ("Пётр", "cp1251"),
        ("Γιώργος", "cp1253"),
        ("山田", "shift_jis"),
        ("张伟", "gbk"),
        ("Ayşe", "cp1254"),
    ],
)
def test_what_is_not_certain_is_asked_for_and_read_when_it_is_named(tmp_path: Path, name: str, encoding: str) -> None:
    content = f"event_id,name\n1,Anna\n2,{name} Smith\n".encode(encoding)
    refused = read(tmp_path / "events.csv", content)
    assert refused.records == []
    assert (
        "events.csv: the text is not UTF-8, and its encoding is not certain: as cp1252, line 3 has “" in refused.error
    )
    assert "add --encoding cp1252, else --encoding with the encoding of the program" in refused.error
    outcome = read(tmp_path / "events.csv", content, encoding)
    assert [fields["name"] for fields in outcome.fields] == ["Anna", f"{name} Smith"]
    assert outcome.layout == f"CSV separated by commas, in {encoding}"


def test_the_documentation_lists_the_letters_that_are_certain() -> None:
    letters = "".join(letter for letter in _COMMON if letter > "\x7f" and letter != _NO_LETTER)
    assert f"among {letters}," in (Path(__file__).parents[3] / "docs/files.md").read_text()


def test_the_message_shows_what_the_text_would_be(tmp_path: Path) -> None:
    assert "line 2 has “Hélène”; if that is right" in read(tmp_path / "a.csv", "id\nHélène\n".encode("cp1252")).error


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_asked_for(tmp_path: Path, encoding: str) -> None:
    content = TEXT.encode(encoding)
    assert f"without a byte order mark: add --encoding {encoding}" in read(tmp_path / "a.csv", content).error
    assert [fields["name"] for fields in read(tmp_path / "a.csv", content, encoding).fields] == NAMES


def test_a_line_that_is_not_utf_8_does_not_affect_others(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", "id,name\n1,Jürgen\n2,".encode() + b"\xff\n3,x\n")
    assert outcome.flaws == {3: NOT_TEXT}
    assert "--encoding" in NOT_TEXT
    assert [record.number for record in outcome.records] == [2, 3, 4]
    outcome = read(tmp_path / "events.ndjson", b'{"id": 1}\n{"id": "\xff"}\n{"id": 3}\n')
    assert outcome.flaws == {2: NOT_TEXT}
    assert len(outcome.records) == 3


def test_a_line_of_zeros_as_a_crash_leaves_it_does_not_affect_others(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.ndjson", b'{"id": 1}\n' * 100 + b"\0" * 10 + b'\n{"id": 3}\n')
    assert outcome.flaws == {101: "is not JSON: Expecting value at character 1"}
    assert len(outcome.records) == 102


def test_a_letter_that_is_not_certain_is_a_flaw_if_it_comes_late(tmp_path: Path) -> None:
    content = ("id,name\n" + "1,Jürgen\n" * 50_000 + "2,Hélène\n3,Anna\n").encode("cp1252")
    assert len(content) > 256 * 1024
    outcome = read(tmp_path / "events.csv", content)
    assert outcome.flaws == {50_002: NOT_TEXT}
    assert outcome.records[-1].fields == {"id": "3", "name": "Anna"}
    assert (outcome.records[0].fields or {})["name"] == "Jürgen"
    assert read(tmp_path / "events.csv", content, "cp1252").flaws == {}


def test_an_encoding_that_does_not_exist(tmp_path: Path) -> None:
    for encoding in ("latin-9000", "base64"):
        assert (
            f"'{encoding}' is not a known encoding: try cp1252" in read(tmp_path / "a.csv", b"id\n1\n", encoding).error
        )


def test_another_encoding_than_the_one_that_is_named(tmp_path: Path) -> None:
    outcome = read(tmp_path / "a.csv", b"id\n1\n", "utf-16")
    assert outcome.error.endswith("is not in the encoding of the file (UTF-16 stream does not start with BOM)")


def test_utf_16_that_ends_early_is_an_error_after_its_last_line(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", ("id,name\n" + "1,Jürgen\n" * 100_000).encode("utf-16")[:-1])
    assert len(outcome.read) > 90_000
    assert outcome.damage == "the text is not in the encoding of the file (truncated data)"
