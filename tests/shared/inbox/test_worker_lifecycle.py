"""A worker opens its application before the first message and closes it after the last."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from functools import partial

import dramatiq
import pytest
from dramatiq.asyncio import EventLoopThread
from structlog.testing import capture_logs

from shared.inbox.broker import DoorbellBroker
from shared.settings import StartupError
from tests.shared.inbox.pouring_worker import QUEUE, StopSignal, Teapot, register, run_worker, send, stop_at, waiting

pytestmark = pytest.mark.usefixtures("contained_signals", "opened_brokers")


def test_a_worker_opens_before_the_first_message_and_closes_after_the_last(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal
) -> None:
    send(broker, 1, 2, 3)
    teapot = Teapot()
    run_worker(redis_url, teapot.open, partial(register, stop_at(3, stop_signal)))
    assert teapot.notes[:2] == ["opening", "open"]
    assert sorted(teapot.notes[2:-1]) == ["cup 1", "cup 2", "cup 3"]
    assert teapot.notes[-1] == "closed"
    assert len(teapot.loops) == 1, "expected everything in one event loop"
    assert waiting(broker) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_worker_finishes_its_running_messages(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal, number: signal.Signals
) -> None:
    stopping = threading.Event()
    stop_signal.number = number

    def register_slow(broker: dramatiq.Broker, app: Callable[[], Teapot]) -> None:
        @dramatiq.actor(broker=broker, actor_name=QUEUE, queue_name=QUEUE)
        async def actor(cup: int) -> None:
            stop_signal.start_sending()
            await asyncio.to_thread(stopping.wait, 10)
            await app().note(f"cup {cup}")

    class Watch(dramatiq.Middleware):
        def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
            stopping.set()

    def open_watched(broker: DoorbellBroker) -> contextlib.AbstractAsyncContextManager[Teapot]:
        broker.add_middleware(Watch())
        return teapot.open(broker)

    send(broker, 1)
    teapot = Teapot()
    run_worker(redis_url, open_watched, register_slow)
    assert teapot.notes == ["opening", "open", "cup 1", "closed"]
    assert waiting(broker) == 0


def test_a_failed_message_is_logged_and_not_retried_and_the_next_one_is_done(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal, caplog: pytest.LogCaptureFixture
) -> None:
    def pour(teapot: Teapot, cup: int) -> None:
        if cup == 1:
            send(broker, 2)
            raise ZeroDivisionError
        stop_at(2, stop_signal)(teapot, cup)

    send(broker, 1)
    teapot = Teapot()
    run_worker(redis_url, teapot.open, partial(register, pour))
    assert teapot.notes == ["opening", "open", "cup 1", "cup 2", "closed"]
    assert waiting(broker) == 0
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [StartupError("the teapot is missing"), ZeroDivisionError()])
def test_an_error_on_opening_the_application_is_raised_unchanged(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal, error: Exception
) -> None:
    send(broker, 1)
    teapot = Teapot(error)
    with pytest.raises(type(error)) as caught:
        run_worker(redis_url, teapot.open, partial(register, stop_at(1, stop_signal)))
    assert caught.value is error
    assert teapot.notes == ["opening"]
    assert waiting(broker) == 1, "expected the message to wait for another worker"
    assert all(not loop.is_running() for loop in teapot.loops), "expected no event loop to keep running"


def test_a_worker_logs_when_it_is_ready_and_when_it_has_stopped(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal
) -> None:
    send(broker, 1)
    with capture_logs() as lines:
        run_worker(redis_url, Teapot().open, partial(register, stop_at(1, stop_signal)))
    logged = [line for line in lines if line["event"] != "health"]
    assert [line["event"] for line in logged] == ["worker ready", "worker stopped"]
    assert logged[0]["queues"] == [QUEUE]


def test_a_worker_waits_for_an_event_loop_that_starts_late(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = EventLoopThread.run

    def run_late(thread: EventLoopThread) -> None:
        threading.Event().wait(1.2)  # dramatiq itself waits for a second
        run(thread)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(EventLoopThread, "run", run_late)
    send(broker, 1)
    teapot = Teapot()
    run_worker(redis_url, teapot.open, partial(register, stop_at(1, stop_signal)))
    assert teapot.notes[0] == "opening"
    assert waiting(broker) == 0, "expected the message to be done"
