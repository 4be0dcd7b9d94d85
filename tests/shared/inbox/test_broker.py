"""The broker reports a bad URL or an unavailable Redis in one line, and hands each message over once."""

import dramatiq
import pytest
from dramatiq.errors import BrokerConnectionError

from shared.inbox import broker as brokers
from shared.inbox.broker import DoorbellBroker
from shared.settings import StartupError
from tests.shared.inbox.pouring_worker import QUEUE, send, waiting

pytestmark = pytest.mark.usefixtures("opened_brokers")


NOBODY = "redis://127.0.0.1:1/0"


def declare(broker: DoorbellBroker, queue: str) -> None:
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


def test_a_message_is_handed_over_once(broker: DoorbellBroker) -> None:
    declare(broker, QUEUE)
    send(broker, 1)
    first, second = broker.consume(QUEUE, timeout=10), broker.consume(QUEUE, timeout=10)
    message = next(first)
    assert message is not None
    assert message.args == (1,)
    assert next(second) is None
    first.nack(message)
    assert next(first) is None, "expected no retry"
    first.close()
    second.close()


def test_a_consumer_holds_no_more_messages_than_it_may_prefetch(broker: DoorbellBroker) -> None:
    declare(broker, QUEUE)
    send(broker, 1, 2)
    consumer = broker.consume(QUEUE, prefetch=1, timeout=10)
    message = next(consumer)
    assert message is not None
    assert next(consumer) is None
    assert waiting(broker) == 1
    consumer.ack(message)
    assert next(consumer) is not None
    consumer.close()


def test_messages_that_were_not_begun_return_to_the_queue(broker: DoorbellBroker) -> None:
    declare(broker, QUEUE)
    send(broker, 1)
    consumer = broker.consume(QUEUE)
    message = next(consumer)
    assert message is not None
    consumer.requeue([message])
    assert waiting(broker) == 1
    consumer.close()


def test_a_queue_without_workers_is_bounded(broker: DoorbellBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "MAX_QUEUED", 2)
    declare(broker, QUEUE)
    send(broker, 1, 2, 3)
    assert waiting(broker) == 2
    consumer = broker.consume(QUEUE)
    message = next(consumer)
    assert message is not None
    assert message.args == (2,), "expected the oldest message to be dropped"
    consumer.close()


def test_a_consumer_without_redis_is_reported_as_closed_so_that_dramatiq_opens_another() -> None:
    consumer = brokers.connect(NOBODY).consume(QUEUE, timeout=10)
    for _ in range(3):  # a failed attempt holds no slot
        with pytest.raises(BrokerConnectionError):
            next(consumer)
    consumer.close()
