"""The gateway as a process of its own, in front of an ingest service in the process of the test."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from cli.local.embedded import free_port
from testkit.processes import Process
from testkit.waiting import eventually

STOP_SECONDS = 60.0
NO_SETTINGS: Mapping[str, str] = {}


@contextlib.asynccontextmanager
async def gateway_process(
    directory: Path, ingest_target: str, settings: Mapping[str, str] = NO_SETTINGS
) -> AsyncIterator[str]:
    """Yields the URL of a gateway that runs while the block runs, and checks that it stops as it should."""
    port = free_port()
    own = {"LEADSCORE_PORT": str(port), "LEADSCORE_INGEST_TARGET": ingest_target}
    process = Process("gateway_service", ["serve"], {**os.environ, **own, **settings}, directory / "gateway.log")

    async def listens() -> bool:
        assert process.poll() is None, "the gateway has ended; see its log"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens, what="the gateway listens")
        yield f"http{'s' if 'LEADSCORE_TLS_CERT_FILE' in settings else ''}://127.0.0.1:{port}"
    finally:
        process.terminate()
        status = await asyncio.to_thread(process.wait, STOP_SECONDS)
    assert status == 0


async def run(*command: str, directory: Path | None = None) -> str:
    """Runs a program, which must succeed, and returns its output."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=directory, start_new_session=True
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
