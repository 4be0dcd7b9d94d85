"""Recognises files in other formats, such as archives and spreadsheets, and names the command that converts them."""

import shlex
from collections.abc import Iterable

from cli.events.files.records import Unreadable

EXPECTED = "events are expected as CSV, NDJSON, JSON or Parquet, as they are or in a gzip or zip"

_SAVE_AS_CSV = "save its sheet as “CSV UTF-8”, and send that"
_FOREIGN = (
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "zstd -dc {file} | leadscore ingest -"),
    (b"BZh", "a bzip2 file", "bzip2 -dc {file} | leadscore ingest -"),
    (b"\xfd7zXZ\x00", "an xz file", "xz -dc {file} | leadscore ingest -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so {file} | leadscore ingest -"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", _SAVE_AS_CSV),
    (b"SQLite format 3\x00", "an SQLite database", "sqlite3 -csv -header {file} 'SELECT …' | leadscore ingest -"),
    (b"Obj\x01", "an Avro file", "export it as NDJSON or Parquet"),
    (b"%PDF", "a PDF", "export the data as CSV"),
    (b"<", "HTML or XML", "export the data as CSV or NDJSON; an expired link to a file often gives such a page"),
)
_TAR_MARK = slice(257, 262)


def check_format(head: bytes, name: str) -> None:
    """Checks that the head of a file may be that of a file of events.

    Raises:
        Unreadable: It is another one. The text names it, what is expected, and the command that helps.
    """
    if not head:
        raise Unreadable(f"it is empty; {EXPECTED}")
    if head[_TAR_MARK] == b"ustar":
        raise foreign("a tar archive", f"tar -xOf {shlex.quote(name)} FILE | leadscore ingest -")
    for magic, what, advice in _FOREIGN:
        if head.lstrip().startswith(magic):
            raise foreign(what, advice.format(file=shlex.quote(name)))


def foreign(what: str, advice: str) -> Unreadable:
    """Returns the error about a file that is not one of events."""
    return Unreadable(f"it looks like {what}, but {EXPECTED}: {advice}")


def office_document(members: Iterable[str]) -> str | None:
    """Returns the error about a zip that is a document in truth; None if it is a zip."""
    if "xl/workbook.xml" in (names := set(members)):
        return str(foreign("an Excel workbook", _SAVE_AS_CSV))
    if {"mimetype", "content.xml"} <= names:
        return str(foreign("an OpenDocument spreadsheet", _SAVE_AS_CSV))
    return None
