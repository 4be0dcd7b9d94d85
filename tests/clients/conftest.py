"""One running system for all tests of the clients, and where its services are. Each test has leads of its own."""

from collections.abc import Iterator

import pytest
from leadscore.client import RetryPolicy, Targets

from testkit.system import SERVERS, System, running_system

PATIENT = RetryPolicy(attempt_seconds=60.0, total_seconds=120.0)
"""For calls that must outlast the restart of a service on a busy machine, and not be stored twice."""


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system."""
    with running_system(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture(scope="session")
def targets(system: System) -> Targets:
    """The addresses of the running system."""
    return Targets(*(system.target(server) for server in SERVERS))
