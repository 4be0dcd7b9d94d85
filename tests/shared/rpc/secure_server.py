"""A server that tests run with LEADSCORE_TLS_* settings."""

import asyncio

from shared import entrypoint, processes
from shared.access.enforcement import OPEN
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.settings import ServerSettings
from tests.shared.rpc.running_server import healthy
from tests.shared.rpc.teapot import ERRORS, NAME, Kitchen, Teapot


def run(settings: ServerSettings) -> None:
    """Serve until SIGTERM."""
    settings = processes.fork(settings)
    asyncio.run(_serve(settings))


async def _serve(settings: ServerSettings) -> None:
    await serve(Service(NAME, Teapot(Kitchen().pour).register, ERRORS, healthy, OPEN), settings)


if __name__ == "__main__":
    entrypoint.run("tests", ServerSettings, {"serve": run})
