"""What is no file of events is named, with the command that helps."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.cli.files.reading import read, read_file
from tests.cli.files.test_archives import zipped


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "advice"),
    [
        (b"\x28\xb5\x2f\xfd\x00", "a Zstandard file", "zstd -dc {path} | leadscore ingest -"),
        (b"BZh91AY&SY", "a bzip2 file", "bzip2 -dc {path} | leadscore ingest -"),
        (b"\xfd7zXZ\x00\x00", "an xz file", "xz -dc {path} | leadscore ingest -"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so {path} | leadscore ingest -"),
        (tar(), "a tar archive", "tar -xOf {path} FILE | leadscore ingest -"),
        (gzip.compress(tar()), "a tar archive", "tar -xOf {path} FILE | leadscore ingest -"),
        (
            zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")),
            "an Excel workbook",
            "save its sheet as “CSV UTF-8”",
        ),
        (
            zipped(("mimetype", b""), ("content.xml", b"")),
            "an OpenDocument spreadsheet",
            "save its sheet as “CSV UTF-8”",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls)", "save its sheet as “CSV UTF-8”"),
        (b"SQLite format 3\x00", "an SQLite database", "sqlite3 -csv -header {path} 'SELECT …' | leadscore ingest -"),
        (b"Obj\x01\x04", "an Avro file", "export it as NDJSON or Parquet"),
        (b"%PDF-1.7", "a PDF", "export the data as CSV"),
        (b"<!DOCTYPE html>\n<html>", "HTML or XML", "an expired link to a file often gives such a page"),
        (b'\n<?xml version="1.0"?>', "HTML or XML", "export the data as CSV or NDJSON"),
    ],
)
def test_other_formats(tmp_path: Path, content: bytes, what: str, advice: str) -> None:
    path = tmp_path / "my file"
    error = read(path, content).error
    assert error.startswith(f"{path}: it looks like {what}, but events are expected as CSV, NDJSON, JSON or Parquet, ")
    assert advice.format(path=f"'{path}'") in error


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    assert "events: it is empty; events are expected as CSV, " in read(tmp_path / "events", content).error


def test_binary_data(tmp_path: Path) -> None:
    assert "it looks like binary data" in read(tmp_path / "events", b"\x7fELF\x01\x00\x00\xff" * 9).error


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    assert read_file(tmp_path / "none.csv").error.endswith("none.csv cannot be read: No such file or directory")
    assert read_file(tmp_path).error.endswith("cannot be read: Is a directory")
