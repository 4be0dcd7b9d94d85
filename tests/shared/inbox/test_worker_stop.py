"""A worker stops on a signal, at any moment and without Redis."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from cli.local.embedded import EmbeddedRedis
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from tests.shared.inbox.pouring_worker import send

pytestmark = pytest.mark.usefixtures("opened_brokers")


ROUNDS = 20


PROGRAM = """
import asyncio, contextlib, os, signal, sys, threading
import dramatiq
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import WorkerSettings
from shared.watchdog import Heartbeat

class Application: heartbeat = Heartbeat()
class Watch(dramatiq.Middleware):
    def before_worker_shutdown(self, broker, worker): stopping.set()

@contextlib.asynccontextmanager
async def application(broker):
    broker.add_middleware(Watch())
    yield Application()

def register(broker, app):
    @dramatiq.actor(broker=broker, actor_name="pour", queue_name="pour")
    async def actor():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.to_thread(stopping.wait, 10)

brokers.REDIS_SECONDS = 10.0
client = brokers.connect(os.environ["REDIS"])
for _ in range(int(sys.argv[1])):
    stopping = threading.Event()
    client.client.delete(client.key("pour"))
    client.enqueue(dramatiq.Message(queue_name="pour", actor_name="pour", args=(), kwargs={}, options={}))
    overdue = threading.Timer(30, os._exit, [3])
    overdue.start()
    workers.work(WorkerSettings(health_port=0), os.environ["REDIS"], "127.0.0.1", application, register, "worker")
    overdue.cancel()
"""
"""Runs workers one after another, each stopped as it becomes ready; exits with 3 if one does not stop."""


STUCK = """
import asyncio, contextlib, os, sys, threading, time
import dramatiq
from shared import logs
from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import WorkerSettings
from shared.watchdog import Heartbeat

class Application: heartbeat = Heartbeat()
running, stopping = [], threading.Event()

def end_actors(worker):
    while any(thread.running for thread in worker.workers): time.sleep(0.01)
    stopping.set()

class Watch(dramatiq.Middleware):
    def before_worker_boot(self, broker, worker): running.append(worker)
    def before_worker_shutdown(self, broker, worker): threading.Thread(target=end_actors, args=[worker]).start()

@contextlib.asynccontextmanager
async def application(broker):
    broker.add_middleware(Watch())
    yield Application()
    print("closed", flush=True)

def register(broker, app):
    @dramatiq.actor(broker=broker, actor_name="pour", queue_name="pour")
    async def actor(cup):
        while running[0].work_queue.empty(): await asyncio.sleep(0.01)
        print("pouring", flush=True)
        await asyncio.to_thread(stopping.wait, 60)

logs.configure("test", "info")
workers.work(WorkerSettings(health_port=0), os.environ["REDIS"], "127.0.0.1", application, register, "worker")
"""
"""Runs a worker with a fetched message beside those that run. These end once none of its threads takes another one."""


def test_a_signal_during_startup_is_not_lost(redis_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROUNDS)],
        env=os.environ | {"REDIS": redis_url},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, "expected every worker to stop within 30 s"


def kill(server: EmbeddedRedis) -> None:
    server.kill()


def freeze(server: EmbeddedRedis) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def fill(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)


@pytest.mark.parametrize("break_", [kill, freeze, fill])
def test_a_worker_stops_while_redis_is_unavailable(break_: Callable[[EmbeddedRedis], None], tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        send(brokers.connect(server.url), *range(3 * workers.THREADS))
        with subprocess.Popen(
            [sys.executable, "-c", STUCK],
            env=os.environ | {"REDIS": server.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as worker:
            try:
                assert worker.stdout is not None
                assert [worker.stdout.readline() for _ in range(workers.THREADS)] == ["pouring\n"] * workers.THREADS
                break_(server)
                worker.send_signal(signal.SIGTERM)
                out, log = worker.communicate(timeout=90)
            finally:
                worker.kill()
                server.kill()
    assert worker.returncode == 0
    assert out == "closed\n", "expected no fetched message to be poured any more"
    assert log.count("the sweeper will ring") == 1
    assert "Traceback" not in log
