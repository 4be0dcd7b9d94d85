"""`leadscore ingest`, and an ingest service in this process that stores events in memory."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from ingest_service.domain.event import Event
from tests.ingest.fakes import FakeEventStore
from tests.ingest.requests import ingest_port

CASES = Path(__file__).parent
NOW = datetime(2026, 11, 27, 10, 20, tzinfo=UTC)
"""The time of the service: soon after the events of the cases."""
_COUNTS = re.compile(r"(\d+) accepted, (\d+) duplicate, (\d+) in conflict, (\d+) rejected in ")


@dataclass(slots=True)
class Ingest:
    """Runs `leadscore ingest` against a service that gives lead ids the form `lead_ids`."""

    store: FakeEventStore = field(default_factory=FakeEventStore)
    lead_ids: str = ""

    async def __call__(self, file: str, *options: str) -> Result:
        """Sends a file of the cases, and returns what the command says."""
        async with ingest_port(self.store, self.lead_ids, NOW) as port:
            command = ["ingest", str(CASES / file), "--live", *options, "--base-port", str(port)]
            return await asyncio.to_thread(CliRunner().invoke, app, command)

    @property
    def stored(self) -> list[Event]:
        """The events that were accepted, in their order."""
        return list(self.store.events.values())


@pytest.fixture
def ingest() -> Ingest:
    return Ingest()


def counts_of(result: Result) -> tuple[int, ...]:
    """Returns how many events were accepted, duplicates, in conflict and rejected."""
    found = _COUNTS.search(result.output)
    assert found, result.output
    return tuple(map(int, found.groups()))


def files_of(case: str) -> set[str]:
    """Returns the names of a case's files."""
    return {path.name for path in (CASES / case).iterdir()}
