"""Verification finds violations, and rebuilding repairs stored states."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scoring_service.domain import refold
from scoring_service.domain.errors import HistoryInconsistent, LeadNotFound
from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.model import Decay
from scoring_service.domain.timeline import Mode
from scoring_service.domain.verification import ScoredEvent, Violation
from scoring_service.store import facts
from scoring_service.store.event_reads import EventReader
from scoring_service.usecases import scan, verify
from scoring_service.usecases.rebuild import RebuildProgress
from shared.contracts.events import digest_of
from tests.scoring.conftest import DAY, NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN


async def seed(scoring: Scoring) -> None:
    await scoring.put(*((f"e{n}", f"lead{n % 3}", "signup", days_ago(n)) for n in range(12)))
    await scoring.drain_all()
    await scoring.run_decay(NOW)


@pytest.mark.parametrize(
    ("invariant", "collection", "which", "update"),
    [
        ("I5", "leads", {"_id": "lead1"}, {"$inc": {"score": 1}}),
        ("I5", "leads", {"_id": "lead1"}, {"$inc": {"sequence": 1}}),
        ("I7", "leads", {"_id": "lead1"}, {"$inc": {"event_count": 1}}),
        ("I5", "score_history", {"_id": "e4"}, {"$inc": {"delta": 1}}),
        ("I5", "score_history", {"_id": "e4"}, {"$inc": {"sequence": 100}}),
        ("I7", "score_history", {"_id": "e4"}, {"$inc": {"points": 1}}),
        ("I3", "score_history", {"_id": "e4"}, {"$set": {"event_type": "other"}}),
        ("I3", "events", {"_id": "e4"}, {"$set": {"state": "pending"}}),
        ("I3", "events", {"_id": "e4"}, {"$set": {"event_type": "demo_request"}}),
        ("I7", "events", {"_id": "e4"}, {"$set": {"digest": digest_of({"plan": "pro"})}}),
        ("I7", "score_history", {"_id": "e4"}, {"$set": {"properties": {"plan": "pro"}}}),
    ],
)
async def test_a_planted_fault_is_found(
    scoring: Scoring, invariant: str, collection: str, which: dict[str, Any], update: dict[str, Any]
) -> None:
    await seed(scoring)
    assert await scoring.verify() == []
    assert (await scoring.database[collection].update_one(which, update)).modified_count == 1
    found = await scoring.verify()
    assert any(violation.startswith(invariant) for violation in found), found


async def test_a_missing_entry_is_found(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.database["score_history"].delete_one({"_id": "e4"})
    assert "I3 event 'e4' is stored as scored, but has no entry" in await scoring.verify()


async def test_a_damaged_state_is_rebuilt_from_the_history(scoring: Scoring) -> None:
    await seed(scoring)
    before = await scoring.database["leads"].find_one({"_id": "lead1"})
    await scoring.database["leads"].update_one({"_id": "lead1"}, {"$set": {"score": 7, "contributions": {}}})
    rebuilt = await scoring.rebuild.one("lead1")
    assert (rebuilt.changed, rebuilt.score_before) == (True, 7)
    assert await scoring.database["leads"].find_one({"_id": "lead1"}) == before
    assert not (await scoring.rebuild.one("lead1")).changed


async def test_a_missing_state_is_rebuilt_from_the_history(scoring: Scoring) -> None:
    await seed(scoring)
    before = (await scoring.queries.score("lead1", None)).lead.state
    await scoring.database["leads"].delete_one({"_id": "lead1"})
    await scoring.rebuild.one("lead1")
    after = (await scoring.queries.score("lead1", None)).lead.state
    assert (after.score, after.contributions) == (before.score, before.contributions)
    assert await scoring.verify() == []


async def rebuild_all(scoring: Scoring, *, check_only: bool = False) -> list[RebuildProgress]:
    return [progress async for progress in scoring.rebuild.all(check_only=check_only)]


async def test_a_missing_row_is_found_and_rebuilt(scoring: Scoring) -> None:
    await seed(scoring)
    before = [
        score.lead.state.contributions for score in await scoring.queries.scores(["lead0", "lead1", "lead2"], None)
    ]
    for lost in (["lead0"], ["lead2"], ["lead0", "lead1", "lead2"]):
        await scoring.database["leads"].delete_many({"_id": {"$in": lost}})
        found = await scoring.verify()
        assert found == ["I7 its row is missing, but not its history (number of entries: 4): rebuild it"] * len(lost)
        for check_only in (True, False):
            progress = await rebuild_all(scoring, check_only=check_only)
            assert [each for one in progress for each in one.changed] == lost
        assert await scoring.verify() == []
    after = [
        score.lead.state.contributions for score in await scoring.queries.scores(["lead0", "lead1", "lead2"], None)
    ]
    assert after == before


async def test_a_row_that_decay_and_a_rollout_missed_is_rebuilt(scoring: Scoring) -> None:
    """The history adds up to the state when the row was lost; later ticks and publications are applied afterwards."""
    for lead in ("ada", "bob"):
        await scoring.put(*((f"{lead}{days}", lead, "demo_request", days_ago(days)) for days in (12, 9)))
    await scoring.drain_all()
    await scoring.run_decay(NOW)
    row = await scoring.database["leads"].find_one({"_id": "ada"})
    await scoring.database["leads"].delete_one({"_id": "ada"})
    scoring.now = NOW + 3 * DAY
    await scoring.run_decay(scoring.now)
    shorter = replace(BUILT_IN, decay=Decay(timedelta(days=1), percent_per_day=50))
    await scoring.publish(shorter, Mode.RESCORE)
    await scoring.rollout.step()
    assert len(await scoring.verify()) == 1
    [*_, progress] = await rebuild_all(scoring)
    assert (progress.leads_changed, progress.done) == (1, True)
    assert await scoring.database["leads"].find_one({"_id": "ada"}) == row
    assert await scoring.verify() == []
    for lead in ("ada", "bob"):
        await scoring.put((f"{lead}0", lead, "page_view", scoring.now))
    await scoring.drain_all()
    assert await scoring.verify() == []
    ada, bob = await scoring.queries.scores(["ada", "bob"], None)
    assert ada.lead.state.score == bob.lead.state.score


async def test_a_row_without_a_history_is_reported_but_not_rebuilt(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.database["score_history"].delete_many({"lead_id": "lead1"})
    await scoring.database["leads"].update_one({"_id": "lead2"}, {"$set": {"score": 7}})
    assert "I5 the number of entries is 4 in the lead's row, but 0 in its history" in await scoring.verify()
    with pytest.raises(HistoryInconsistent, match=r"lead1.*no entries"):
        await rebuild_all(scoring)
    assert (await scoring.queries.score("lead2", None)).lead.state.score == 80


@pytest.mark.parametrize("page_leads", [1, 500])
async def test_a_contradictory_history_does_not_stop_the_rebuild_of_other_leads(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch, page_leads: int
) -> None:
    monkeypatch.setattr(scan, "PAGE_LEADS", page_leads)
    await seed(scoring)
    await scoring.database["score_history"].update_one({"_id": "e4"}, {"$inc": {"delta": 1}})
    await scoring.database["leads"].update_many({}, {"$set": {"contributions": {}}})
    with pytest.raises(HistoryInconsistent, match="lead1"):
        await rebuild_all(scoring)
    for lead_id, rebuilt in (("lead0", True), ("lead1", False), ("lead2", True)):
        assert bool((await scoring.queries.score(lead_id, None)).lead.state.contributions) is rebuilt


@pytest.mark.parametrize(
    ("max_entries", "pages"), [(4, [1, 1, 1]), (7, [1, 1, 1]), (8, [2, 1]), (11, [2, 1]), (12, [3])]
)
async def test_a_page_ends_before_it_has_too_many_entries(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch, max_entries: int, pages: list[int]
) -> None:
    monkeypatch.setattr(scan, "PAGE_ENTRIES", max_entries)
    await seed(scoring)
    seen = [page async for page in scan.scan_leads(scoring.lead_reader, IdRange(), check=True)]
    assert [len(page.leads) for page in seen] == pages
    assert [stored.lead_id for page in seen for stored in page.leads] == ["lead0", "lead1", "lead2"]
    assert {len(stored.entries or ()) for page in seen for stored in page.leads} == {4}, "expected whole histories"
    assert sum(len(events) for page in seen for events in page.events.values()) == 12
    assert await scoring.verify() == []


async def test_a_history_that_is_too_long_for_a_page_is_checked_and_rebuilt_in_pieces(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PAGE_ENTRIES", 2)
    monkeypatch.setattr(facts, "PIECE_FACTS", 3)
    await seed(scoring)
    assert await scoring.verify() == []
    await scoring.database["leads"].update_one({"_id": "lead1"}, {"$inc": {"event_count": 1}})
    await scoring.database["score_history"].update_one({"_id": "e5"}, {"$inc": {"delta": 1}})
    assert {violation.split()[0] for violation in await scoring.verify()} == {"I5", "I7"}
    with pytest.raises(HistoryInconsistent, match="lead2"):
        await rebuild_all(scoring)
    await scoring.database["score_history"].update_one({"_id": "e5"}, {"$inc": {"delta": -1}})
    assert await scoring.verify() == []


async def test_a_long_history_that_grows_in_the_meantime_is_checked_as_far_as_its_row_goes(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PAGE_ENTRIES", 2)
    monkeypatch.setattr(facts, "PIECE_FACTS", 3)
    await seed(scoring)
    scored, calls = EventReader.scored, 0

    async def growing(reader: EventReader, event_ids: Sequence[str]) -> dict[str, dict[str, ScoredEvent]]:
        nonlocal calls
        calls += bool(event_ids)
        if event_ids and calls == 1:
            await scoring.put(("late", "lead0", "signup", days_ago(5)), ("new", "lead0", "signup", NOW))
            await scoring.drain_all()
        return await scored(reader, event_ids)

    monkeypatch.setattr(EventReader, "scored", growing)
    progress = [each async for each in scoring.verification.run()]
    assert (progress[-1].violations_total, progress[-1].entries_checked) == (0, 12), "expected no new entries"
    await scoring.database["leads"].update_one({"_id": "lead1"}, {"$inc": {"sequence": -1}})
    assert "I5 the last entry has sequence 4, the lead's row has 3" in await scoring.verify()


async def test_numbers_that_differ_are_found_without_reading_histories(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.database["score_history"].update_one({"_id": "e4"}, {"$inc": {"delta": 1}})
    progress = [each async for each in scoring.verification.run(counts_only=True)]
    counts = progress[-1].leads_checked, progress[-1].entries_checked, progress[-1].events_checked
    assert (counts, progress[-1].violations_total) == ((3, 12, 12), 0)
    await scoring.database["leads"].update_one({"_id": "lead0"}, {"$inc": {"sequence": 1}})
    await scoring.database["leads"].delete_one({"_id": "lead1"})
    await scoring.database["score_history"].delete_one({"_id": "e5"})
    found = [violation async for each in scoring.verification.run(counts_only=True) for violation in each.violations]
    assert found == [
        Violation("I5", "lead0", "the number of entries is 5 in the lead's row, but 4 in its history"),
        Violation("I7", "lead1", "its row is missing, but not its history (number of entries: 4): rebuild it"),
        Violation("I5", "lead2", "the number of entries is 4 in the lead's row, but 3 in its history"),
        Violation("I3", "lead2", "event 'e5' is stored as scored, but has no entry"),
    ]


async def test_wrong_checkpoints_are_found_and_rebuilt(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold, "CHECKPOINT_FACTS", 2)
    await seed(scoring)
    assert await scoring.database["checkpoints"].count_documents({}) == 6
    await scoring.database["checkpoints"].update_one({"_id": "lead1:2"}, {"$inc": {"score": 1}})
    assert await scoring.verify() == ["I7 1 of its checkpoints differ from its history: rebuild it"]
    assert not (await scoring.rebuild.one("lead1")).changed, "the state of the lead was correct"
    assert await scoring.verify() == []
    await scoring.database["checkpoints"].delete_many({})
    assert await scoring.verify() == [], "checkpoints are a cache"


async def test_many_violations_come_in_many_messages(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MESSAGE_VIOLATIONS", 2)
    await seed(scoring)
    await scoring.database["score_history"].update_many({"lead_id": "lead1"}, {"$inc": {"delta": 1}})
    progress = [each async for each in scoring.verification.run()]
    assert [len(each.violations) for each in progress] == [2, 2, 1, 0, 0], "expected 4 wrong deltas and their sum"
    assert [each.violations_total for each in progress] == [2, 4, 5, 5, 5]
    assert [each.leads_checked for each in progress] == [3, 3, 3, 3, 3]
    assert [each.position is None for each in progress] == [True, True, False, True, True], "expected one per range"


async def test_other_tasks_run_between_two_leads(scoring: Scoring) -> None:
    await seed(scoring)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    [page] = [page async for page in scan.scan_leads(scoring.lead_reader, IdRange())]
    task = asyncio.create_task(other())
    seen = [turns async for _ in page.one_by_one()]
    task.cancel()
    assert seen == sorted(set(seen)), f"other tasks must run between the leads, got {seen}"


async def test_a_contradictory_history_is_not_rebuilt(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.database["score_history"].update_one({"_id": "e4"}, {"$inc": {"delta": 1}})
    with pytest.raises(HistoryInconsistent, match="lead1"):
        await scoring.rebuild.one("lead1")


async def test_an_unknown_lead_is_not_rebuilt(scoring: Scoring) -> None:
    with pytest.raises(LeadNotFound, match="nobody"):
        await scoring.rebuild.one("nobody")
