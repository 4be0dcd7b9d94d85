"""Reading records twice: they are kept in a temporary file, so that memory use does not grow with their number."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from cli.events.files.records import Record

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Record)


@contextmanager
def spooled(records: Iterable[Record], look: Callable[[Record], None]) -> Iterator[Iterator[Record]]:
    """Looks at all records of a table, whose cells are text, and then yields them again, once."""
    with tempfile.TemporaryFile() as file:
        for record in records:
            look(record)
            file.write(_ENCODER.encode(record))
            file.write(b"\n")
        file.seek(0)
        yield map(_DECODER.decode, file)
