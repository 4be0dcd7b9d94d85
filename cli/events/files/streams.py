"""Streams of bytes whose beginning can be looked at before they are read."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.events.files.records import Unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEAD_BYTES = 256 * 1024
"""How much of a file is looked at to find out its format."""


def peekable(read: Callable[[int], bytes]) -> io.BufferedReader:
    """Returns a stream of what `read` returns, whose `peek()` shows the first `HEAD_BYTES` bytes, or all if fewer."""
    return io.BufferedReader(_Filled(read), HEAD_BYTES)


class _Filled(io.RawIOBase):
    """Fills each buffer, and raises an error only after everything that was read before it."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._error: Unreadable | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self._error:
            raise self._error
        view, filled = memoryview(buffer), 0
        try:
            while filled < len(view) and (chunk := self._read(len(view) - filled)):
                view[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
        except Unreadable as error:
            if not filled:
                raise
            self._error = error
        return filled
