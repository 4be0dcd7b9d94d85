"""Draining `score_changes` in MongoDB: exactly one execution per lead, rule and date, whatever happens twice."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.execution import Execution, Key
from automation_service.domain.lead import DECAY, Change, Insight, Row
from automation_service.domain.need import Need
from automation_service.domain.trigger import Inactive
from automation_service.ports import ExecutionQuery, Insights, PendingRows
from automation_service.store import changes as changes_module
from automation_service.store import schema
from automation_service.store.changes import MongoChanges
from automation_service.store.executions import MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.store.schema import EXECUTIONS
from automation_service.usecases import evaluation as module
from automation_service.usecases.evaluation import Evaluation
from shared.contracts import score_changes
from shared.contracts.score_changes import ChangeEvent, ScoreChange, Transition, common_fields
from shared.inbox.bundles import pending_bundles
from shared.inbox.collection import Inbox
from shared.mongo import Database
from testkit.secret_keys import KEYS
from tests.automation.fakes import (
    INSIGHT,
    NOW,
    SENDER,
    AbsentInsights,
    FakeDeliveryQueue,
    FakeInsights,
    change,
    rule,
    webhook,
)
from tests.automation.partitioned import PARTITIONED

LEADS = [f"lead-{number}" for number in range(40)]


class MeetingInsights:
    """`Insights` that wait until so many steps ask, so that all of them have read the same rows."""

    def __init__(self, steps: int) -> None:
        self._meeting = asyncio.Barrier(steps)

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the same insight for every lead, to all who ask at once."""
        await self._meeting.wait()
        return dict.fromkeys(lead_ids, INSIGHT)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    inbox = Inbox(database, score_changes.CONTRACT, partitions=1)
    await inbox.migrate()
    await schema.migrate(database, partitions=1)
    await MongoRules(database, KEYS).create(rule())
    return inbox


def evaluation(
    database: Database, inbox: Inbox, insights: Insights, clock: Callable[[], datetime] = lambda: NOW
) -> Evaluation:
    changes = MongoChanges(database, inbox, transaction_seconds=10)
    templates, executions = SandboxedTemplates(), MongoExecutions(database, PARTITIONED)
    return Evaluation(
        changes, MongoRules(database, KEYS), executions, insights, templates, SENDER, FakeDeliveryQueue(), clock
    )


async def put(inbox: Inbox, *changes: Change) -> None:
    """Puts changes as the scoring service does; those with one row id, and so of one date, into one row."""
    for index, (row_id, group) in enumerate(groupby(changes, key=lambda each: each.row.row_id)):
        in_row = [_as_scored(each) for each in group]
        time = NOW + timedelta(milliseconds=index)
        [row] = pending_bundles(score_changes.CONTRACT, 0, [each.to_document() for each in in_row], time)
        common = common_fields(in_row[0].date_bucket, in_row[0].record_time)
        await inbox.rows.insert_one(common | row | {"_id": row_id})


def _as_scored(change: Change) -> ScoreChange:
    return ScoreChange(
        lead_id=change.lead_id,
        sequence=change.sequence,
        score_before=change.score_before,
        score_after=change.score,
        stage_before=change.stage_before,
        stage_after=change.stage,
        scores=change.scores,
        stages=change.stages,
        event_types=change.event_types,
        kinds=change.kinds,
        last_event_time=change.last_event_time,
        inactive_days=change.inactive_days,
        date_bucket=change.date_bucket,
        record_time=NOW,
        transitions=tuple(
            Transition(part.scores, part.stages, tuple(ChangeEvent(*event) for event in part.events))
            for part in change.transitions
        ),
    )


async def executions(database: Database) -> list[Execution]:
    return await MongoExecutions(database, PARTITIONED).page(ExecutionQuery(1000))


async def test_changes_are_read_as_they_were_put(database: Database, inbox: Inbox) -> None:
    put_changes = [change("bob"), change("ada", 3), change("ada", 2)]
    await put(inbox, *put_changes)
    changes = MongoChanges(database, inbox, transaction_seconds=10)
    read = await changes.read(await changes.pending([0], 10))
    assert read == [put_changes[2], put_changes[1], put_changes[0]]


