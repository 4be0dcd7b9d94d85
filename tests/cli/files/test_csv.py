"""CSV is read as spreadsheets and databases write it."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.events.files.csv_layout import csv_layout
from cli.events.files.csv_rows import csv_rows
from cli.events.files.records import MAX_RECORD
from tests.cli.files.reading import read

TEXT = """event_id,lead_id,event_type,timestamp,name\r
e-1,jo,demo_request,2026-11-26T09:00:00Z,Jürgen Müller\r
e-2,jo,page_view,2026-11-26T09:05:00Z,"François ""le"" Grand"\r
e-3,jo,signup,2026-11-26T09:06:00Z,Anna Smith\r
"""
NAMES = ["Jürgen Müller", 'François "le" Grand', "Anna Smith"]
COLUMNS = ("event_id", "lead_id", "event_type", "timestamp", "name")


def rows_of(path: Path, text: str) -> list[tuple[int, str | None]]:
    """Returns the line numbers and event ids of a text's rows."""
    return [(record.number, (record.fields or {}).get("event_id")) for record in read(path, text.encode()).records]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (TEXT, "CSV separated by commas"),
        (TEXT.replace(",", ";"), "CSV separated by semicolons"),
        (TEXT.replace(",", "\t"), "CSV separated by tabs"),
        (TEXT.replace(",", "|"), "CSV separated by vertical bars"),
        ("sep=,\r\n" + TEXT, "CSV separated by commas"),
        ("sep=\t\r\n" + TEXT.replace(",", "\t"), "CSV separated by tabs"),
        ('"sep=^"\r\n' + TEXT.replace(",", "^"), "CSV separated by '^'"),
        (TEXT.replace("\r\n", "\r"), "CSV separated by commas"),
        (TEXT.replace("\r\n", "\n"), "CSV separated by commas"),
        (TEXT.rstrip(), "CSV separated by commas"),
        ("\n\n" + TEXT, "CSV separated by commas"),
        (TEXT.replace("\r\n", ",\r\n"), "CSV separated by commas without column 6, which has no name"),
        (TEXT.replace(",", " , "), "CSV separated by commas"),
        (TEXT.replace("\r\n", "\r\n\r\n,,,,\r\n"), "CSV separated by commas"),
    ],
)
def test_it_is_read_however_it_is_written(tmp_path: Path, text: str, layout: str) -> None:
    outcome = read(tmp_path / "events.csv", text.encode())
    assert outcome.layout == layout
    assert tuple(filter(None, outcome.columns)) == COLUMNS
    assert [fields["name"] for fields in outcome.fields] == NAMES
    assert [fields["event_id"] for fields in outcome.fields] == ["e-1", "e-2", "e-3"]
    assert set(outcome.fields[0]) == set(COLUMNS)


