"""Archives are unpacked while they are read, and what is damaged or a bomb ends the reading, not the machine."""

import gzip
import io
import itertools
import random
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.events.files import archives
from cli.events.files.archives import MAX_EXPANSION
from cli.events.files.opening import open_events
from cli.terminal.connection import CommandError
from tests.cli.files.reading import read, read_file
from tests.cli.files.test_csv import NAMES, TEXT

MIB = 1024 * 1024


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def gzipped(pieces: Iterator[bytes], level: int = 6) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=level) as archive:
        for piece in pieces:
            archive.write(piece)
    return file.getvalue()


def random_rows(count: int) -> bytes:
    return b"id,x\n" + b"".join(b"%d,%032x\n" % (row, random.getrandbits(128)) for row in range(count))


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (gzip.compress(TEXT.encode()), ", in gzip"),
        (gzip.compress(TEXT[:99].encode()) + gzip.compress(TEXT[99:].encode()), ", in gzip"),
        (gzip.compress(TEXT.encode("utf-16")), ", in UTF-16, in gzip"),
        (zipped(("export.csv", TEXT.encode())), ", in zip"),
        (
            zipped(("a/", b""), ("a/b.csv", TEXT.encode()), ("__MACOSX/a/._b.csv", b"x"), (".DS_Store", b"x")),
            ", in zip",
        ),
        (zipped(("export.csv.gz", gzip.compress(TEXT.encode()))), ", in zip, in gzip"),
    ],
)
def test_it_is_unpacked_under_any_name(tmp_path: Path, content: bytes, layout: str) -> None:
    outcome = read(tmp_path / "export", content)
    assert [fields["name"] for fields in outcome.fields] == NAMES
    assert outcome.layout == f"CSV separated by commas{layout}"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BufferedReader(io.BytesIO(gzip.compress(TEXT.encode())))
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": packed}))
    assert [fields["name"] for fields in read_file(None).fields] == NAMES


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            zipped(("export.csv", b"id\n1\n")),
            "standard input: a zip cannot be read from a pipe: save it to a file, and send that",
        ),
        (b"PAR1", "standard input: Parquet cannot be read from a pipe or an archive: send it as a file of its own"),
    ],
)
def test_what_is_read_from_its_end_cannot_come_through_a_pipe(
    monkeypatch: pytest.MonkeyPatch, content: bytes, error: str
) -> None:
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BufferedReader(_Pipe(content))}))
    assert read_file(None).error == error


def test_a_zip_with_several_files_says_how_to_send_each(tmp_path: Path) -> None:
    outcome = read(tmp_path / "export.zip", zipped(("a b.csv", b"id\n1\n"), ("c.csv", b"id\n2\n")))
    assert outcome.error == (
        f"{tmp_path}/export.zip: the zip holds 2 files, and exactly one is expected: send each of them, with "
        f"unzip -p {tmp_path}/export.zip 'a b.csv' | leadscore ingest -"
    )
    outcome = read(tmp_path / "export.zip", zipped(("1/a.json.gz", b""), ("1/b.json.gz", b"")))
    assert outcome.error.endswith(f"send all of them, with unzip -p {tmp_path}/export.zip | leadscore ingest -")
    assert "the zip holds 0 files" in read(tmp_path / "export.zip", zipped()).error


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    content = bytearray(zipped(("a.csv", b"id\n1\n")))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert (
        f"the zip has a password: unzip -p {tmp_path}/a.zip | leadscore"
        in read(tmp_path / "a.zip", bytes(content)).error
    )


@pytest.mark.parametrize("pack", [lambda inner: zipped(("a.zip", inner)), gzip.compress])
def test_a_zip_in_an_archive(tmp_path: Path, pack: type[bytes]) -> None:
    assert "it is a zip inside a " in read(tmp_path / "a", pack(zipped(("a.csv", b"id\n1\n")))).error


@pytest.mark.parametrize("count", [2, 20_000])
def test_a_gzip_that_ends_early_is_read_up_to_its_end(tmp_path: Path, count: int) -> None:
    packed = gzip.compress(random_rows(count))
    for end in (-4, len(packed) // 2):
        outcome = read(tmp_path / "events.csv.gz", packed[:end])
        message = "the gzip data ends early: get a complete copy, and send all of it again"
        if count > 2:
            assert outcome.damage == message
            assert len(outcome.read) > count * 0.4
            assert outcome.records[-1].number == len(outcome.read) + 2
        else:
            assert message in (outcome.error or outcome.damage)


def test_a_damaged_gzip_is_read_up_to_the_damage(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(random_rows(50_000)))
    packed[len(packed) // 2] ^= 0xFF
    outcome = read(tmp_path / "events.csv.gz", bytes(packed))
    assert len(outcome.read) > 20_000
    assert outcome.damage.startswith("the gzip data is damaged (")
    assert outcome.damage.endswith("): get an intact copy, and send all of it again")


def test_a_damaged_zip(tmp_path: Path) -> None:
    packed = bytearray(zipped(("a.csv", random_rows(50_000))))
    assert "the zip is damaged (File is not a zip file)" in read(tmp_path / "a.zip", bytes(packed[:-30])).error
    packed[len(packed) // 2] ^= 0xFF
    outcome = read(tmp_path / "a.zip", bytes(packed))
    assert len(outcome.read) > 20_000
    assert outcome.damage.startswith("the zip is damaged (")


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(archives, "FREE_BYTES", 4 * MIB)
    return 4 * MIB


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, free_bytes: int) -> None:
    outcome = read(tmp_path / "a.zip", zipped(("a.csv", b"id,x\n" + b"1,2\n" * (free_bytes // 4 + 1))))
    assert outcome.records == []
    assert (
        f"a.zip: it expands to more than {MAX_EXPANSION} times its size, which files of events do not" in outcome.error
    )


def test_a_gzip_bomb_ends_the_reading(tmp_path: Path, free_bytes: int) -> None:
    bomb = gzipped(itertools.repeat(b" " * MIB, 2 * free_bytes // MIB))
    outcome = read(tmp_path / "a.gz", gzip.compress(b"id,x\n1,2\n") + bomb)
    assert outcome.read == [{"id": "1", "x": "2"}]
    assert f"it expands to more than {MAX_EXPANSION} times its size" in outcome.damage


def test_what_expands_a_hundred_times_is_no_bomb(tmp_path: Path, free_bytes: int) -> None:
    content = b"id,x\n" + b"".join(b"%d,%s\n" % (row, b"y" * 1000) for row in range(2 * free_bytes // 1000))
    packed = gzip.compress(content)
    assert 50 < len(content) / len(packed) < MAX_EXPANSION
    assert len(read(tmp_path / "a.gz", packed).fields) == 2 * free_bytes // 1000


@pytest.mark.parametrize(
    "head",
    [b"id,x\n1,2\n", b"id,x\n1,", b'id,x\n1,"', b'{"id": 1}\n{"id": "', b'[{"id": 1}, {"id": "', b"", b"[" + b" " * 9],
)
def test_memory_does_not_grow_with_a_line(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(gzipped(itertools.chain([head], itertools.repeat(b"y" * MIB, 60)), level=1))
    tracemalloc.start()
    try:
        with open_events(path) as file:
            assert sum(1 for _ in file.records()) < 10
    except CommandError as error:
        assert "\n" not in str(error)  # noqa: PT017 (both an error and a flaw are right)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MIB