async def test_a_drain_leaves_one_execution_per_key_and_nothing_waiting(database: Database, inbox: Inbox) -> None:
    await put(inbox, change("ada", 1), change("ada", 2), change("bob", 1, stage="cold"), change("ada", 3, day=2))
    assert await evaluation(database, inbox, FakeInsights()).step([0], 10) == 4
    found = {(each.key, each.change_sequence) for each in await executions(database)}
    assert found == {(Key("ada", "call", "2026-03-01"), 1), (Key("ada", "call", "2026-03-02"), 3)}
    assert await inbox.waiting() == {}


async def test_all_changes_of_a_row_are_read_evaluated_and_marked_together(database: Database, inbox: Inbox) -> None:
    in_row = [replace(change(lead_id), row=Row("row", 0)) for lead_id in LEADS]
    await put(inbox, *in_row, change("zoe"))
    changes = MongoChanges(database, inbox, transaction_seconds=10)
    first, all_rows = await changes.pending([0], 1), await changes.pending([0], 41)
    assert await changes.read(first) == sorted(in_row, key=lambda each: each.lead_id), "no row is read in part"
    assert (first.changes, all_rows.changes) == (40, 41)
    assert await inbox.count_pending() == 41
    assert await evaluation(database, inbox, FakeInsights()).step([0], 500) == 41
    assert sorted(each.key.lead_id for each in await executions(database)) == sorted([*LEADS, "zoe"])
    assert await inbox.rows.count_documents({"state": "done"}) == 2
    assert await inbox.count_pending() == 0


async def test_changes_that_are_too_large_to_be_read_together_are_evaluated_one_step_after_the_other(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "MAX_BYTES", 1_000)
    await put(inbox, *map(change, LEADS))
    evaluated, steps = evaluation(database, inbox, FakeInsights()), 0
    while await evaluated.step([0], 500) >= 500:  # as long as a drain goes on
        steps += 1
    assert steps > 10
    assert await inbox.count_pending() == 0