def test_a_delimiter_in_the_names_of_columns(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", b"id;Revenue, EUR;Name\n1;2;x\n").columns == ("id", "Revenue, EUR", "Name")
    assert read(tmp_path / "b.csv", b"id\tName, first, second\n1\tx\n").columns == ("id", "Name, first, second")
    assert read(tmp_path / "c.csv", b'id,"a;b;c;d",x\n1,2,3\n').columns == ("id", "a;b;c;d", "x")


def test_cells_lose_the_blanks_around_them_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", ' event_id , lead_id,x\n e-1\t, " a b ",\n,\u00a0jo\u00a0, \n'.encode())
    assert outcome.columns == ("event_id", "lead_id", "x")
    assert outcome.fields == [{"event_id": "e-1", "lead_id": "a b"}, {"lead_id": "jo"}]


def test_a_line_end_in_a_cell_stays_and_the_number_is_that_of_the_first_line_of_the_row(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", b'id,x\r\n1,"Anna\r\nSmith"\r\n\r\n2,y\r\n')
    assert [(record.number, record.fields) for record in outcome.records] == [
        (2, {"id": "1", "x": "Anna\r\nSmith"}),
        (5, {"id": "2", "x": "y"}),
    ]


def test_an_index_without_a_name_is_left_out_as_pandas_writes_it(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", b",id,x\n0,1,2\n1,3,4\n")
    assert outcome.layout == "CSV separated by commas without column 1, which has no name"
    assert outcome.fields == [{"id": "1", "x": "2"}, {"id": "3", "x": "4"}]


@pytest.mark.parametrize("header", ["id,time,Name,time", "id,Lead ID,x,lead_id", "id,x,x "])
def test_a_column_that_is_there_twice_is_an_error(tmp_path: Path, header: str) -> None:
    outcome = read(tmp_path / "events.csv", f"{header}\n1,2,3,4\n".encode())
    assert outcome.records == []
    assert "events.csv: line 1 has the column '" in outcome.error
    assert "' twice, at " in outcome.error
    assert outcome.error.endswith("rename one of them")


def test_malformed_rows_do_not_affect_others(tmp_path: Path) -> None:
    rows = 'id,x\n1,a\n2,a,b\n3,"a"b\n4,' + "y" * 200_000 + "\n5,a,, \n6\n7,a"
    outcome = read(tmp_path / "events.csv", rows.encode())
    assert [record.number for record in outcome.records] == [2, 3, 4, 5, 6, 7, 8]
    assert set(outcome.flaws) == {3, 4, 5}
    assert outcome.flaws[3] == "has 3 cells, but there are only 2 columns"
    assert outcome.flaws[4].startswith("is not CSV: ")
    assert outcome.flaws[5] == "is not CSV: a cell is longer than 131,072 characters"


def test_a_row_that_is_too_long_does_not_affect_others(tmp_path: Path) -> None:
    rows = f"id,x\n1,a\n2,{'y,' * MAX_RECORD}\n3,a\n"
    outcome = read(tmp_path / "events.csv", rows.encode())
    assert outcome.flaws == {3: f"is not CSV: the row is longer than {MAX_RECORD:,} characters"}
    assert [record.number for record in outcome.records] == [2, 3, 4]


def test_a_quotation_mark_in_a_cell_is_a_character(tmp_path: Path) -> None:
    assert read(tmp_path / "events.csv", b'id,x\n1,27" monitor\n').fields == [{"id": "1", "x": '27" monitor'}]


def test_quotation_marks_between_tabs_are_characters_if_those_of_the_header_are(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.tsv", b'id\t"Best\n1\t"x\n2\t"y"\n')
    assert outcome.fields == [{"id": "1", '"Best': '"x'}, {"id": "2", '"Best': '"y"'}]


def test_an_open_quotation_mark_is_named_with_its_line_and_with_what_it_swallowed(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", b'id,x\n1,a\n2,"great\n3,a\n4,a\n')
    assert [record.number for record in outcome.records] == [2, 3]
    assert outcome.flaws[3] == (
        "is not CSV: unexpected end of data; if a quotation mark is missing, the rows up to line 5 were not read"
    )


def test_an_open_quotation_mark_swallows_no_more_than_a_cell_can_hold(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'a' * 90}\n" for number in range(5000))
    outcome = read(tmp_path / "events.csv", b'id,x\n1,"great\n' + rows.encode())
    assert list(outcome.flaws) == [2]
    assert "a cell is longer than 131,072 characters; if a quotation mark is missing, the rows up" in outcome.flaws[2]
    assert len(outcome.records) > 3000


def test_a_row_without_end_is_bounded(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", b"id,x\n" + b'y","x\n' * 400_000 + b'"\n1,a\n')
    assert "the row is longer than" in outcome.flaws[2]
    assert len(outcome.records) == 4
    assert outcome.records[-1].fields == {"id": "1", "x": "a"}


@pytest.mark.parametrize("content", [b"\n\n", b'"id,x\n1,2\n', b",,\n1,2,3\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header(tmp_path: Path, content: bytes) -> None:
    assert "should name the columns of CSV" in read(tmp_path / "events.csv", content).error


def test_a_file_without_a_line_end(tmp_path: Path) -> None:
    outcome = read(tmp_path / "events.csv", b"id,x," + b"y" * 1_000_000)
    assert "line 1 does not end within 65,536 characters, so it cannot be the header of CSV" in outcome.error


def test_a_file_without_a_header_is_read_under_the_names_that_are_given(tmp_path: Path) -> None:
    content = b'web\t"quoted\t{"a": [1, 2]}\t\nweb\tb\t\tx\n'
    outcome = read(tmp_path / "snowplow.tsv", content, names=("platform", "title", "context", "last"))
    assert outcome.columns == ("web", '"quoted', '{"a": [1, 2]}', "")
    assert [(record.number, record.fields) for record in outcome.records] == [
        (1, {"platform": "web", "title": '"quoted', "context": '{"a": [1, 2]}'}),
        (2, {"platform": "web", "title": "b", "last": "x"}),
    ]


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from(",;\t|\"' \n"), max_size=12)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_program_writes_is_what_is_read(
    rows: list[list[str]], delimiter: str, line_end: str, quoting: int
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("id", "x", "y"), *rows])
    text = written.getvalue()
    records = csv_rows(io.StringIO(text, newline=""), csv_layout(text), None)
    stripped = [
        {name: cell.strip() for name, cell in zip(("id", "x", "y"), row, strict=True) if cell.strip()} for row in rows
    ]
    assert [record.fields for record in records] == [fields for fields in stripped if fields]
