"""Reading records twice: they are kept in a temporary file, so that memory use does not grow with their number."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from cli.events.files.records import Record


@contextmanager
def spooled(records: Iterable[Record], look: Callable[[Record], None]) -> Iterator[Iterator[Record]]:
    """Looks at all records of a table, whose cells are texts, and then yields them again, once."""
    with tempfile.TemporaryFile("w+") as file:
        for record in records:
            look(record)
            json.dump(record, file)
            file.write("\n")
        file.seek(0)
        yield (Record(*json.loads(line)) for line in file)
