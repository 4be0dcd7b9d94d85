"""Heavy leads are updated apart from others, correctly, and without delaying other leads."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from scoring_service.domain import refold
from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.usecases import drain, history_writer, lead_transaction, slow_lane
from scoring_service.usecases.corrections import AdjustmentRequest
from scoring_service.usecases.slow_lane import SlowLane
from shared.rpc.errors import TooLarge
from tests.conftest import PARTITIONS
from tests.scoring.conftest import NOW, Scoring, days_ago

HEAVY = "heavy"
KINDS = ("page_view", "signup", "download", "unsubscribe")


@pytest.fixture(autouse=True)
def _small_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lowers the limits, so that a lead with forty events is heavy."""
    monkeypatch.setattr(refold, "CHECKPOINT_FACTS", 8)
    monkeypatch.setattr(history_writer, "CHECKPOINT_FACTS", 8)
    monkeypatch.setattr(history_writer, "COMPARED_FACTS", 16)
    monkeypatch.setattr(history_writer, "MAX_WORK", 60)
    monkeypatch.setattr(history_writer, "MAX_LEAD_WORK", 40)
    monkeypatch.setattr(drain, "MIN_HEAVY_EVENTS", 10)
    monkeypatch.setattr(slow_lane, "MAX_EVENTS", 25)


