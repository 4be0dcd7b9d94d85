"""Finding out the encoding of a text, and reading it as UTF-8."""

import codecs
import io
import re
from collections.abc import Callable

from cli.events.files.records import Unreadable
from cli.events.files.streams import peekable

NOT_TEXT = "has bytes that are not text in the encoding of the file: name the right one with --encoding"
"""The flaw of a line whose bytes are invalid."""

_MARKS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_CP1252 = bytes(range(256)).decode("cp1252", "replace")
_MISTAKEN_FOR = [bytes(range(256)).decode(page, "replace") for page in ("cp1250", "cp1254", "iso8859-15")]
_NO_LETTER = "\ufffe"
_COMMON = "".join(
    letter
    if letter < "\x80" or (letter.isalpha() and byte >= 0xC0 and all(page[byte] == letter for page in _MISTAKEN_FOR))
    else _NO_LETTER
    for byte, letter in enumerate(_CP1252)
)
"""cp1252 without letters that are others in encodings it is mistaken for. É and ü remain; è would be č elsewhere."""
_SPECIAL = re.compile(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z\x80-\xff]*")
_OTHER_ALPHABET = re.compile(rb"[\x80-\xff]{3}|(?<![A-Za-z\x80-\xff])[\x80-\xff]+(?![A-Za-z\x80-\xff])")
_INVALID, _VALID = re.compile("[\udc80-\udcff]"), re.compile("[^\x00-\x7f\udc80-\udcff]")

_CHUNK = 64 * 1024

_Decode = Callable[[bytes, bool], str]


def as_utf8(content: io.BufferedReader, encoding: str | None) -> tuple[io.BufferedReader, str]:
    """Returns a text in UTF-8 without a byte order mark, and the name of the encoding that it had.

    Bytes that are not text in that encoding stay as they are, so that a line with such bytes is not UTF-8 either.

    Args:
        content: The text.
        encoding: Its encoding; None detects it.

    Raises:
        Unreadable: The encoding is unknown, or cannot be told from the text. While reading: the text is damaged, in
            an encoding that has no place for such bytes, as UTF-16.
    """
    decode, name = _named(encoding) if encoding else _detected(content.peek())
    if decode:
        content = peekable(_Utf8(content, decode).read)
    if content.peek().startswith(codecs.BOM_UTF8):
        content.read(len(codecs.BOM_UTF8))
    return content, name


def is_text(text: str) -> bool:
    """Returns whether a text is without surrogates, which stand for invalid bytes."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Utf8:
    """A text of another encoding, in UTF-8."""

    def __init__(self, content: io.BufferedReader, decode: _Decode) -> None:
        self._content = content
        self._decode = decode
        self._ready = b""

    def read(self, size: int) -> bytes:
        data = b"more"
        while data and not self._ready:
            data = self._content.read(_CHUNK)
            self._ready = self._text(data).encode("utf-8", "surrogateescape")
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def _text(self, data: bytes) -> str:
        try:
            return self._decode(data, not data)
        except UnicodeError as error:
            # The position in a UnicodeDecodeError is that in a piece of the text.
            reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
            raise Unreadable(f"the text is not in the encoding of the file ({reason})") from None


def _named(name: str) -> tuple[_Decode | None, str]:
    try:
        " ".encode(name)
    except LookupError:
        raise Unreadable(f"{name!r} is not a known encoding: try cp1252, utf-16-le or shift_jis") from None
    if codecs.lookup(name).name in ("utf-8", "utf-8-sig"):
        return None, "UTF-8"
    return codecs.getincrementaldecoder(name)("surrogateescape").decode, name


def _detected(head: bytes) -> tuple[_Decode | None, str]:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return _named(name)[0], name
    if head.count(b"\0") > len(head) // 100:
        raise _not_text(head)
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    if len(_INVALID.findall(text)) <= len(_VALID.findall(text)):
        return None, "UTF-8"
    if _is_certain(head):
        return _decode_common, "cp1252"
    if head.lstrip().startswith((b"{", b"[")):
        return None, "UTF-8"  # JSON has no other encoding, so only the lines with such bytes are wrong
    raise _ambiguous(head)


def _is_certain(head: bytes) -> bool:
    return not _OTHER_ALPHABET.search(head) and all(_COMMON[byte] != _NO_LETTER for byte in set(head))


def _decode_common(data: bytes, _final: bool) -> str:
    return codecs.charmap_decode(data, "surrogateescape", _COMMON)[0]


def _not_text(head: bytes) -> Unreadable:
    for name, high_bytes in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if high_bytes.count(0) > len(high_bytes) // 2:
            return Unreadable(f"it looks like UTF-16 without a byte order mark: add --encoding {name}")
    return Unreadable("it looks like binary data, but text or Parquet is expected")


def _ambiguous(head: bytes) -> Unreadable:
    word = next(_SPECIAL.finditer(head))
    place, sample = head[: word.start()].count(b"\n") + 1, word[0].decode("cp1252", "replace")
    return Unreadable(
        f"the text is not UTF-8, and its encoding is not certain: as cp1252, line {place} has “{sample}”; "
        "if that is right, add --encoding cp1252, else --encoding with the encoding of the program that wrote the file"
    )
