"""The contracts of the ports that have a fake, run against the fake and the real implementation."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from automation_service.delivery.address_guard import Guard, GuardedTransport
from automation_service.delivery.attempt import DeliveryAttempt
from automation_service.delivery.dispatcher import Dispatcher
from automation_service.delivery.receivers import AllReceivers, HttpReceivers, open_client
from automation_service.domain.address import read_networks
from automation_service.domain.delivery import Answer, Fate
from automation_service.domain.limits import InvalidRule
from automation_service.ports import Changes, DeliveryQueue, Receivers
from automation_service.store import schema
from automation_service.store.changes import MongoChanges
from shared import wire
from shared.contracts import score_changes
from shared.inbox.collection import Inbox
from shared.mongo import Database
from testkit.receiver import Request, Writer, answering, receiving
from tests.automation.fake_stores import FakeChanges
from tests.automation.fakes import NOW, FakeDeliveryQueue, FakeHold, FakeReceivers, change, executed, rule, webhook
from tests.automation.receiving import delivery
from tests.automation.test_drain import put
from tests.automation.test_network import TLS

ADDRESSES = {"crm.example": "127.0.0.1", "localhost": "169.254.169.254"}
"""The hosts of receivers: one whose address is allowed, and one whose address is forbidden."""
PENDING = [change("bob"), change("ada", 3), change("ada", 2)]
ROWS = [each.row for each in PENDING]


@pytest.fixture(params=["memory", "mongodb"])
async def changes(request: pytest.FixtureRequest, database: Database) -> Changes:
    if request.param == "memory":
        return FakeChanges(*PENDING)
    inbox = Inbox(database, score_changes.CONTRACT, partitions=1)
    await inbox.migrate()
    await schema.migrate(database, partitions=1)
    await put(inbox, *PENDING)
    return MongoChanges(database, inbox, transaction_seconds=10)


async def test_pending_changes_are_ordered_by_lead_and_sequence(changes: Changes) -> None:
    rows = await changes.pending([0], 10)
    assert (rows, rows.changes) == ([each.row for each in PENDING], 3)
    assert await changes.read(rows) == [PENDING[2], PENDING[1], PENDING[0]]
    assert len(await changes.pending([0], 2)) == 2
    assert await changes.pending([0], 10, [PENDING[0].row.row_id]) == [PENDING[0].row]
    assert await changes.read(rows[:1]) == [PENDING[0]]


async def test_marked_changes_are_no_longer_pending(changes: Changes) -> None:
    async def settle() -> int:
        await changes.lock(["ada"])
        await changes.mark(ROWS[1:])
        return 7

    assert await changes.transact(settle) == 7
    assert await changes.still_pending(ROWS) == {ROWS[0]}
    assert await changes.pending([0], 10) == [ROWS[0]]
    assert await changes.read(ROWS) == [PENDING[0]]


async def test_skipped_changes_are_no_longer_pending(changes: Changes) -> None:
    await changes.skip(ROWS[1:])
    await changes.skip(ROWS[1:])
    assert await changes.pending([0], 10) == [ROWS[0]]


@pytest.fixture(params=["fake", "dispatcher"])
def delivery_queue(request: pytest.FixtureRequest) -> DeliveryQueue:
    unused: DeliveryAttempt = None  # type: ignore[assignment]  # `admit` starts nothing
    return (
        FakeDeliveryQueue() if request.param == "fake" else Dispatcher(None, FakeHold(), unused, lambda: NOW)  # type: ignore[arg-type]
    )


def test_admitting_changes_nothing_but_the_claims(delivery_queue: DeliveryQueue) -> None:
    new = [executed(change(), rule("call", None, webhook())), executed(change("bob"), rule())]
    admitted = delivery_queue.admit(new)
    unclaimed = [
        replace(each, deliveries=tuple(replace(one, lease="", due_time=NOW) for one in each.deliveries))
        for each in admitted
    ]
    assert unclaimed == new


class ReceiversAndUrl(NamedTuple):
    """The receivers under contract, and the URL of one that answers with 200, then 503, then 410."""

    receivers: Receivers
    url: str


@pytest.fixture(params=["fake", "http"])
async def receivers(request: pytest.FixtureRequest) -> AsyncIterator[ReceiversAndUrl]:
    if request.param == "fake":
        answers = Answer(Fate.ARRIVED, 200, "ok"), Answer(Fate.RETRY, 503, "ok"), Answer(Fate.GONE, 410, "ok")
        yield ReceiversAndUrl(FakeReceivers(*answers), "https://crm.example/hook")
        return
    behaviours = [answering(status) for status in (200, 503, 410)]

    async def behave(request: Request, writer: Writer) -> None:
        await behaviours.pop(0)(request, writer)

    guard = Guard(read_networks(["127.0.0.0/8"]), resolve)
    transport = GuardedTransport(guard, per_endpoint=8, tls=TLS)
    async with receiving() as receiver, open_client(transport) as client:
        receiver.behaviour = behave
        yield ReceiversAndUrl(
            AllReceivers(HttpReceivers(client, guard, wire.now, allow_http=True), None),
            receiver.url(host="crm.example"),
        )


async def resolve(host: str, port: int) -> list[str]:
    """Resolves two hosts; no other one has an address."""
    if host not in ADDRESSES:
        raise OSError("Name or service not known")
    return [ADDRESSES[host]]


async def test_receivers_return_every_failure_as_an_answer(receivers: ReceiversAndUrl) -> None:
    action = webhook(url=receivers.url)
    found = [await receivers.receivers.send(action, delivery(action)) for _ in range(3)]
    assert found == [
        Answer(Fate.ARRIVED, 200, "ok"),
        Answer(Fate.RETRY, 503, "ok"),
        Answer(Fate.GONE, 410, "ok"),
    ]


async def test_receivers_check_the_host_of_an_action(receivers: ReceiversAndUrl) -> None:
    async def check(url: str) -> list[str]:
        return await receivers.receivers.check("actions[0].webhook", webhook(url=url))

    assert await check(receivers.url) == []
    [warning] = await check("https://nowhere.example/")
    assert warning.startswith("actions[0].webhook.url: ")
    with pytest.raises(InvalidRule) as caught:
        await check("https://localhost/")
    assert caught.value.field == "actions[0].webhook.url"
