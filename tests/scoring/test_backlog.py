"""GetScoringBacklog reports pending events with their true age, over a real database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.model import NO_DECAY
from scoring_service.domain.timeline import Mode
from scoring_service.store import backlog
from scoring_service.store.backlog import BacklogReader
from shared import wire
from shared.contracts.events import CONTRACT as EVENTS
from shared.inbox.collection import Inbox, PartitionBacklog
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import Stub, at, backlog_of
from tests.shared.commands import overheard

SECOND = timedelta(seconds=1)


async def put(scoring: Scoring, lead_id: str, age: timedelta, events: int = 1) -> None:
    """Puts events of a lead that have been pending for `age`."""
    scoring.now = NOW - age
    count = await scoring.events.rows.count_documents({})
    await scoring.put(*((f"e{count + number}", lead_id, "signup", days_ago(9)) for number in range(events)))
    scoring.now = NOW


async def decayed_through(stub: Stub) -> pb.DecayedThrough:
    return (await stub.GetScoringBacklog(pb.GetScoringBacklogRequest())).decayed_through


async def test_the_backlog_counts_pending_events(scoring: Scoring, stub: Stub) -> None:
    assert await backlog_of(stub) == pb.GetScoringBacklogResponse()
    await put(scoring, "ada", timedelta(minutes=5))
    await put(scoring, "cyd", 0 * SECOND)
    behind = pb.PartitionBehind(
        partition=scoring.events.partition_of("ada"), oldest_accept_time=at(NOW - 300 * SECOND), pending_events=1
    )
    assert await backlog_of(stub) == pb.GetScoringBacklogResponse(
        pending_events=2,
        oldest_accept_time=at(NOW - 300 * SECOND),
        partitions_behind=[behind],
        heaviest_leads=[pb.HeavyLead(lead_id=each, pending_events=1) for each in ("ada", "cyd")],
    )
    await scoring.drain_all()
    assert await backlog_of(stub) == pb.GetScoringBacklogResponse()


async def test_a_partition_is_behind_after_half_a_minute(scoring: Scoring, stub: Stub) -> None:
    await put(scoring, "ada", 30 * SECOND)
    await put(scoring, "cyd", 31 * SECOND)
    assert scoring.events.partition_of("ada") != scoring.events.partition_of("cyd")
    found = await backlog_of(stub)
    assert [each.partition for each in found.partitions_behind] == [scoring.events.partition_of("cyd")]


async def test_the_partition_with_the_oldest_event_comes_first(scoring: Scoring, stub: Stub) -> None:
    for index in range(200):
        await put(scoring, f"lead-{index}", (40 + index) * SECOND)
    found = await backlog_of(stub)
    assert len(found.partitions_behind) == PARTITIONS
    assert found.partitions_behind[0].partition == scoring.events.partition_of("lead-199")
    assert found.partitions_behind[0].oldest_accept_time == found.oldest_accept_time == at(NOW - 239 * SECOND)
    times = [each.oldest_accept_time.ToNanoseconds() for each in found.partitions_behind]
    assert times == sorted(times)
    assert sum(each.pending_events for each in found.partitions_behind) == found.pending_events == 200


async def test_the_heaviest_leads_come_first(scoring: Scoring, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MAX_LEAD_EVENTS", 50)
    for lead_id, events in (("ada", 3), ("bob", 60), ("cyd", 9)):
        await put(scoring, lead_id, SECOND, events)
    found = await backlog_of(stub)
    assert [(each.lead_id, each.pending_events) for each in found.heaviest_leads] == [
        ("bob", 50),
        ("cyd", 9),
        ("ada", 3),
    ]


async def test_isolated_events_are_counted_by_attempts_and_keep_their_age(scoring: Scoring, stub: Stub) -> None:
    await put(scoring, "ada", 99 * SECOND, 4)
    alone = {"e0": 1, "e1": 3, "e2": 3}
    for event_id, attempts in alone.items():
        fields = {"attempts": attempts, "retry_time": NOW + SECOND, "reason": "x", "reason_code": "FAILED"}
        await scoring.events.rows.update_one({"_id": event_id}, {"$set": fields})
    found = await backlog_of(stub)
    assert list(found.isolated_events) == [
        pb.IsolatedEvents(attempts=1, event_count=1),
        pb.IsolatedEvents(attempts=3, event_count=2),
    ]
    assert (found.pending_events, found.parked_events) == (4, 0)
    assert found.oldest_accept_time == at(NOW - 99 * SECOND)


async def test_decay_is_behind_by_days_since_the_database_was_made_or_last_decayed(
    scoring: Scoring, stub: Stub
) -> None:
    assert await decayed_through(stub) == pb.DecayedThrough(days_behind=100)
    await scoring.run_decay(days_ago(3))
    assert await decayed_through(stub) == pb.DecayedThrough(
        earliest_date="2026-03-17", latest_date="2026-03-17", days_behind=3
    )
    await scoring.run_decay(NOW)
    assert (await decayed_through(stub)).days_behind == 0


async def test_an_unfinished_decay_run_shows_two_dates(scoring: Scoring, stub: Stub) -> None:
    async def move(day: float) -> None:
        await scoring.lead_writer.transact(lambda: scoring.lead_writer.move_decay(0, days_ago(day).date()))

    await move(2)
    assert await decayed_through(stub) == pb.DecayedThrough(latest_date="2026-03-18", days_behind=100)
    await scoring.run_decay(days_ago(2))
    await move(0)
    assert await decayed_through(stub) == pb.DecayedThrough(
        earliest_date="2026-03-18", latest_date="2026-03-20", days_behind=2
    )


async def test_a_model_without_decay_is_never_behind(scoring: Scoring, stub: Stub) -> None:
    await scoring.publish(replace(BUILT_IN, decay=NO_DECAY), Mode.RESCORE)
    assert await decayed_through(stub) == pb.DecayedThrough()


async def test_a_rollout_is_reported_until_it_has_reached_every_lead(scoring: Scoring, stub: Stub) -> None:
    await scoring.publish(BUILT_IN, Mode.RESCORE)
    assert (await backlog_of(stub)).rollout == pb.ModelRollout(
        publication=2, version=2, publish_time=wire.to_timestamp(NOW)
    )
    await scoring.rollout.step()
    assert not (await backlog_of(stub)).HasField("rollout")


async def test_the_backlog_is_counted_on_index_keys(database_uri: str, database: Database, scoring: Scoring) -> None:
    """Counting reads no event, however many are pending."""
    await put(scoring, "ada", SECOND, 300)
    async with overheard(database_uri) as (heard, commands):
        events = Inbox(heard, EVENTS, partitions=PARTITIONS)
        partition = events.partition_of("ada")
        counting = BacklogReader(heard, events)
        assert await counting.pending() == {partition: PartitionBacklog(300, NOW - SECOND)}
        assert await counting.heaviest_leads([partition], 10) == [("ada", 300)]
        assert await counting.isolated() == {}
    assert len(commands.sent) == 4
    for _, command in commands.sent:
        asked = {key: value for key, value in command.items() if not key.startswith("$") and key != "lsid"}
        explained = await database.command("explain", asked, verbosity="executionStats")
        stats = explained.get("stages", [{"$cursor": explained}])[0]["$cursor"]["executionStats"]
        assert (stats["totalDocsExamined"], stats["totalKeysExamined"] <= 301) == (0, True)
