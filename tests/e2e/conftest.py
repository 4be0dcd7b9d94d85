"""One system for all tests of a module."""

from collections.abc import AsyncIterator, Iterator

import pytest

from testkit.system import System, running_system


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system."""
    with running_system(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture
async def system(processes: System) -> AsyncIterator[System]:
    """The running system, with channels of this test's event loop."""
    yield processes
    await processes.close_channels()
