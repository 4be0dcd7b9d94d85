"""The contracts of the ports that have a fake, run against the fake and the real implementation."""

from dataclasses import replace

import pytest

from automation_service.delivery.attempt import DeliveryAttempt
from automation_service.delivery.dispatcher import Dispatcher
from automation_service.domain.limits import InvalidRule
from automation_service.domain.need import BASICS, Need
from automation_service.ports import Changes, DeliveryQueue
from automation_service.store import schema
from automation_service.store.changes import MongoChanges
from shared.contracts import score_changes
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.automation.fake_stores import FakeChanges
from tests.automation.fakes import (
    INSIGHT,
    NOW,
    FakeDeliveryQueue,
    FakeInsights,
    FakeReceivers,
    change,
    executed,
    rule,
    webhook,
)
from tests.automation.test_drain import put

PENDING = [change("bob"), change("ada", 3), change("ada", 2)]


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
    assert await changes.pending([0], 10) == [PENDING[2], PENDING[1], PENDING[0]]
    assert len(await changes.pending([0], 2)) == 2
    assert await changes.pending([0], 10, [PENDING[0].change_id]) == [PENDING[0]]


async def test_marked_changes_are_no_longer_pending(changes: Changes) -> None:
    async def settle() -> int:
        await changes.lock(["ada"])
        await changes.mark(PENDING[1:])
        return 7

    assert await changes.transact(settle) == 7
    assert await changes.still_pending(PENDING) == [PENDING[0]]
    assert await changes.pending([0], 10) == [PENDING[0]]


@pytest.fixture(params=["fake", "dispatcher"])
def delivery_queue(request: pytest.FixtureRequest) -> DeliveryQueue:
    unused: DeliveryAttempt = None  # type: ignore[assignment]  # `admit` starts nothing
    return (
        FakeDeliveryQueue() if request.param == "fake" else Dispatcher(None, unused, lambda: NOW)  # type: ignore[arg-type]
    )


def test_admitting_changes_nothing_but_the_claims(delivery_queue: DeliveryQueue) -> None:
    new = [executed(change(), rule("call", None, webhook())), executed(change("bob"), rule())]
    admitted = delivery_queue.admit(new)
    unclaimed = [
        replace(each, deliveries=tuple(replace(one, lease="", due_time=NOW) for one in each.deliveries))
        for each in admitted
    ]
    assert unclaimed == new


async def test_fake_insights_hold_what_is_needed_and_leave_out_leads_without_a_score() -> None:
    """As `IntelligenceInsights` does in `test_clients.py`."""
    known = replace(INSIGHT, attributes={"seats": 3.0, "name": "Ada"})
    insights = FakeInsights(known, unknown=["nobody"])
    assert await insights.of(["ada", "nobody"], BASICS) == {"ada": replace(known, attributes={})}
    needed = Need(attributes=frozenset({"seats"}))
    assert (await insights.of(["ada"], needed))["ada"].attributes == {"seats": 3.0}


async def test_fake_receivers_refuse_and_warn() -> None:
    """As `AllReceivers` does in `test_network.py`."""
    receivers = FakeReceivers()
    with pytest.raises(InvalidRule) as caught:
        await receivers.check("actions[0].webhook", webhook(url="https://localhost/"))
    assert caught.value.field == "actions[0].webhook.url"
    [warning] = await receivers.check("actions[0].webhook", webhook(url="https://nowhere.example/"))
    assert warning.startswith("actions[0].webhook")
