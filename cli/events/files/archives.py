"""Unpacking gzip and zip while reading, within bounds."""

import gzip
import io
import lzma
import shlex
import zipfile
import zlib
from typing import IO, cast

from cli.events.files.formats import office_document
from cli.events.files.records import Unreadable
from cli.events.files.streams import peekable

MAX_EXPANSION = 500
"""How many times its size an archive may expand to. Events compress to a tenth or a hundredth of their size."""
FREE_BYTES = 64 * 1024 * 1024
"""Below this size an archive may expand by any factor."""

_GZIP_MAGIC = b"\x1f\x8b"
_JSON_NAMES = (".json", ".jsonl", ".ndjson")
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def unpacked(file: io.BufferedReader, name: str) -> tuple[io.BufferedReader, list[str]]:
    """Returns the content of a file and the archives around it: none, zip, gzip, or a gzip in a zip.

    Reading the content raises `Unreadable` where the archive is damaged or expands too much.

    Args:
        file: The file. If it is a zip, it is read from its end.
        name: Its name, for the commands in errors.

    Raises:
        Unreadable: The zip does not hold exactly one file, is damaged or encrypted, or comes through a pipe.
    """
    archives = []
    content = peekable(file.read)
    if file.peek(4).startswith(_ZIP_MAGICS):
        archives.append("zip")
        content = peekable(_Member(file, name).read)
    if content.peek().startswith(_GZIP_MAGIC):
        archives.append("gzip")
        content = peekable(_Gunzip(content).read)
    if archives and content.peek().startswith(_ZIP_MAGICS):
        raise Unreadable(f"it is a zip inside a {archives[-1]}: unpack it, and send each file")
    return content, archives


class _Counted:
    """Counts the bytes that are read from a stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.count = 0
        self._stream = stream

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        return data


class _Gunzip:
    """The content of a gzip stream, which may have several members."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = _Counted(packed)
        self._file = gzip.GzipFile(fileobj=self._packed)  # type: ignore[call-overload]  # it calls nothing but `read`
        self._count = 0

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._file.read1(size)  # `read` would lose what comes before damage
        except EOFError:
            raise Unreadable("the gzip data ends early: get a complete copy, and send all of it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise Unreadable(
                f"the gzip data is damaged ({error}): get an intact copy, and send all of it again"
            ) from None
        self._count += len(data)
        _check_expansion(self._packed.count, self._count)
        return data


class _Member:
    """The content of the only file in a zip."""

    def __init__(self, packed: io.BufferedReader, name: str) -> None:
        if not packed.seekable():
            raise Unreadable("a zip cannot be read from a pipe: save it to a file, and send that")
        try:
            archive = zipfile.ZipFile(packed)
            member = _only_member(archive, name)
            self._file = cast("zipfile.ZipExtFile", archive.open(member))
        except (zipfile.BadZipFile, ValueError) as error:  # a ValueError is about a name or an offset
            raise Unreadable(f"the zip is damaged ({error}): get an intact copy") from None
        except NotImplementedError as error:
            raise Unreadable(f"the zip cannot be unpacked ({error}): unpack it with another tool") from None
        _check_expansion(member.compress_size, member.file_size)

    def read(self, size: int) -> bytes:
        try:
            return self._file.read1(size)
        except (EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError) as error:  # bzip2 has no own error
            raise Unreadable(f"the zip is damaged ({error}): get an intact copy, and send all of it again") from None


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    names = archive.namelist()
    if document := office_document(names):
        raise Unreadable(document)
    members = [each for each in archive.infolist() if not each.is_dir() and not _is_metadata(each.filename)]
    if len(members) != 1:
        advice = _advice([member.filename for member in members], name)
        raise Unreadable(f"the zip holds {len(members):,} files, and exactly one is expected: {advice}")
    if members[0].flag_bits & 1:
        raise Unreadable(f"the zip has a password: unzip -p {shlex.quote(name)} | leadscore ingest -")
    return members[0]


def _advice(members: list[str], name: str) -> str:
    # Files of JSON may follow one another, those of CSV may not, because each has a header.
    if members and all(member.removesuffix(".gz").endswith(_JSON_NAMES) for member in members):
        return f"send all of them, with unzip -p {shlex.quote(name)} | leadscore ingest -"
    example = shlex.quote(members[0]) if members and members[0].isprintable() else "FILE"
    return f"send each of them, with unzip -p {shlex.quote(name)} {example} | leadscore ingest -"


def _is_metadata(filename: str) -> bool:
    return filename.startswith("__MACOSX/") or filename.endswith(".DS_Store")


def _check_expansion(packed: int, unpacked: int) -> None:
    if unpacked > max(FREE_BYTES, packed * MAX_EXPANSION):
        raise Unreadable(
            f"it expands to more than {MAX_EXPANSION} times its size, which files of events do not: "
            "if this one does, unpack it, and send the result"
        )
