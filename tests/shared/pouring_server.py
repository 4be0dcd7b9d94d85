"""A server whose method returns the id of the process that answers; tests run it with LEADSCORE_* settings."""

import asyncio
import os

from shared import entrypoint, processes
from shared.access.enforcement import OPEN
from shared.rpc.server import serve
from shared.rpc.service import Service
from shared.settings import ServerSettings
from tests.shared.rpc.running_server import healthy
from tests.shared.rpc.teapot import ERRORS, NAME, Teapot


async def own_id(_: str) -> str:
    """Returns the id of this process."""
    return str(os.getpid())


def pour(settings: ServerSettings) -> None:
    """Serve until SIGTERM."""
    settings = processes.fork(settings)
    asyncio.run(serve(Service(NAME, Teapot(own_id).register, ERRORS, healthy, OPEN), settings))


if __name__ == "__main__":
    entrypoint.run("tests", ServerSettings, {"pour": pour})