def events(count: int, *, lead: str = HEAVY, prefix: str = "e") -> list[tuple[str, str, str, datetime]]:
    """Returns events of a lead, hours apart, with gaps of ten days between some of them."""
    times = (days_ago(300) + timedelta(hours=each, days=10 * (each // 20)) for each in range(count))
    return [(f"{prefix}{n:03}", lead, KINDS[n % 4], time) for n, time in enumerate(times)]


def bystander(scoring: Scoring) -> str:
    """Returns another lead of the same partition."""
    partition = scoring.events.partition_of(HEAVY)
    return next(lead for lead in map(str, range(1_000)) if scoring.events.partition_of(lead) == partition)


async def score(scoring: Scoring, lead: str = HEAVY) -> int:
    return (await scoring.queries.score(lead, None)).lead.state.score


async def test_a_lead_with_many_events_goes_to_the_slow_lane_and_does_not_delay_others(scoring: Scoring) -> None:
    other = bystander(scoring)
    await scoring.put(*events(60))
    scoring.now += timedelta(seconds=1)
    await scoring.put(("b", other, "signup", NOW))
    await scoring.drain.step([scoring.events.partition_of(HEAVY)], 30)
    assert await score(scoring, other) == 20, "the other lead must not wait for the 60 events of the heavy lead"
    assert list(scoring.slow_lane.lead_ids) == [HEAVY]
    turns = 0
    while await scoring.slow_lane.turn():
        turns += 1
    assert turns == 3, "expected batches of 25, 25 and 10 events"
    assert not scoring.slow_lane.lead_ids
    assert await scoring.verify() == []


@pytest.mark.parametrize("order", ["in order", "shuffled", "backwards"])
async def test_a_heavy_lead_has_the_score_of_a_light_one(scoring: Scoring, order: str) -> None:
    put = events(150)
    if order == "shuffled":
        random.Random(7).shuffle(put)
    if order == "backwards":
        put.reverse()
    await scoring.put(*events(150, lead="light", prefix="l"))
    while await scoring.drain_all(9):
        pass
    await scoring.run_decay(days_ago(100))
    for start in range(0, 150, 50):
        await scoring.put(*put[start : start + 50])
        while await scoring.drain_all(30):
            pass
    await scoring.run_decay(NOW)
    heavy, light = [(await scoring.queries.score(lead, None)).lead.state for lead in (HEAVY, "light")]
    assert (heavy.score, heavy.contributions, heavy.event_count) == (light.score, light.contributions, 150)
    assert await scoring.verify() == []


async def test_workers_in_the_slow_lane_of_one_lead_score_each_event_once(scoring: Scoring) -> None:
    await scoring.put(*events(80))
    lanes = [SlowLane(scoring.lead_writer, scoring.leads) for _ in range(3)]

    async def work(lane: SlowLane) -> None:
        lane.put(HEAVY)
        while await lane.turn():
            pass

    await asyncio.gather(*map(work, lanes))
    assert (await scoring.queries.score(HEAVY, None)).lead.state.event_count == 80
    assert await scoring.verify() == []


async def test_an_overtaken_update_starts_again(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    await scoring.put(*events(50))
    await scoring.drain_all()
    await scoring.put(("late", HEAVY, "signup", days_ago(299)))
    overtakers = iter(["o1", "o2"])
    batch = await scoring.lead_writer.pending_of(HEAVY, 10, None)
    feed, began = history_writer.HistoryWriter.feed, 0

    async def feed_and_be_overtaken(self: history_writer.HistoryWriter, lead_id: str, fed: refold.Refold) -> None:
        nonlocal began
        began += 1
        await feed(self, lead_id, fed)
        if overtaker := next(overtakers, None):
            request = AdjustmentRequest(overtaker, HEAVY, 1, None, "meanwhile", "eve")
            await asyncio.create_task(scoring.corrections.adjust(request))

    monkeypatch.setattr(history_writer.HistoryWriter, "feed", feed_and_be_overtaken)
    await scoring.leads.record(HEAVY, batch.events[HEAVY], batch.rows[HEAVY])
    assert began == 3, "expected two overtaken attempts, then a success"
    assert await scoring.verify() == []


@pytest.mark.parametrize("lose_checkpoints", [False, True])
async def test_the_oldest_event_there_can_be_and_a_retraction_of_it(scoring: Scoring, lose_checkpoints: bool) -> None:
    await scoring.put(*events(120))
    while await scoring.drain_all():
        pass
    await scoring.run_decay(NOW)
    before = (await scoring.queries.score(HEAVY, None)).lead.state
    await scoring.put(("first", HEAVY, "signup", datetime(1970, 1, 1, tzinfo=UTC)))
    await scoring.drain_all()
    assert await scoring.verify() == []
    if lose_checkpoints:
        await scoring.database["checkpoints"].delete_many({})
    await scoring.corrections.retract("first", "a clock of 1970", "eve")
    after = (await scoring.queries.score(HEAVY, None)).lead.state
    assert after == before, "the state must be as if the event had never happened"
    assert await scoring.verify() == []


async def test_a_checkpoint_of_another_lead_is_not_used(scoring: Scoring) -> None:
    await scoring.put(*events(60), *events(60, lead="other", prefix="o")[:30])
    while await scoring.drain_all():
        pass
    await scoring.database["checkpoints"].delete_many({"lead_id": HEAVY})
    await scoring.database["checkpoints"].update_many({"lead_id": "other"}, {"$set": {"lead_id": HEAVY}})
    await scoring.put(("late", HEAVY, "signup", days_ago(299)))
    await scoring.drain_all()
    await scoring.rebuild.one(HEAVY)
    assert await scoring.verify() == []


async def test_a_damaged_history_fails_alone_and_names_its_lead(scoring: Scoring) -> None:
    other = bystander(scoring)
    await scoring.put(*events(60))
    while await scoring.drain_all():
        pass
    await scoring.database["score_history"].delete_one({"_id": "e010"})
    await scoring.database["checkpoints"].delete_many({})
    await scoring.put(("late", HEAVY, "signup", days_ago(299)), ("b", other, "signup", NOW))
    with pytest.raises(HistoryInconsistent, match=HEAVY):
        await scoring.drain.step([scoring.events.partition_of(HEAVY)], 500, ["late"])
    with pytest.raises(HistoryInconsistent, match=HEAVY):
        await scoring.corrections.retract("e020", "a bot", "eve")
    await scoring.drain.step([scoring.events.partition_of(HEAVY)], 500, ["b"])
    assert await score(scoring, other) == 20


async def test_a_lead_that_fails_in_the_slow_lane_returns_to_the_drain(scoring: Scoring) -> None:
    await scoring.put(*events(60))
    while await scoring.drain_all():
        pass
    await scoring.database["score_history"].delete_one({"_id": "e010"})
    await scoring.database["checkpoints"].delete_many({})
    await scoring.put(("late", HEAVY, "signup", days_ago(299)))
    partition = [scoring.events.partition_of(HEAVY)]
    await scoring.drain.step(partition, 500)
    assert list(scoring.slow_lane.lead_ids) == [HEAVY]
    assert await scoring.slow_lane.turn()
    assert not scoring.slow_lane.lead_ids
    with pytest.raises(HistoryInconsistent, match=HEAVY):
        await scoring.drain.step(partition, 500)


async def test_a_replay_over_the_limit_is_rejected_with_advice(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scoring.put(*events(60))
    while await scoring.drain_all():
        pass
    monkeypatch.setattr(lead_transaction, "MAX_REPLAY_FACTS", 30)
    await scoring.put(("late", HEAVY, "signup", days_ago(301)), ("new", HEAVY, "signup", NOW))
    with pytest.raises(TooLarge, match="lead 'heavy': 60 recorded events would have to be replayed"):
        await scoring.drain.step(range(PARTITIONS), 500, ["late"])
    await scoring.drain.step(range(PARTITIONS), 500, ["new"])
    assert (await scoring.queries.score(HEAVY, None)).lead.state.event_count == 61, (
        "an event that needs no long replay must still be scored"
    )
