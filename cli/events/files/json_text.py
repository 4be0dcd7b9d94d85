"""Reading a JSON text value by value, with the memory of one value.

The streaming parsers that exist lose digits of numbers, or crash on hostile ones.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cli.events.files.encodings import NOT_TEXT, is_text
from cli.events.files.records import MAX_RECORD, Unreadable
from shared.mapping.exact_json import DECODER, json_flaw

_CHUNK = 64 * 1024
_ANY_NUMBER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class Value(NamedTuple):
    """A value of a JSON text, or the flaw that makes it unreadable."""

    content: Any
    flaw: str | None = None


class JsonText:
    """The rest of a JSON text, in which invalid bytes are surrogates.

    Its methods raise `Unreadable` where the text is not JSON, because the end of the value in question is then unknown.
    """

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._buffer = ""
        self._at = 0

    def peek(self) -> str:
        """Skips white space, and returns the next character; an empty string at the end."""
        while True:
            while (character := self._buffer[self._at : self._at + 1]) and character in " \t\r\n":
                self._at += 1
            if character or not self._more():
                return character

    def take(self, *expected: str) -> str:
        """Reads the next character, which must be an expected one."""
        character = self.peek()
        if character not in expected or not character:
            found = f"{character!r} follows" if character else "it ends early"
            raise Unreadable(f"the text is not JSON: {' or '.join(map(repr, expected))} is expected, but {found}")
        self._at += 1
        return character

    def elements(self, opening: str, closing: str) -> Iterator[None]:
        """Reads a list or an object, and stops before each element, for the caller to read it."""
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        yield
        while self.take(",", closing) == ",":
            yield

    def value(self) -> Value:
        """Reads the next value."""
        self.peek()
        while True:
            try:
                end, value = self._decode()
            except json.JSONDecodeError as error:
                place = error.pos - self._at
                if not self._more():
                    raise Unreadable(self._explain(error.msg, place)) from None
            else:
                # A number at the end of the buffer may have more digits.
                if end < len(self._buffer) or not self._more():
                    self._at = end
                    return value

    def _decode(self) -> tuple[int, Value]:
        try:
            content, end = DECODER.raw_decode(self._buffer, self._at)
        except json.JSONDecodeError:
            raise
        except RecursionError as error:
            raise Unreadable(f"the next value {json_flaw(error)}") from None
        except ValueError as error:
            _, end = _ANY_NUMBER.raw_decode(self._buffer, self._at)
            return end, Value(None, json_flaw(error))
        return end, Value(content) if is_text(self._buffer[self._at : end]) else Value(None, NOT_TEXT)

    def _more(self) -> bool:
        """Reads on; what is left of the buffer is then at its start. Returns False at the end, or if it is too long."""
        self._buffer, self._at = self._buffer[self._at :], 0
        size = len(self._buffer)
        # As much again as there is, so that a long value is not parsed too often.
        chunk = self._read(max(_CHUNK, size)) if size <= MAX_RECORD else ""
        self._buffer += chunk
        return bool(chunk)

    def _explain(self, reason: str, place: int) -> str:
        is_cut = place >= len(self._buffer.rstrip()) or reason.startswith("Unterminated string")
        if is_cut and len(self._buffer) > MAX_RECORD:
            return f"the next value is longer than {MAX_RECORD:,} characters, or does not end"
        if is_cut:
            return "the JSON ends early: get a complete copy, and send all of it again"
        around = self._buffer[max(0, place - 20) : place + 20]
        return f"the next value is not JSON: {reason} near {around!r}"
