"""DecayScores applies each tick once, even if runs repeat, overlap or are interrupted."""

import asyncio
from datetime import timedelta

from scoring_service.domain.entry import EntryKind
from tests.scoring.conftest import NOW, Scoring, days_ago


async def seed(scoring: Scoring, leads: int = 40) -> None:
    await scoring.put(
        *((f"a{n}", f"lead{n}", "contract_signed", days_ago(40 + n % 9)) for n in range(leads)),
        *((f"b{n}", f"lead{n}", "signup", days_ago(n % 25)) for n in range(leads)),
    )
    await scoring.drain_all()


async def states(scoring: Scoring, leads: int = 40) -> dict[str, int]:
    scores = await scoring.queries.scores([f"lead{n}" for n in range(leads)], None)
    return {score.lead.lead_id: score.lead.state.score for score in scores}


async def test_a_second_run_for_the_same_date_changes_nothing(scoring: Scoring) -> None:
    await seed(scoring)
    first = await scoring.run_decay(NOW)
    after_one, entries = await states(scoring), await scoring.database["score_history"].count_documents({})
    second = await scoring.run_decay(NOW)
    assert first.leads_changed > 0
    assert first.points_removed > 0
    assert (second.leads_changed, second.entries, second.points_removed) == (0, 0, 0)
    assert await states(scoring) == after_one
    assert await scoring.database["score_history"].count_documents({}) == entries
    assert await scoring.verify() == []


async def test_two_concurrent_runs_decay_each_lead_once(scoring: Scoring) -> None:
    await seed(scoring)
    runs = await asyncio.gather(scoring.run_decay(NOW), scoring.run_decay(NOW))
    at_once = await states(scoring)
    assert sum(run.points_removed for run in runs) == 40 * 120 - sum(at_once.values())
    assert await scoring.verify() == []


async def test_the_next_run_finishes_an_interrupted_one(scoring: Scoring) -> None:
    await seed(scoring)
    run = scoring.decay.run(NOW)
    await anext(run)
    await run.aclose()
    assert (await scoring.run_decay(NOW)).leads_changed > 0
    assert (await scoring.run_decay(NOW)).leads_changed == 0
    assert await scoring.verify() == []


async def test_an_earlier_date_does_nothing(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.run_decay(NOW)
    before = await states(scoring)
    assert (await scoring.run_decay(days_ago(5))).entries == 0
    assert await states(scoring) == before


async def test_a_dry_run_predicts_and_writes_nothing(scoring: Scoring) -> None:
    await seed(scoring)
    before = await states(scoring)
    dry = [progress async for progress in scoring.decay.dry_run(NOW)][-1]
    assert await states(scoring) == before
    real = await scoring.run_decay(NOW)
    assert (dry.leads_changed, dry.entries, dry.points_removed) == (
        real.leads_changed,
        real.entries,
        real.points_removed,
    )


async def test_drains_and_decay_at_once_lose_nothing(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.put(*((f"c{n}", f"lead{n % 40}", "page_view", days_ago(n % 30)) for n in range(200)))

    async def drains() -> None:
        while await scoring.drain_all(5):
            pass

    await asyncio.gather(drains(), drains(), scoring.run_decay(days_ago(3)), scoring.run_decay(NOW))
    await scoring.drain_all()
    assert await scoring.verify() == []
    live = await states(scoring)
    await scoring.run_decay(NOW)
    assert await states(scoring) == live


async def test_decay_is_in_the_history_and_in_automations_inbox(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "contract_signed", days_ago(9)))
    await scoring.drain_all()
    scoring.doorbell.partitions.clear()
    await scoring.run_decay(NOW)
    entries = await scoring.queries.history("ada", after=(), limit=10, newest_first=False)
    assert [(entry.kind, entry.event_id, entry.delta) for entry in entries] == [
        (EntryKind.EVENT, "e1", 100),
        (EntryKind.DECAY, "decay:2:ada", -10),
    ]
    assert scoring.doorbell.partitions == {scoring.changes.partition_of("ada")}
    [change] = (await scoring.last_row_of_changes())["changes"]
    assert (change["lead_id"], change["sequence"]) == ("ada", 2)
    assert (change["kinds"], change["event_types"]) == (["DECAY"], [])
    assert change["scores"] == [100, 95, 90], "automation must see every tick, although one entry covers both"


async def test_as_of_shows_the_past(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "contract_signed", days_ago(20)), ("e2", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await scoring.run_decay(NOW)

    async def score_at(days: float) -> int:
        return (await scoring.queries.score("ada", days_ago(days))).lead.state.score

    assert await score_at(19) == 100
    assert await score_at(12) == 95
    assert await score_at(1.1) < await score_at(1) == (await scoring.queries.score("ada", None)).lead.state.score
    assert await scoring.queries.scores(["ada"], days_ago(21)) == []
    assert (await scoring.queries.score("ada", days_ago(1) + timedelta(hours=1))).recent_events == 1
