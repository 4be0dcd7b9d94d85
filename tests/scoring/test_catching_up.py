"""Decay runs and rollouts update all leads except those that fail."""

import asyncio
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo.errors import ExecutionTimeout

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead import Lead, Standing
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Adjustment, Mode, Timeline
from scoring_service.store.batches import AppendBatch
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.history_writer import TURN_LEADS, HistoryWriter
from shared.tasks import running
from testkit.waiting import eventually
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import TIMELINE
from tests.scoring.test_publishing import worth

LEADS = {f"lead{n}" for n in range(40)}
ODD = "lead7"


@pytest.fixture
async def seeded(scoring: Scoring) -> Scoring:
    """Some leads in each partition, all with an update to make."""
    await scoring.put(*((f"a-{lead}", lead, "signup", days_ago(9)) for lead in LEADS))
    await scoring.drain_all()
    return scoring


class Appends:
    """Makes transactions time out that update more than `limit` leads, or that update `ODD`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sizes: list[int] = []

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replaces `LeadWriter.append`."""
        append = LeadWriter.append

        async def append_some(scores: LeadWriter, commit: AppendBatch) -> set[int]:
            self.sizes.append(len(commit.updates))
            if len(commit.updates) > self.limit or any(each.after.lead_id == ODD for each in commit.updates):
                raise ExecutionTimeout("planted")
            return await append(scores, commit)

        monkeypatch.setattr(LeadWriter, "append", append_some)


async def damage(scoring: Scoring) -> None:
    await scoring.database["leads"].update_one({"_id": ODD}, {"$rename": {"usage": "unheard_of"}})


async def mend(scoring: Scoring) -> None:
    await scoring.database["leads"].update_one({"_id": ODD}, {"$rename": {"unheard_of": "usage"}})


async def reached(scoring: Scoring, kind: EntryKind) -> set[str]:
    return {row["lead_id"] async for row in scoring.database["score_history"].find({"kind": kind.value})}


async def test_a_decay_run_continues_without_a_lead_that_takes_too_long(
    seeded: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as planted:
        Appends(limit=2).patch(planted)
        with pytest.raises(ExecutionTimeout, match="planted"):
            await seeded.run_decay(NOW)
    assert await reached(seeded, EntryKind.DECAY) == LEADS - {ODD}
    assert (await seeded.run_decay(NOW)).leads_changed == 1, "the next run must update the remaining lead"
    assert await seeded.verify() == []


async def test_a_decay_run_continues_without_a_lead_that_cannot_be_read(seeded: Scoring) -> None:
    await damage(seeded)
    with pytest.raises(KeyError, match="usage"):
        await seeded.run_decay(NOW)
    assert await reached(seeded, EntryKind.DECAY) == LEADS - {ODD}
    await mend(seeded)
    assert (await seeded.run_decay(NOW)).leads_changed == 1
    assert await seeded.verify() == []


async def test_a_run_gives_up_early_while_the_database_is_too_slow(
    seeded: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    appends = Appends(limit=0)
    with monkeypatch.context() as planted:
        appends.patch(planted)
        with pytest.raises(ExecutionTimeout, match="planted"):
            await seeded.run_decay(NOW)
    assert len(appends.sizes) < len(LEADS) / 2
    assert await seeded.verify() == []


async def test_a_rollout_continues_without_a_lead_that_takes_too_long(
    seeded: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seeded.publish(worth(25), Mode.RESCORE)
    with monkeypatch.context() as planted:
        Appends(limit=2).patch(planted)
        with pytest.raises(ExecutionTimeout, match="planted"):
            await seeded.rollout.step()
    assert await reached(seeded, EntryKind.MODEL) == LEADS - {ODD}
    assert await seeded.publishing.leads_left() == (2, 5), "one of 8 partitions must be left"
    searched, stale_leads = list[int](), LeadWriter.stale_leads

    async def searching(writer: LeadWriter, partition: int, timeline: Timeline) -> list[str]:
        searched.append(partition)
        return await stale_leads(writer, partition, timeline)

    monkeypatch.setattr(LeadWriter, "stale_leads", searching)
    assert await seeded.rollout.step() == 1
    assert searched == [seeded.events.partition_of(ODD)], "expected the other partitions not to be searched again"
    assert await seeded.verify() == []


async def test_a_rollout_continues_without_a_lead_that_cannot_be_read(seeded: Scoring) -> None:
    await damage(seeded)
    await seeded.publish(worth(25), Mode.RESCORE)

    async def others_are_done() -> bool:
        return await reached(seeded, EntryKind.MODEL) == LEADS - {ODD}

    async def all_are_done() -> bool:
        return await seeded.publishing.leads_left() == (0, 0)

    async with running(seeded.rollout.run()):
        await eventually(others_are_done, what="all others to be rolled out")
        assert not await all_are_done(), "one lead must be left"
        await mend(seeded)
        await eventually(all_are_done, what="the lead to be rolled out once it can be read")
    assert await seeded.verify() == []


async def test_other_tasks_run_while_a_page_is_folded() -> None:
    class Nothing:
        async def facts_of(self, lead_ids: Sequence[str]) -> dict[str, list[Event | Adjustment]]:
            return {}

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    past: Any = Nothing()
    writer = HistoryWriter(past, TIMELINE, Calendar(ZoneInfo("UTC")), NOW)
    async with running(count()):
        await writer.updates([writer.pending(Lead(lead), Standing(NOW.date(), 1)) for lead in LEADS])
        assert turns >= len(LEADS) // TURN_LEADS
