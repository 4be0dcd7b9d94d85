"""Verification finds what is wrong, and rebuilding mends what can be mended."""

from typing import Any

import pytest

from scoring_service.domain.history import HistoryInconsistent, LeadNotFound
from tests.scoring.conftest import NOW, Scoring, days_ago


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
        ("I7", "events", {"_id": "e4"}, {"$set": {"event_type": "demo_request"}}),
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
    assert any(violation.startswith("I3") for violation in await scoring.verify())


async def test_a_damaged_state_is_rebuilt_from_the_history(scoring: Scoring) -> None:
    await seed(scoring)
    before = await scoring.database["leads"].find_one({"_id": "lead1"})
    await scoring.database["leads"].update_one({"_id": "lead1"}, {"$set": {"score": 7, "contributions": {}}})
    rebuilt = await scoring.check.rebuild("lead1")
    assert (rebuilt.changed, rebuilt.score_before) == (True, 7)
    assert await scoring.database["leads"].find_one({"_id": "lead1"}) == before
    assert not (await scoring.check.rebuild("lead1")).changed


async def test_a_lost_state_is_rebuilt_from_the_history(scoring: Scoring) -> None:
    await seed(scoring)
    before = (await scoring.ask.score("lead1", None)).lead.state
    await scoring.database["leads"].delete_one({"_id": "lead1"})
    await scoring.check.rebuild("lead1")
    after = (await scoring.ask.score("lead1", None)).lead.state
    assert (after.score, after.contributions) == (before.score, before.contributions)
    assert await scoring.verify() == []


async def test_a_contradictory_history_is_not_rebuilt(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.database["score_history"].update_one({"_id": "e4"}, {"$inc": {"delta": 1}})
    with pytest.raises(HistoryInconsistent, match="lead1"):
        await scoring.check.rebuild("lead1")


async def test_an_unknown_lead_is_not_rebuilt(scoring: Scoring) -> None:
    with pytest.raises(LeadNotFound, match="nobody"):
        await scoring.check.rebuild("nobody")