async def test_a_row_whose_deliveries_need_several_transactions_is_marked_by_the_last(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies between two of them: the next one records what is missing, and nothing twice."""
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    made = rule("call", None, webhook())
    assert await MongoRules(database, KEYS).replace(replace(made, revision=2), 1)
    await put(inbox, *(replace(change(lead_id), row=Row("row", 0)) for lead_id in LEADS))
    evaluated = evaluation(database, inbox, FakeInsights())
    transact, left = evaluated.changes.transact, iter(range(3))

    async def transact_or_die(body: Callable[[], Awaitable[Any]]) -> Any:
        if next(left, None) is None:
            raise InterruptedError
        return await transact(body)

    monkeypatch.setattr(evaluated.changes, "transact", transact_or_die)
    with pytest.raises(InterruptedError):
        await evaluated.step([0], 500)
    before = await executions(database)
    assert len(before) == 3
    assert await inbox.count_pending() == 40, "a row with unsettled changes stays pending"
    assert await evaluation(database, inbox, FakeInsights()).step([0], 500) == 40
    after = await executions(database)
    assert sorted(each.key.lead_id for each in after) == sorted(LEADS)
    assert [each for each in after if each in before] == before
    assert await inbox.count_pending() == 0


async def test_two_drains_of_the_same_rows_leave_one_execution_each(database: Database, inbox: Inbox) -> None:
    await put(inbox, *(change(lead_id) for lead_id in LEADS))
    insights = MeetingInsights(2)
    drains = [evaluation(database, inbox, insights).step([0], 100) for _ in range(2)]
    assert await asyncio.gather(*drains) == [40, 40]
    assert sorted(each.key.lead_id for each in await executions(database)) == sorted(LEADS)
    assert await inbox.waiting() == {}


async def test_two_drains_of_different_rows_of_one_key_leave_one_execution(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = change(sequence=1), change(sequence=2)
    await put(inbox, first, second)
    insights = MeetingInsights(2)
    drains = [evaluation(database, inbox, insights) for _ in range(2)]
    for drain, own in zip(drains, (first, second), strict=True):

        async def pending(*_: object, own: Change = own) -> PendingRows:
            return PendingRows([own.row])

        monkeypatch.setattr(drain.changes, "pending", pending)
    await asyncio.gather(*(drain.step([0], 100) for drain in drains))
    assert len(await executions(database)) == 1
    assert await inbox.waiting() == {}


@pytest.mark.parametrize("looks_back", [{"cool_down_days": 7}, {"trigger": Inactive(3)}])
async def test_two_drains_of_different_dates_of_one_lead_see_each_other(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, looks_back: dict[str, Any]
) -> None:
    """As when a change is tried alone beside a drain of the next day's. Else a rule fires in its own cool-down."""
    draft = replace(rule().draft, **looks_back)
    assert await MongoRules(database, KEYS).replace(replace(rule(), draft=draft, revision=2), 1)
    days = [replace(change(sequence=day, day=day), event_types=(), kinds=(DECAY,), inactive_days=9) for day in (1, 2)]
    await put(inbox, *days)
    meeting, drains = asyncio.Barrier(2), []
    for own in days:
        drain = evaluation(database, inbox, FakeInsights())
        look, waits = drain.changes.still_pending, iter([meeting])

        async def still_pending(
            rows: Collection[Row], look: Any = look, waits: Iterator[asyncio.Barrier] = waits
        ) -> set[Row]:
            found: set[Row] = await look(rows)
            for each in waits:
                await each.wait()  # until both see the database as it is before either of them
            return found

        monkeypatch.setattr(drain.changes, "still_pending", still_pending)
        drains.append(drain.step([0], 100, [own.row.row_id]))
    await asyncio.gather(*drains)
    assert len(await executions(database)) == 1
    assert await inbox.waiting() == {}


async def test_a_redelivery_a_day_later_leaves_no_second_execution(database: Database, inbox: Inbox) -> None:
    await put(inbox, change())
    await evaluation(database, inbox, FakeInsights()).step([0], 10)
    before = await executions(database)
    await inbox.rows.update_many({}, {"$set": {"state": "pending"}})
    tomorrow = evaluation(database, inbox, FakeInsights(), lambda: NOW + timedelta(days=1))
    assert await tomorrow.step([0], 10) == 1
    assert await executions(database) == before
    assert await inbox.waiting() == {}


async def test_midnight_between_commit_and_evaluation_changes_nothing(database: Database, inbox: Inbox) -> None:
    await put(inbox, change(day=1))
    tomorrow = evaluation(database, inbox, FakeInsights(), lambda: NOW + timedelta(days=1))
    await tomorrow.step([0], 10)
    await put(inbox, change(sequence=2, day=1))
    await tomorrow.step([0], 10)
    [found] = await executions(database)
    assert (found.key.date_bucket, found.record_time) == ("2026-03-01", NOW + timedelta(days=1))


async def test_a_drain_without_intelligence_changes_nothing(database: Database, inbox: Inbox) -> None:
    await put(inbox, change())
    with pytest.raises(TimeoutError):
        await evaluation(database, inbox, AbsentInsights()).step([0], 10)
    assert await executions(database) == []
    assert list(await inbox.waiting()) == [0]


async def test_changes_at_which_no_rule_can_fire_are_marked_without_a_transaction(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(inbox, change(stage="cold"))
    evaluated = evaluation(database, inbox, AbsentInsights())

    async def transact(body: object) -> None:
        pytest.fail("expected no transaction")

    monkeypatch.setattr(evaluated.changes, "transact", transact)
    assert await evaluated.step([0], 10) == 1
    assert not await inbox.waiting()


async def test_what_a_transaction_records_and_marks_is_committed_together(
    database: Database, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(inbox, change())
    evaluated = evaluation(database, inbox, FakeInsights())

    async def mark(changes: object) -> None:
        assert await database[EXECUTIONS].count_documents({}) == 1
        raise InterruptedError

    monkeypatch.setattr(evaluated.changes, "mark", mark)
    with pytest.raises(InterruptedError):
        await evaluated.step([0], 10)
    assert await executions(database) == []
    assert list(await inbox.waiting()) == [0]
