"""A change that cannot be read or evaluated parks that change only, although it shares a row with others."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import bson
import pytest

from automation_service.domain.execution import Candidate, fire
from automation_service.domain.lead import Row
from automation_service.store import schema
from automation_service.store.rules import MongoRules
from automation_service.usecases import evaluation as module
from shared.contracts import score_changes
from shared.contracts.score_changes import lead_of
from shared.inbox import broker as brokers
from shared.inbox import parking as parking_module
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.inbox.parking import Parked, Parking
from shared.mongo import Database, Document
from shared.tasks import running
from testkit.secret_keys import KEYS
from testkit.waiting import eventually
from tests.automation.fakes import FakeInsights, change, rule
from tests.automation.test_drain import evaluation, executions, put

LEADS = [f"lead-{number:02}" for number in range(40)]
BAD = "lead-17"


@pytest.fixture(autouse=True)
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking_module, "PAUSE", timedelta(milliseconds=1))


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    """Two rows with the changes of twenty leads each, and a rule that fires on all of them."""
    inbox = Inbox(database, score_changes.CONTRACT, partitions=1)
    await inbox.migrate()
    await schema.migrate(database, partitions=1)
    await MongoRules(database, KEYS).create(rule())
    await put(inbox, *(replace(change(each), row=Row(f"row-{number // 20}", 0)) for number, each in enumerate(LEADS)))
    return inbox


@pytest.fixture
def doorbell(redis_url: str) -> Iterator[Doorbell]:
    broker = brokers.connect(redis_url)
    yield Doorbell(broker, f"changes_{uuid.uuid4().hex}")
    broker.client.close()


async def drained(database: Database, inbox: Inbox, doorbell: Doorbell) -> list[Parked]:
    """Drains the inbox as a worker does, and returns the parked rows."""
    step = evaluation(database, inbox, FakeInsights()).step
    drainer = Drainer(inbox, doorbell, step, batch_rows=500)

    async def is_empty() -> bool:
        await drainer.drain([0])
        return await inbox.count_pending() == 0

    async with running(doorbell.run(), drainer.run(), drainer.isolated_retries.run(every=0.01)):
        await eventually(is_empty, what="no change is pending")
    return await Parking(inbox).page((), 9)


async def others_fired(database: Database) -> bool:
    fired = sorted(each.key.lead_id for each in await executions(database))
    return fired == [lead_id for lead_id in LEADS if lead_id != BAD]


@pytest.mark.parametrize(
    "damaged", [None, "?", {}, {"lead_id": BAD, "sequence": 1}, {"lead_id": BAD, "scores": 7}], ids=repr
)
async def test_a_damaged_change_parks_alone(
    database: Database, inbox: Inbox, doorbell: Doorbell, damaged: object
) -> None:
    await inbox.rows.update_one({"_id": "row-0"}, {"$set": {"changes.17": damaged}})
    [parked] = await drained(database, inbox, doorbell)
    assert parked.attempts == parking_module.MAX_ATTEMPTS
    assert parked.row["changes"] == [damaged]
    assert lead_of(parked.row) == (BAD if isinstance(damaged, dict) and damaged else "")
    assert await others_fired(database)


async def test_a_change_that_cannot_be_evaluated_parks_alone_and_a_retry_recovers_it(
    database: Database, inbox: Inbox, doorbell: Doorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fire_or_raise(due: Sequence[Candidate], *others: Any) -> Any:
        if any(each.change.lead_id == BAD for each in due):
            raise ZeroDivisionError("no rule for this")
        return fire(due, *others)

    monkeypatch.setattr(module, "fire", fire_or_raise)
    [parked] = await drained(database, inbox, doorbell)
    assert (lead_of(parked.row), parked.reason) == (BAD, "ZeroDivisionError: no rule for this")
    assert await others_fired(database)
    monkeypatch.setattr(module, "fire", fire)
    assert await Parking(inbox).retry([parked.row_id]) == 1
    assert await drained(database, inbox, doorbell) == []
    assert sorted(each.key.lead_id for each in await executions(database)) == LEADS


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"$unset": {"changes": ""}}, "KeyError: 'changes'"),
        ({"$set": {"changes": []}}, "ValueError: the row has no changes"),
    ],
)
async def test_a_row_without_changes_parks_alone(
    database: Database, inbox: Inbox, doorbell: Doorbell, update: Document, reason: str
) -> None:
    await inbox.rows.update_one({"_id": "row-0"}, update)
    [parked] = await drained(database, inbox, doorbell)
    assert (parked.row_id, parked.reason) == ("row-0", reason)
    assert len(await executions(database)) == 20


async def test_a_change_that_the_driver_cannot_decode_parks_alone(
    database: Database, inbox: Inbox, doorbell: Doorbell
) -> None:
    """A time after the year 9999."""
    too_late: Document = {"$set": {"changes.17.last_event_time": bson.DatetimeMS(300_000_000_000_000)}}
    await inbox.rows.update_one({"_id": "row-0"}, too_late)
    step = evaluation(database, inbox, FakeInsights()).step
    drainer = Drainer(inbox, doorbell, step, batch_rows=500)

    async def is_parked() -> bool:
        await drainer.drain([0])
        return await Parking(inbox).count() == 1

    async with running(doorbell.run(), drainer.run(), drainer.isolated_retries.run(every=0.01)):
        await eventually(is_parked, what="the change is parked")
    assert await others_fired(database)


async def test_changes_are_not_read_while_no_rule_is_enabled(database: Database, inbox: Inbox) -> None:
    assert await MongoRules(database, KEYS).replace(replace(rule(enabled=False), revision=2), 1)
    await inbox.rows.update_one({"_id": "row-0"}, {"$set": {"changes": "unreadable"}})
    assert await evaluation(database, inbox, FakeInsights()).step([0], 40) == 40
    assert await inbox.count_pending() == 0


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_row_is_marked_in_its_own_partition_whatever_leads_it_names(database: Database, enabled: bool) -> None:
    inbox = Inbox(database, score_changes.CONTRACT, partitions=8)
    await inbox.migrate()
    await schema.migrate(database, partitions=8)
    await MongoRules(database, KEYS).create(rule(enabled=enabled))
    strange = next(lead_id for lead_id in LEADS if inbox.partition_of(lead_id) != 0)
    await put(inbox, change(strange), change(strange, 2, stage="cold"))  # into partition 0
    assert await evaluation(database, inbox, FakeInsights()).step([0], 10) == 2
    assert await inbox.count_pending() == 0
