"""Draining the inbox `events`: one transaction, exactly once, with any number of concurrent drains."""

import asyncio
import itertools
import random
from datetime import timedelta

import bson
import pytest
from pymongo.errors import PyMongoError

from scoring_service.store.batches import AppendBatch
from scoring_service.store.facts import FactReader
from scoring_service.store.models import ModelStore
from scoring_service.store.writes import LeadWriter
from shared.contracts import events, score_changes
from shared.inbox import bundles
from shared.inbox.collection import Inbox
from tests.conftest import PARTITIONS
from tests.scoring.conftest import ENGINE, NOW, Scoring, days_ago
from tests.shared.commands import overheard


async def test_an_event_becomes_an_entry_a_state_and_a_change(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "demo_request", days_ago(1)))
    assert await scoring.drain_all() == 1
    entry = await scoring.database["score_history"].find_one({"_id": "e1"})
    lead = await scoring.database["leads"].find_one({"_id": "ada"})
    row = await scoring.last_row_of_changes()
    [change] = row["changes"]
    assert entry is not None
    assert lead is not None
    assert (entry["sequence"], entry["delta"], entry["score_after"], entry["stage_after"]) == (1, 50, 50, "hot")
    assert (lead["score"], lead["sequence"]) == (50, 1)
    assert (change["lead_id"], change["sequence"]) == ("ada", 1)
    assert (change["stage_before"], change["stage_after"], change["event_types"]) == ("cold", "hot", ["demo_request"])
    assert (row["date_bucket"], row["record_time"], row["state"]) == ("2026-03-20", scoring.now, "pending")
    assert (change["scores"], change["stages"], change["inactive_days"]) == ([0, 50], ["cold", "hot"], 1)
    assert (change["last_event_time"], change["kinds"]) == (days_ago(1), ["EVENT"])
    assert scoring.doorbell.partitions == {row["partition"]}
    assert await scoring.verify() == []


async def test_the_changes_of_a_transaction_are_one_row_per_partition(scoring: Scoring) -> None:
    leads = leads_of_first(scoring, 501)
    other = next(name for name in "abcdefg" if scoring.changes.partition_of(name) != 0)
    await scoring.put(*((f"e-{lead_id}", lead_id, "page_view", days_ago(1)) for lead_id in [*leads, other]))
    assert await scoring.drain.step(range(PARTITIONS), 1_000) == 502
    rows = await scoring.changes.rows.find().sort("_id", 1).to_list()
    assert sorted(row["count"] for row in rows) == [1, 1, 500], "one row per partition, and 500 changes at most"
    found = [change["lead_id"] for row in rows if row["partition"] == 0 for change in row["changes"]]
    assert sorted(found) == sorted(leads)
    assert await scoring.changes.count_pending() == 502


async def test_changes_too_large_for_a_row_are_cut(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_BYTES", 1_000)
    leads = leads_of_first(scoring, 8)
    await scoring.put(*((f"e-{lead_id}", lead_id, "page_view", days_ago(1)) for lead_id in leads))
    assert await scoring.drain_all() == 8
    rows = await scoring.changes.rows.find().to_list()
    assert len(rows) > 1
    assert all(len(bson.encode({"changes": row["changes"]})) < 1_200 for row in rows)
    assert sorted(change["lead_id"] for row in rows for change in row["changes"]) == sorted(leads)
    assert [row["count"] for row in rows] == [len(row["changes"]) for row in rows]


def leads_of_first(scoring: Scoring, count: int) -> list[str]:
    """Returns leads of the first partition."""
    leads = (f"lead-{number}" for number in itertools.count())
    return list(itertools.islice((each for each in leads if scoring.changes.partition_of(each) == 0), count))


async def test_an_unknown_type_is_worth_nothing_and_counted(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "W_Nabellen offertes.COMPLETE", days_ago(1)))
    await scoring.drain_all()
    (score,) = await scoring.queries.scores(["ada"], None)
    assert (score.lead.state.score, score.lead.state.event_count, score.recent_events) == (0, 1, 0)


async def test_identify_sets_attributes(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "identify", days_ago(1)), company="ACME", **{"$odd.name": 1.0})
    await scoring.put(("e2", "ada", "page_view", days_ago(0.5)), company="not an attribute")
    await scoring.drain_all()
    (score,) = await scoring.queries.scores(["ada"], None)
    assert score.lead.state.attributes.values == {"company": "ACME", "$odd.name": 1.0}
    assert await scoring.verify() == []


