"""Whatever others put into Redis, a worker drops what is malformed and does the rest."""

import json
import threading
from functools import partial
from typing import Any

import dramatiq
import pytest
import redis
from structlog.testing import capture_logs

from shared.inbox.broker import DoorbellBroker
from tests.shared.inbox.pouring_worker import QUEUE, StopSignal, Teapot, register, run_worker, send, stop_at, waiting

pytestmark = pytest.mark.usefixtures("contained_signals", "opened_brokers")


def body(**changes: Any) -> bytes:
    """Returns an encoded dramatiq message with some fields changed."""
    message: dramatiq.Message[None] = dramatiq.Message(QUEUE, QUEUE, args=(1,), kwargs={}, options={})
    return json.dumps(message.asdict() | changes).encode()


MALFORMED = [
    b"",
    b"\xff\x00",
    b"nonsense",
    b"[]",
    b"7",
    b"{}",
    b"[" * 3000,
    b" " * 10_000,
    body(args=7),
    body(args=[]),
    body(args=[1, 2]),
    body(kwargs=[]),
    body(kwargs={"saucer": 1}),
    body(actor_name="brew"),
    body(actor_name=["pour"]),
    body(queue_name="brew"),
    body(queue_name=None),
    body(message_id=[]),
    body(options=[]),
    body(options={"eta": 1 << 60}),
    body(options={"pipe_target": 7}),
    body(more=1),
]


def put(broker: DoorbellBroker, message: bytes) -> None:
    """Puts raw bytes into the queue, as anyone with access to Redis can."""
    broker.client.rpush(broker.key(QUEUE), message)


def test_malformed_messages_are_logged_and_dropped_and_the_next_one_is_done(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal
) -> None:
    for message in MALFORMED:
        put(broker, message)
    send(broker, 1)
    teapot = Teapot()
    with capture_logs() as lines:
        run_worker(redis_url, teapot.open, partial(register, stop_at(1, stop_signal)))
    assert teapot.notes == ["opening", "open", "cup 1", "closed"]
    logged = [line for line in lines if line["event"] == "malformed message dropped"]
    assert len(logged) == len(MALFORMED)
    assert all(line["flaw"] and len(line["message"]) <= 500 for line in logged)
    assert waiting(broker) == 0


def test_a_key_of_another_type_does_not_block_messages(
    broker: DoorbellBroker, redis_url: str, stop_signal: StopSignal
) -> None:
    broker.client.set(broker.key(QUEUE), "a string")
    teapot = Teapot()
    sender = threading.Thread(target=send_when_possible, args=(broker, 1))
    sender.start()
    with capture_logs() as lines:
        run_worker(redis_url, teapot.open, partial(register, stop_at(1, stop_signal)))
    sender.join()
    assert "cup 1" in teapot.notes
    assert [line["event"] for line in lines if "key" in line] == ["key of another type deleted"]


def send_when_possible(broker: DoorbellBroker, cup: int) -> None:
    """Sends repeatedly, as the sweeper does, until it succeeds."""
    while True:
        try:
            send(broker, cup)
        except redis.ResponseError:
            threading.Event().wait(0.02)
        else:
            return
