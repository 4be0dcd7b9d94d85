"""Reading bytes as a file of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.events.files.opening import open_events
from cli.events.files.records import Fields, Record
from cli.terminal.connection import CommandError

DAMAGE = "cannot be read, and neither can what follows: "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a file: its layout and columns, the records before an error, and that error's text."""

    layout: str
    columns: tuple[str, ...]
    records: list[Record]
    error: str

    @property
    def fields(self) -> list[Fields]:
        """The fields of the records, none of which has a flaw."""
        assert [record.flaw for record in self.records if record.flaw] == []
        return [record.fields for record in self.records if record.fields is not None]

    @property
    def read(self) -> list[Fields]:
        """The fields of the records before the damage."""
        return [record.fields for record in self.records[:-1] if record.fields is not None]

    @property
    def damage(self) -> str:
        """Why the rest of the file cannot be read, which the last record says."""
        assert self.error == ""
        flaw = self.records[-1].flaw or ""
        assert flaw.startswith(DAMAGE)
        return flaw.removeprefix(DAMAGE)

    @property
    def flaws(self) -> dict[int, str]:
        """The flaws, by the number of their records."""
        return {record.number: record.flaw for record in self.records if record.flaw}


def read(path: Path, content: bytes, encoding: str | None = None, names: Sequence[str] | None = None) -> Outcome:
    """Writes the content to the path, and reads it as a file of events."""
    path.write_bytes(content)
    return read_file(path, encoding, names)


def read_file(path: Path | None, encoding: str | None = None, names: Sequence[str] | None = None) -> Outcome:
    """Reads a file, or standard input if there is no path."""
    layout, columns, records, error = "", tuple[str, ...](), list[Record](), ""
    try:
        with open_events(path, encoding) as file:
            layout, columns = file.layout, file.columns
            for record in file.records(names):
                records.append(record)
    except CommandError as caught:
        error = str(caught)
        assert "\n" not in error
    return Outcome(layout, columns, records, error)