async def test_a_drain_leaves_no_pending_events(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "page_view", NOW))
    assert await scoring.drain_all() == 1
    assert await scoring.drain_all() == 0
    assert await scoring.database["score_history"].count_documents({}) == 1


@pytest.mark.parametrize("workers", [2, 8])
async def test_workers_on_one_hot_lead_score_each_event_once(scoring: Scoring, workers: int) -> None:
    events = [(f"e{n:03}", "hot", "page_view", NOW - timedelta(hours=n % 200)) for n in range(200)]
    random.Random(1).shuffle(events)
    await scoring.put(*events)
    partition = scoring.events.partition_of("hot")

    async def work() -> None:
        while await scoring.drain.step([partition], 25):
            pass

    await asyncio.gather(*(work() for _ in range(workers)))
    (score,) = await scoring.queries.scores(["hot"], None)
    assert (score.lead.state.score, score.lead.sequence) == (1000, 200)
    assert await scoring.verify() == []


async def test_order_and_batches_do_not_matter(scoring: Scoring) -> None:
    kinds = ["page_view", "signup", "unsubscribe", "download"]
    events = [(f"e{n}", f"lead{n % 5}", kinds[n % 4], days_ago(60 - n)) for n in range(60)]
    shuffled = [(f"s{event_id}", f"shuffled-{lead}", kind, time) for event_id, lead, kind, time in events]
    random.Random(2).shuffle(shuffled)
    await scoring.put(*events)
    await scoring.drain_all()
    await scoring.run_decay(days_ago(20))
    for start in range(0, len(shuffled), 7):
        await scoring.put(*shuffled[start : start + 7])
        await scoring.drain_all(3)
    while await scoring.drain_all(3):
        pass
    await scoring.run_decay(NOW)
    scores = {score.lead.lead_id: score.lead.state for score in await scoring.queries.scores(_both(range(5)), None)}
    for lead in range(5):
        one, other = scores[f"lead{lead}"], scores[f"shuffled-lead{lead}"]
        assert (one.score, one.contributions) == (other.score, other.contributions)
    assert await scoring.verify() == []


async def test_a_failure_before_the_commit_leaves_no_trace(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    await scoring.put(("e1", "ada", "page_view", NOW))
    append = LeadWriter.append

    async def append_and_fail(self: LeadWriter, commit: AppendBatch) -> set[int]:
        await append(self, commit)
        raise PyMongoError("planted")

    monkeypatch.setattr(LeadWriter, "append", append_and_fail)
    with pytest.raises(PyMongoError, match="planted"):
        await scoring.drain_all()
    for collection in ("score_history", "leads", "score_changes"):
        assert await scoring.database[collection].count_documents({}) == 0, collection
    monkeypatch.undo()
    assert await scoring.drain_all() == 1


async def test_every_command_of_a_drain_belongs_to_its_transaction(scoring: Scoring, database_uri: str) -> None:
    await scoring.put(("e1", "ada", "page_view", days_ago(1)))
    await scoring.drain_all()
    await scoring.put(("e2", "ada", "page_view", days_ago(2)), ("e3", "eve", "page_view", NOW))
    async with overheard(database_uri) as (database, commands):
        inboxes = [Inbox(database, contract, partitions=8) for contract in (events.CONTRACT, score_changes.CONTRACT)]
        scoring.lead_writer = LeadWriter(
            database, ModelStore(database, ENGINE), inboxes[0], inboxes[1], transaction_seconds=10
        )
        scoring.__dict__["drain"] = type(scoring.drain)(
            scoring.lead_writer,
            FactReader(database, inboxes[0].partitions),
            scoring.doorbell,
            scoring.drain.calendar,
            scoring.clock,
            scoring.slow_lane,
        )
        assert await scoring.drain.step([scoring.events.partition_of("ada")], 500) >= 1
    assert {"insert", "update", "find", "commitTransaction"} <= set(commands.names), commands.names
    outside = [name for name, command in commands.sent if "txnNumber" not in command or command["autocommit"]]
    assert outside == [], "no command may be sent outside of the transaction"


def _both(leads: range) -> list[str]:
    return [f"{prefix}lead{lead}" for lead in leads for prefix in ("", "shuffled-")]
