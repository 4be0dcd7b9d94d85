"""Adjustments and retractions: appended once, as entries of their own, and kept by later changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.errors import EventNotFound, EventNotScored, LeadNotFound, RequestIdConflict
from scoring_service.domain.timeline import Mode
from scoring_service.usecases.corrections import AdjustmentRequest
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN


def asked(
    request_id: str = "r1", *, delta: int | None = None, target: int | None = None, lead_id: str = "ada"
) -> AdjustmentRequest:
    """Returns an adjustment request."""
    return AdjustmentRequest(request_id, lead_id, delta, target, "met at the fair", "eve")


async def score(scoring: Scoring, lead_id: str = "ada") -> int:
    return (await scoring.queries.score(lead_id, None)).lead.state.score


@pytest.fixture
async def seeded(scoring: Scoring) -> Scoring:
    """A lead with a sign-up and a download: 30 points."""
    await scoring.put(("e1", "ada", "signup", days_ago(2)), ("e2", "ada", "download", days_ago(1)))
    await scoring.drain_all()
    scoring.doorbell.partitions.clear()
    return scoring


@pytest.mark.parametrize(
    ("request_", "expected", "points"),
    [
        (asked(delta=15), 45, 15),
        (asked(delta=-100), 0, -100),
        (asked(target=70), 70, 40),
        (asked(target=0), 0, -30),
        (asked(delta=0), 30, 0),
    ],
)
async def test_an_adjustment_is_an_entry(
    seeded: Scoring, request_: AdjustmentRequest, expected: int, points: int
) -> None:
    entry = await seeded.corrections.adjust(request_)
    assert await score(seeded) == entry.score_after == expected
    assert (entry.kind, entry.event_id, entry.points) == (EntryKind.ADJUSTMENT, "adjustment:r1", points)
    assert (entry.reason, entry.actor, entry.sequence) == ("met at the fair", "eve", 3)
    assert seeded.doorbell.partitions == {seeded.changes.partition_of("ada")}
    assert await seeded.verify() == []


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(target=0), 0),
        (asked(target=10), 10),
        (asked(target=100), 100),
        (asked(delta=-20), 0),
        (asked(delta=-30), 0),
        (asked(delta=15), 35),
    ],
)
async def test_an_adjustment_comes_after_events_ahead_of_the_clock(
    scoring: Scoring, request_: AdjustmentRequest, expected: int
) -> None:
    """The current score includes events ahead of the clock, so floor and ceiling must apply after them."""
    await scoring.put(("e1", "ada", "signup", NOW + timedelta(hours=1)))
    await scoring.drain_all()
    entry = await scoring.corrections.adjust(request_)
    assert entry.score_after == await score(scoring) == expected
    after = await scoring.corrections.adjust(asked("r2", delta=5))
    assert (after.delta, await score(scoring)) == (5, expected + 5)
    assert await scoring.verify() == []


async def test_a_target_is_reached_even_if_decay_is_ahead_of_the_clock(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "contract_signed", days_ago(20)))
    await scoring.drain_all()
    await scoring.run_decay(NOW)
    midnight = NOW.replace(hour=0)
    scoring.now = midnight - timedelta(seconds=30)
    entry = await scoring.corrections.adjust(asked(target=90))
    assert (entry.event_time, entry.score_after, await score(scoring)) == (midnight, 90, 90)
    assert await scoring.verify() == []


async def test_as_of_a_time_an_adjustment_counts_from_its_position_on(seeded: Scoring) -> None:
    assert (await seeded.corrections.adjust(asked(target=0))).event_time == NOW
    assert (await seeded.queries.score("ada", NOW)).lead.state.score == 0
    ahead = NOW + timedelta(hours=1)
    await seeded.put(("e3", "ada", "signup", ahead))
    await seeded.drain_all()
    entry = await seeded.corrections.adjust(asked("r2", target=7))
    assert entry.event_time == ahead + timedelta(milliseconds=1)
    assert (await seeded.queries.score("ada", NOW)).lead.state.score == 0, (
        "as of now, neither adjustment has happened yet"
    )
    assert (await seeded.queries.score("ada", entry.event_time)).lead.state.score == 7


async def test_the_same_adjustment_again_is_the_same_entry(seeded: Scoring) -> None:
    first = await seeded.corrections.adjust(asked(delta=15))
    assert await seeded.corrections.adjust(asked(delta=15)) == first
    results = await asyncio.gather(*(seeded.corrections.adjust(asked("r2", target=10)) for _ in range(4)))
    assert len({entry.sequence for entry in results}) == 1
    assert await score(seeded) == 10
    assert await seeded.verify() == []


@pytest.mark.parametrize(
    "other",
    [
        asked(delta=16),
        asked(target=45),
        replace(asked(delta=15), actor="bob"),
        replace(asked(delta=15), reason="another"),
        replace(asked(delta=15), lead_id="bob"),
    ],
)
async def test_a_request_id_cannot_be_reused_for_another_request(seeded: Scoring, other: AdjustmentRequest) -> None:
    await seeded.corrections.adjust(asked(delta=15))
    with pytest.raises(RequestIdConflict, match="r1"):
        await seeded.corrections.adjust(other)
    assert await score(seeded) == 45


async def test_an_unknown_lead_is_not_adjusted(seeded: Scoring) -> None:
    with pytest.raises(LeadNotFound, match="nobody"):
        await seeded.corrections.adjust(asked(delta=1, lead_id="nobody"))


async def test_an_adjustment_survives_a_rescore(seeded: Scoring) -> None:
    await seeded.corrections.adjust(asked(delta=15))
    rules = tuple(replace(rule, points=rule.points * 2) for rule in BUILT_IN.rules)
    await seeded.publish(replace(BUILT_IN, rules=rules), Mode.RESCORE)
    await seeded.rollout.step()
    assert await score(seeded) == 60 + 15
    assert await seeded.verify() == []


async def test_an_adjustment_does_not_count_as_activity(seeded: Scoring) -> None:
    seeded.now = NOW + timedelta(days=20)
    await seeded.corrections.adjust(asked(target=100))
    lead = (await seeded.queries.score("ada", None)).lead
    assert (lead.state.event_count, lead.state.last_event_time) == (2, days_ago(1))
    await seeded.run_decay(seeded.now + timedelta(days=1))
    assert await score(seeded) < 100, "adjustments must not stop the decay of an inactive lead"
    assert await seeded.verify() == []


async def test_a_retracted_event_never_happened(seeded: Scoring) -> None:
    lead_id, entry = await seeded.corrections.retract("e1", "a bot", "eve")
    assert entry is not None
    assert (lead_id, entry.kind, entry.delta, entry.event_id) == ("ada", EntryKind.RETRACTION, -20, "retraction:e1")
    assert (entry.event_type, entry.event_time, entry.reason) == ("signup", days_ago(2), "a bot")
    found = await seeded.queries.score("ada", None)
    assert (found.lead.state.score, found.lead.state.event_count) == (10, 1)
    assert await seeded.verify() == []
    assert await seeded.corrections.retract("e1", "again", "bob") == (lead_id, entry)


async def test_a_retracted_event_does_not_count_for_velocity(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "page_view", days_ago(0.1)), ("e2", "ada", "page_view", days_ago(0.2)))
    await scoring.drain_all()
    await scoring.corrections.retract("e1", "a bot", "eve")
    assert (await scoring.queries.score("ada", None)).recent_events == 1


async def test_all_events_of_a_lead_can_be_retracted(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await scoring.corrections.retract("e1", "a bot", "eve")
    found = await scoring.queries.score("ada", None)
    assert (found.lead.state.score, found.lead.state.last_event_time, found.recent_events) == (0, None, 0)
    assert await scoring.queries.score("ada", NOW) == found, "as of now must equal the current score"
    with pytest.raises(LeadNotFound):
        await scoring.queries.score("ada", days_ago(2))
    assert await scoring.verify() == []
    await scoring.put(("e2", "ada", "download", days_ago(3)))
    await scoring.drain_all()
    assert await score(scoring) == 10
    assert await scoring.verify() == []


async def test_two_servers_retract_an_event_once(seeded: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await seeded.corrections.retract("e2", "a bot", "eve")
    look, asked_before = seeded.lead_writer.entry, False

    async def blind_at_first(entry_id: str, lead_id: str | None = None) -> tuple[str, Entry] | None:
        # What a second server sees that looks before the first one has committed.
        nonlocal asked_before
        if entry_id == "retraction:e2" and not asked_before:
            asked_before = True
            return None
        return await look(entry_id, lead_id)

    monkeypatch.setattr(seeded.lead_writer, "entry", blind_at_first)
    assert await seeded.corrections.retract("e2", "a bot", "eve") == first
    assert asked_before, "expected the second server to look before it folds"
    assert await seeded.verify() == []


async def test_only_scored_events_can_be_retracted(scoring: Scoring) -> None:
    with pytest.raises(EventNotFound, match="nothing"):
        await scoring.corrections.retract("nothing", "x", "eve")
    await scoring.put(("e1", "ada", "contract_signed", days_ago(20)))
    with pytest.raises(EventNotScored, match="e1"):
        await scoring.corrections.retract("e1", "x", "eve")
    await scoring.drain_all()
    await scoring.run_decay(NOW)
    with pytest.raises(EventNotFound, match="decay"):
        await scoring.corrections.retract("decay:2026-03-10:ada", "x", "eve")


async def test_corrections_meet_drains(seeded: Scoring) -> None:
    async def drain() -> None:
        for number in range(6):
            await seeded.put((f"p{number}", "ada", "page_view", days_ago(number / 10)))
            await seeded.drain_all()

    corrections = [seeded.corrections.adjust(asked(f"r{number}", delta=1)) for number in range(6)]
    await asyncio.gather(drain(), *corrections, seeded.corrections.retract("e2", "a bot", "eve"))
    assert await score(seeded) == 20 + 6 * 5 + 6
    assert await seeded.verify() == []


async def test_as_of_a_time_before_a_correction(seeded: Scoring) -> None:
    await seeded.corrections.adjust(asked(delta=15))
    await seeded.corrections.retract("e1", "a bot", "eve")
    assert await score(seeded) == 25
    assert (await seeded.queries.score("ada", days_ago(0.5))).lead.state.score == 30
    assert (await seeded.queries.score("ada", NOW)).lead.state.score == 25
