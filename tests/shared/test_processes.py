"""The processes of a server share its port with nobody else, and start and stop together."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from cli.local.embedded import free_port
from cli.local.ports import obstacle
from shared import watchdog
from testkit.metrics import fetch
from testkit.waiting import eventually
from tests.shared.rpc.teapot import POUR

COMMAND = [sys.executable, "-m", "tests.shared.pouring_server", "pour"]
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
SECONDS = 60
WITH_AN_ORPHAN = """
import ctypes, os, sys, time
from shared import processes

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
child = os.fork()
if child == 0:
    told, tell = os.pipe()
    parent = os.fork()
    if parent == 0:
        orphan = os.fork()
        if orphan == 0:
            os._exit(1)
        os.write(tell, str(orphan).encode())
        os._exit(0)
    os.waitpid(parent, 0)
    orphan = int(os.read(told, 20))
    while os.path.exists(f"/proc/{orphan}"):  # until the first process has asked for its status
        time.sleep(0.01)
    os._exit(0)
sys.exit(processes._wait_for([child]))
"""


class Server:
    """A server of two processes, and of the one that has started them."""

    def __init__(self) -> None:
        self.port = free_port()
        self.metrics_port = free_ports(2)
        self.environment = os.environ | {
            "LEADSCORE_PORT": str(self.port),
            "LEADSCORE_PROCESSES": "2",
            "LEADSCORE_METRICS_PORT": str(self.metrics_port),
        }
        self.process = subprocess.Popen(COMMAND, env=self.environment, stderr=subprocess.PIPE, text=True)
        self.children: set[int] = set()

    async def found_both(self) -> bool:
        """Opens a connection, asks which process answers, and returns whether both have answered by now."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=OWN_CONNECTION) as channel:
            call = channel.unary_unary(POUR, StringValue.SerializeToString, StringValue.FromString)
            answer: StringValue = await call(StringValue(value="tea"), wait_for_ready=True, timeout=SECONDS)
        self.children.add(int(answer.value))
        return len(self.children) == 2

    async def have_ended(self) -> bool:
        """Returns whether both processes have ended."""
        return not any(map(is_running, self.children))


def free_ports(count: int) -> int:
    """Returns the first of so many free ports in a row."""
    while True:
        first = free_port()
        if not any(obstacle(first + number) for number in range(1, count)):
            return first


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    with started.process as process:
        process.terminate()


async def test_every_process_answers_until_sigterm_stops_them_all(server: Server) -> None:
    await eventually(server.found_both, what="answers of two processes")
    assert server.process.pid not in server.children
    server.process.terminate()
    assert server.process.wait(SECONDS) == 0
    assert not any(map(is_running, server.children)), "expected the first process to end last"


async def test_each_of_them_has_a_metrics_page_of_its_own(server: Server) -> None:
    await eventually(server.found_both, what="answers of two processes")
    pages = [await fetch(server.metrics_port + number) for number in range(2)]
    calls = [
        page.value("rpc_server_call_duration_seconds_count", rpc_method=POUR[1:], rpc_response_status_code="OK")
        for page in pages
    ]
    assert all(calls), f"expected each process to have counted the calls that it answered: {calls}"


async def test_another_server_does_not_share_their_port(server: Server) -> None:
    await eventually(server.found_both, what="answers of two processes")
    for count in ("1", "2"):
        environment = server.environment | {"LEADSCORE_PROCESSES": count}
        second = await asyncio.to_thread(
            subprocess.run, COMMAND, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("tests: ")]
        assert second.returncode == 1
        assert f"127.0.0.1:{server.port} is in use: stop the process that uses it" in line


async def test_they_end_when_the_process_that_started_them_is_killed(server: Server) -> None:
    await eventually(server.found_both, what="answers of two processes")
    server.process.kill()
    await eventually(server.have_ended, what="the end of both processes")


async def test_they_all_end_when_one_of_them_dies(server: Server) -> None:
    await eventually(server.found_both, what="answers of two processes")
    os.kill(min(server.children), signal.SIGKILL)
    assert await asyncio.to_thread(server.process.wait, SECONDS) == watchdog.FAILED
    assert not any(map(is_running, server.children))


def test_orphans_that_the_first_process_of_a_container_gets_are_not_taken_for_its_own() -> None:
    """Such as the helpers of a scoring server that has died."""
    command = [sys.executable, "-c", WITH_AN_ORPHAN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
