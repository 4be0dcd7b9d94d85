"""Files are read however spreadsheets and programs write them, or one line says what to change."""

import pytest

from cli.terminal.connection import CommandError
from tests.cases.conftest import Ingest, counts_of, files_of

COMMAS = "CSV separated by commas"
TABS = "CSV separated by tabs"
TABLES = {
    "blank-lines.csv": COMMAS,
    "cp1252.csv": f"{COMMAS}, in cp1252",
    "export.csv.zip": f"{COMMAS}, in zip",
    "header-case.csv": COMMAS,
    "header-space.csv": COMMAS,
    "mac-cr.csv": COMMAS,
    "newline-in-cell.csv": COMMAS,
    "open-quote.csv": COMMAS,
    "semicolon.csv": "CSV separated by semicolons",
    "sep-line.csv": COMMAS,
    "tab.csv": TABS,
    "tab.tsv": TABS,
    "trailing-comma.csv": f"{COMMAS} without column 6, which has no name",
    "two-members.csv.gz": f"{COMMAS}, in gzip",
    "utf16-unicode-text.txt": f"{TABS}, in UTF-16",
    "utf16.csv": f"{COMMAS}, in UTF-16",
    "utf8-bom.csv": COMMAS,
}
NAMES = ["Jürgen Müller", 'François "le" Grand', "Anna Smith"]
OTHER_NAMES = {
    "cp1252.csv": ["Jürgen Müller", "François", "Anna Smith"],
    "newline-in-cell.csv": [*NAMES[:2], "Anna\r\nSmith"],
    "open-quote.csv": ['27" monitor', *NAMES[1:]],
}
DOCUMENTS = ("array-pretty.json", "array.json", "wrapped.json")
REFUSED = "dup-header.csv"


def test_every_file_has_a_test() -> None:
    assert files_of("15-files") == {*TABLES, *DOCUMENTS, REFUSED}


@pytest.mark.parametrize("name", TABLES)
async def test_a_table_is_read_with_all_rows_and_letters(ingest: Ingest, name: str) -> None:
    result = await ingest(f"15-files/{name}")
    assert f"{name} is {TABLES[name]}, read as leadscore's own layout" in result.output
    assert (counts_of(result)[1:], result.exit_code) == ((0, 0, 0), 0)
    assert len({each.lead_id for each in ingest.stored}) == 1
    assert [each.event_type for each in ingest.stored[:3]] == ["demo_request", "page_view", "signup"]
    assert [each.properties["name"] for each in ingest.stored[:3]] == OTHER_NAMES.get(name, NAMES)


async def test_all_members_of_a_gzip_are_read(ingest: Ingest) -> None:
    assert counts_of(await ingest("15-files/two-members.csv.gz")) == (4, 0, 0, 0)
    assert ingest.stored[3].event_type == "download"


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_list_in_json_is_read(ingest: Ingest, name: str) -> None:
    result = await ingest(f"15-files/{name}")
    assert f"{name} is JSON, read as leadscore's own layout" in result.output
    assert counts_of(result) == (3, 0, 0, 0)
    assert [each.event_id for each in ingest.stored] == ["arr-0", "arr-1", "arr-2"]


async def test_a_column_that_is_there_twice_is_named(ingest: Ingest) -> None:
    error = (await ingest(f"15-files/{REFUSED}")).exception
    assert isinstance(error, CommandError)
    assert str(error).endswith("line 1 has the column 'timestamp' twice, at 4 and 5: rename one of them")
    assert ingest.stored == []
