"""A worker serves its health at a port of its own, and ends when a background task fails."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.local.embedded import free_port
from shared.watchdog import FAILED
from testkit.waiting import eventually

PROGRAM = """
import asyncio, contextlib, os, sys, threading
import dramatiq
from shared import entrypoint, watchdog
from shared.inbox import worker
from shared.settings import WorkerSettings
from shared.tasks import running
from shared.watchdog import Heartbeat

class Application:
    def __init__(self):
        self.heartbeat, self.stuck, self.broken = Heartbeat(), threading.Event(), threading.Event()

    async def lane(self):
        with self.heartbeat.loop():
            while not self.broken.is_set():
                if not self.stuck.is_set():
                    self.heartbeat.beat()
                await asyncio.sleep(0.02)
        raise ZeroDivisionError

class Watch(dramatiq.Middleware):
    def before_worker_shutdown(self, broker, worker):
        print("stopping", flush=True)
        sys.stdin.readline()

@contextlib.asynccontextmanager
async def opened(broker):
    broker.add_middleware(Watch())
    application = Application()
    async with running(application.lane()):
        threading.Thread(target=listen, args=(application,), daemon=True).start()
        yield application
    print("closed", flush=True)

def listen(application):
    command = sys.stdin.readline().strip()
    if command:
        getattr(application, command).set()

def run(settings: WorkerSettings) -> None:
    \"\"\"Run.\"\"\"
    watchdog.MAX_SILENT_SECONDS = float(os.environ["SILENT"])
    watchdog.end_process = lambda *_, **__: None  # so that its health can be asked for
    worker.work(settings, REDIS, "127.0.0.1", opened, lambda broker, app: None, "worker")

REDIS = os.environ["REDIS"]
sys.modules["test_service"] = sys.modules["__main__"]
entrypoint.run("test_service", WorkerSettings, {"run": run})
"""
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Running:
    """A running worker."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self._port = port

    async def says(self, status: int) -> bool:
        """Returns whether the worker reports this health status."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            try:
                answer = await stub.Check(request, timeout=30, wait_for_ready=True)  # type: ignore[attr-defined]
            except grpc.aio.AioRpcError:
                return False
            return bool(answer.status == status)

    def send(self, command: str) -> None:
        """Sends a command to the worker."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()


@contextmanager
def working(redis_url: str, port: int, *, silent: float = 60.0) -> Iterator[Running]:
    """Starts a worker whose loops count as stuck after `silent` seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run"],
        env={
            "REDIS": redis_url,
            "SILENT": str(silent),
            "LEADSCORE_HEALTH_PORT": str(port),
            "PYTHONPATH": ":".join(sys.path),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process, port)
        finally:
            process.kill()


async def test_a_worker_is_serving_only_while_all_of_its_loops_run(redis_url: str) -> None:
    with working(redis_url, free_port(), silent=1.0) as worker:
        await eventually(lambda: worker.says(SERVING), what="SERVING")
        worker.send("stuck")
        await eventually(lambda: worker.says(NOT_SERVING), what="NOT_SERVING")


async def test_a_stopping_worker_is_not_serving(redis_url: str) -> None:
    with working(redis_url, free_port()) as worker:
        await eventually(lambda: worker.says(SERVING), what="SERVING")
        worker.send("")
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.stdout is not None
        assert await asyncio.to_thread(worker.process.stdout.readline) == "stopping\n"
        assert await worker.says(NOT_SERVING)
        worker.send("")
        out, _ = await asyncio.to_thread(worker.process.communicate, timeout=60)
        assert (worker.process.returncode, out) == (0, "closed\n")


async def test_a_worker_ends_when_a_background_task_fails(redis_url: str) -> None:
    with working(redis_url, free_port()) as worker:
        await eventually(lambda: worker.says(SERVING), what="SERVING")
        worker.send("broken")
        _, log = await asyncio.to_thread(worker.process.communicate, timeout=60)
        assert worker.process.returncode == FAILED
        events = [json.loads(line)["event"] for line in log.splitlines()]
        assert events == ["health", "worker ready", "background task ended"]


def test_a_health_port_in_use_is_reported_in_one_line(redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, working(redis_url, other.getsockname()[1]) as worker:
        _, log = worker.process.communicate(timeout=60)
        assert worker.process.returncode == 1
        line = log.splitlines()[-1]  # grpc has one of its own before it
        assert line.startswith("test_service: 127.0.0.1:")
        assert line.endswith("choose another LEADSCORE_HEALTH_PORT")


async def test_a_worker_runs_without_a_health_port(redis_url: str) -> None:
    with working(redis_url, 0) as worker:
        assert worker.process.stderr is not None
        lines = [json.loads(await asyncio.to_thread(worker.process.stderr.readline)) for _ in range(2)]
        assert {line["event"] for line in lines} == {"health", "worker ready"}
