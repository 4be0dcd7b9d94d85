"""The broker reports a bad URL or an unavailable Redis in one line, and loses no message."""

from unittest.mock import Mock

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError

from shared.inbox import broker as brokers
from shared.inbox import worker as workers
from shared.settings import StartupError
from tests.shared.inbox.pouring_worker import QUEUE, send

pytestmark = pytest.mark.usefixtures("opened_brokers")


NOBODY = "redis://127.0.0.1:1/0"


def declare(broker: RedisBroker, queue: str) -> None:
    """Declares an actor that does nothing, since messages without an actor are dropped."""

    @dramatiq.actor(broker=broker, actor_name=queue, queue_name=queue)
    def actor(cup: int) -> None:
        pass


def test_connecting_sends_nothing() -> None:
    assert brokers.connect(NOBODY).middleware == []


@pytest.mark.parametrize("url", ["nonsense", "redis://127.0.0.1:port/0", "http://127.0.0.1/"])
def test_a_malformed_url_is_reported_in_one_line(url: str) -> None:
    with pytest.raises(StartupError, match=r"^LEADSCORE_REDIS_URL: "):
        brokers.connect(url)


@pytest.mark.parametrize(
    "password", ["hunter/two", "hunter?two", "hunter#two", "hunter[two", "hunter@5678/two", "5678/two", "5678?a=two"]
)
def test_no_part_of_an_unencoded_password_is_reported(password: str) -> None:
    with pytest.raises(StartupError, match="percent-encode the user and the password") as caught:
        brokers.connect(f"redis://:{password}@127.0.0.1:6379/0")
    assert not {part for part in ("hunter", "two", "5678") if part in str(caught.value)}


@pytest.mark.parametrize("url", ["redis://:hunter%2Ftwo@127.0.0.1/0", "redis://:hunter@two@127.0.0.1/0"])
def test_an_unambiguous_password_is_accepted(url: str) -> None:
    assert brokers.connect(url).client.get_connection_kwargs()["host"] == "127.0.0.1"


def test_an_unavailable_redis_is_logged_once_even_by_two_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = brokers.connect(NOBODY).consume(QUEUE)
    message = dramatiq.MessageProxy(
        dramatiq.Message(queue_name=QUEUE, actor_name=QUEUE, args=(1,), kwargs={}, options={"redis_message_id": "1"})
    )
    logged: list[str] = []

    def warn(event: str, **_: object) -> None:
        logged.append(event)
        if len(logged) < workers.THREADS:
            consumer.ack(message)  # as the other thread does at the same moment

    monkeypatch.setattr(brokers, "_LOG", Mock(warning=warn))
    consumer.ack(message)
    assert logged == ["redis is unavailable; the sweeper will ring"]


def test_an_unacknowledged_message_is_delivered_again_to_the_same_worker(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "HEARTBEAT_MILLISECONDS", 100)
    monkeypatch.setattr(brokers, "MAINTENANCE_CHANCE", 1_000_000)
    broker = brokers.connect(redis_url)
    broker.flush(QUEUE)
    declare(broker, QUEUE)
    send(broker, 1)
    consumer = broker.consume(QUEUE)
    message = next(consumer)
    assert message is not None
    broker.client.config_set("maxmemory", 1)
    try:
        consumer.ack(message)
    finally:
        broker.client.config_set("maxmemory", 0)
    with pytest.raises(BrokerConnectionError):  # so that dramatiq consumes the queue again
        next(consumer)
    again = broker.consume(QUEUE, timeout=20)
    found = next((message for _ in range(200) if (message := next(again))), None)
    assert found is not None, "expected the message again"
    again.ack(found)
    assert broker.do_qsize(QUEUE) == 0


def test_a_message_lost_with_a_reply_is_delivered_again_to_the_same_worker(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "HEARTBEAT_MILLISECONDS", 100)
    monkeypatch.setattr(brokers, "MAINTENANCE_CHANCE", 1_000_000)
    queue = "lost"
    broker = brokers.connect(redis_url)
    broker.flush(queue)
    declare(broker, queue)
    broker.consume(queue)
    broker.enqueue(dramatiq.Message(queue_name=queue, actor_name=queue, args=(1,), kwargs={}, options={}))
    assert broker.do_fetch(queue, 1), "expected the message, whose reply the worker never sees"
    again = broker.consume(queue, timeout=20)
    found = next((message for _ in range(200) if (message := next(again))), None)
    assert found is not None, "expected the message again"
    again.ack(found)
    assert broker.do_qsize(queue) == 0
