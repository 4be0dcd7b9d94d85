"""A real Envoy in front of services that record what they are asked."""

from collections.abc import Iterator

import httpx
import pytest

from cli.http.routes import SERVICES
from testkit.http_api import HttpApi, running_http_api
from tests.http_api.services import Services, served


class Door:
    """The HTTP API, the services behind it, and a client."""

    def __init__(self, api: HttpApi, services: Services) -> None:
        self.api = api
        self.services = services
        self.client = httpx.Client(base_url=api.url, timeout=30)

    def post(self, path: str, body: str, **headers: str) -> httpx.Response:
        """Sends a body as JSON."""
        return self.client.post(path, content=body, headers={"content-type": "application/json", **headers})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An HTTP API for all tests of a module."""
    with served() as (services, target):
        targets = dict.fromkeys(SERVICES, target)
        with running_http_api(tmp_path_factory.mktemp("http"), targets) as api:
            door = Door(api, services)
            with door.client:
                yield door


@pytest.fixture
def door(running: Door) -> Door:
    """The HTTP API, whose services remember nothing of other tests."""
    running.services.answers.clear()
    running.services.calls.clear()
    return running
