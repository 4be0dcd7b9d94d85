"""Runs the HTTP API, which is a real Envoy, in front of services that run already."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.http.health import is_healthy
from cli.http.routes import SERVICES
from cli.local.embedded import free_port

READY_SECONDS = 60.0
NO_SETTINGS: Mapping[str, str] = {}


class HttpApi:
    """A running HTTP API."""

    def __init__(self, directory: Path, targets: Mapping[str, str], settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.log = directory / "http.log"
        environment = os.environ | {
            "LEADSCORE_PORT": str(self.port),
            "LEADSCORE_HTTP_CONFIG_DIR": str(directory / "http"),
            **{f"LEADSCORE_{server.upper()}_TARGET": target for server, target in targets.items()},
            **settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.http", "serve"], env=environment, stdout=log, stderr=log
            )

    @property
    def url(self) -> str:
        """The address, without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_until_healthy(self) -> None:
        """Waits until it serves, and so do the services behind it."""
        ends = time.monotonic() + READY_SECONDS
        while not is_healthy(self.port):
            assert self._process.poll() is None, f"Envoy ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < ends, f"expected a healthy HTTP API within {READY_SECONDS} s"
            time.sleep(0.02)

    async def is_healthy(self) -> bool:
        """Returns whether it serves, and so do the services behind it."""
        return await asyncio.to_thread(is_healthy, self.port)

    def stop(self) -> None:
        """Stops it."""
        self._process.terminate()
        self._process.wait()


@contextmanager
def running_http_api(
    directory: Path, targets: Mapping[str, str], settings: Mapping[str, str] = NO_SETTINGS
) -> Iterator[HttpApi]:
    """Runs the HTTP API while the block runs; `targets` are the addresses of all services by the names of servers."""
    assert targets.keys() >= SERVICES.keys(), f"expected the targets of {SERVICES.keys() - targets.keys()}"
    api = HttpApi(directory, targets, settings)
    try:
        api.wait_until_healthy()
        yield api
    finally:
        api.stop()
