"""Exports of other tools go into a running system, twice without a difference, and fire nothing."""

import asyncio
import json
from typing import Any

from typer.testing import CliRunner

from cli.__main__ import app
from testkit.system import System
from testkit.traffic import all_scored
from tests.cli.importing import EXPORTS

OPTIONS = {"hubspot.csv": ["--time-zone", "Europe/Berlin"], "leads.csv": ["--mapping", str(EXPORTS / "leads.yaml")]}
SAME = {"exported.ndjson", "events.ndjson"}
"""Files whose event is in another one, too."""
FILES = sorted(path.name for path in EXPORTS.iterdir() if path.suffix != ".yaml" and path.name not in SAME)


async def ingest(system: System, name: str) -> dict[str, Any]:
    """Returns what the command says of the import of a file."""
    options = [*OPTIONS.get(name, ()), "--history", "--json", "--base-port", str(system.ports["ingest"])]
    result = await asyncio.to_thread(CliRunner().invoke, app, ["ingest", str(EXPORTS / name), *options])
    found: dict[str, Any] = json.loads(result.stdout)
    return found


async def test_all_events_of_all_exports_are_accepted_once(system: System) -> None:
    for name in FILES:
        first, again = await ingest(system, name), await ingest(system, name)
        assert first["rejections"] == first["conflicts"] == again["rejections"] == again["conflicts"] == [], name
        assert (first["duplicate"], again["accepted"]) == (0, 0), name
        assert again["duplicate"] == first["accepted"] > 0, name
    await all_scored(system)
