"""What files become."""

import json
from pathlib import Path
from typing import Any

from cli.events.importing import ImportOptions, open_import
from cli.events.lines import Line
from shared.mapping.times.readers import TimeOptions, to_zone
from shared.message_files.messages import to_plain

EXPORTS = Path(__file__).parent / "exports"
"""Small exports of invented people, in the layouts of their vendors. docs/importing.md imports them."""
BERLIN = TimeOptions(zone=to_zone("Europe/Berlin"))
ROW: dict[str, Any] = {
    "lead_id": "ada",
    "event_id": "ada-1",
    "event_type": "signup",
    "occurred_at": "2026-01-31T12:00:00.250Z",
    "properties": {"plan": "pro", "seats": 3, "tags": ["a", None, True]},
    "source": "website",
}
"""An event in leadscore's own layout."""


def read(path: Path, options: ImportOptions | None = None) -> list[Line]:
    """Returns the lines of a file."""
    with open_import(path, options or ImportOptions()) as opened:
        return list(opened.lines)


def events(path: Path, options: ImportOptions | None = None) -> list[dict[str, Any]]:
    """Returns the events of a file, which has no flaws."""
    lines = read(path, options)
    assert [line.flaw for line in lines if line.flaw] == []
    return [to_plain(line.event) for line in lines if line.event is not None]


def flaws(path: Path, options: ImportOptions | None = None) -> list[str]:
    """Returns the flaws of a file, which has no events."""
    return [line.flaw or "no flaw" for line in read(path, options)]


def written(path: Path, *rows: dict[str, Any]) -> Path:
    """Returns the path of a file with these rows as NDJSON."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
