"""Models are stored, published and rolled out once per lead, despite crashes and while events arrive."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from pymongo.errors import PyMongoError

from scoring_service import messages
from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.entry import EntryKind
from scoring_service.domain.model import ModelNotFound, ScoringModel
from scoring_service.domain.timeline import Mode, ModelOutdated
from scoring_service.store.batches import AppendBatch
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.store.writes import LeadWriter
from tests.scoring.conftest import ENGINE, NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.shared.commands import overheard

LEADS = [f"lead{n}" for n in range(40)]


def worth(points: int) -> ScoringModel:
    """Returns the built-in model with other points for a sign-up."""
    rules = [replace(rule, points=points) if rule.rule_id == "signup" else rule for rule in BUILT_IN.rules]
    return replace(BUILT_IN, rules=tuple(rules))


async def seed(scoring: Scoring, age: int = 3) -> None:
    await scoring.put(*((f"a-{lead}", lead, "signup", days_ago(age)) for lead in LEADS))
    await scoring.put(*((f"b-{lead}", lead, "download", days_ago(age - 1)) for lead in LEADS[:20]))
    await scoring.drain_all()


async def scores(scoring: Scoring) -> set[int]:
    return {score.lead.state.score for score in await scoring.queries.scores(LEADS, None)}


async def leads_with(scoring: Scoring, kind: EntryKind) -> list[str]:
    """Returns the leads that have entries of a kind, one for each entry."""
    rows = scoring.database["score_history"].find({"kind": kind.value}, {"lead_id": 1})
    return sorted([row["lead_id"] async for row in rows])


async def entries_of_kind(scoring: Scoring, kind: EntryKind) -> list[str]:
    rows = scoring.database["score_history"].find({"kind": kind.value}, {"_id": 1})
    return sorted([row["_id"] async for row in rows])


async def test_a_rescore_changes_each_lead_once_with_one_entry(scoring: Scoring) -> None:
    await seed(scoring)
    publication = await scoring.publish(worth(25), Mode.RESCORE)
    assert await scoring.rollout.step() == len(LEADS)
    assert await scores(scoring) == {25, 35}
    assert await leads_with(scoring, EntryKind.MODEL) == sorted(LEADS)
    assert (await scoring.queries.score("lead0", None)).model.version == publication.version == 2
    assert await scoring.publishing.leads_left() == (0, 0)
    assert await scoring.rollout.step() == 0
    assert await scoring.verify() == []


async def test_the_leads_left_are_not_counted_one_by_one(scoring: Scoring, database_uri: str) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.RESCORE)
    for partition in (0, 1, 2):
        await scoring.models.reach((await scoring.models.publications())[-1], partition)
    async with overheard(database_uri) as (database, commands):
        models = ModelStore(database, ENGINE)
        reader = LeadReader(database, models, scoring.events)
        publishing = replace(scoring.publishing, models=models, lead_reader=reader)
        assert await publishing.leads_left() == (2, len(LEADS) * 5 // 8)
    assert commands.names == ["find", "find", "count"]
    assert "query" not in commands.sent[-1][1], "expected the number that MongoDB keeps of all leads"


async def test_an_unchanged_lead_gets_no_entry(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "page_view", days_ago(1)))
    await scoring.drain_all()
    await scoring.publish(worth(25), Mode.RESCORE)
    await scoring.rollout.step()
    assert await entries_of_kind(scoring, EntryKind.MODEL) == []
    assert await scoring.verify() == []


async def test_a_new_calibration_needs_no_rescore(scoring: Scoring) -> None:
    await seed(scoring)
    steps = (CalibrationStep(0, 0.1, 0.05, 0.2, 90), CalibrationStep(25, 0.4, 0.2, 0.6, 10))
    calibrated = replace(BUILT_IN, calibration=Calibration(timedelta(days=7), None, 100, steps))
    await scoring.publish(calibrated, Mode.FORWARD)
    assert await scoring.rollout.step() == 0
    shown = [messages.lead_score(each) for each in await scoring.queries.scores(["lead0", "lead39"], None)]
    assert [(each.score, each.conversion_probability.probability) for each in shown] == [(30, 0.4), (20, 0.1)]
    assert await leads_with(scoring, EntryKind.MODEL) == []
    assert await scoring.verify() == []


async def test_a_forward_publication_does_not_change_past_scores(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.FORWARD)
    assert await scoring.rollout.step() == 0
    late, fresh = days_ago(2.5), NOW + timedelta(minutes=1)
    await scoring.put(("late", "lead0", "signup", late), ("fresh", "lead39", "signup", fresh))
    await scoring.drain_all()
    found = {score.lead.lead_id: score.lead.state.score for score in await scoring.queries.scores(LEADS, None)}
    assert (found["lead0"], found["lead39"]) == (20 + 10 + 20, 20 + 25), (
        "a late event is judged by the model of its day"
    )
    assert await scoring.verify() == []


async def test_a_forward_publication_applies_to_events_ahead_of_the_clock(scoring: Scoring) -> None:
    await scoring.put(("ahead", "ada", "signup", NOW + timedelta(hours=5)))
    await scoring.drain_all()
    await scoring.publish(worth(25), Mode.FORWARD)
    assert await scoring.rollout.step() == 1
    assert (await scoring.queries.score("ada", None)).lead.state.score == 25
    assert await scoring.verify() == []


async def test_a_drain_reaches_a_lead_before_the_rollout_does(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.RESCORE)
    await scoring.put(("next", "lead0", "page_view", NOW))
    await scoring.drain_all()
    history = await scoring.queries.history("lead0", after=(), limit=10, newest_first=False)
    assert [(entry.kind, entry.delta) for entry in history[-2:]] == [(EntryKind.MODEL, 5), (EntryKind.EVENT, 5)]
    assert await scoring.verify() == [], "invariants must hold during a rollout"
    assert await scoring.rollout.step() == len(LEADS) - 1
    assert await leads_with(scoring, EntryKind.MODEL) == sorted(LEADS)
    assert await scoring.verify() == []


async def test_the_next_rollout_finishes_an_interrupted_one(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.RESCORE)
    append, calls = LeadWriter.append, 0

    async def append_some(self: LeadWriter, commit: AppendBatch) -> set[int]:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise PyMongoError("planted")
        return await append(self, commit)

    monkeypatch.setattr(LeadWriter, "append", append_some)
    with pytest.raises(PyMongoError, match="planted"):
        await scoring.rollout.step()
    monkeypatch.undo()
    assert 0 < len(await entries_of_kind(scoring, EntryKind.MODEL)) < len(LEADS)
    assert await scoring.verify() == []
    await scoring.rollout.step()
    assert await leads_with(scoring, EntryKind.MODEL) == sorted(LEADS)
    assert await scoring.verify() == []


async def test_workers_roll_out_together_while_events_come_in_and_scores_decay(scoring: Scoring) -> None:
    await seed(scoring, age=20)
    await scoring.publish(worth(25), Mode.RESCORE)

    async def ingest() -> None:
        for number in range(5):
            await scoring.put(*((f"{number}-{lead}", lead, "page_view", NOW) for lead in LEADS))
            await scoring.drain_all()

    await asyncio.gather(scoring.rollout.step(), scoring.rollout.step(), ingest(), scoring.run_decay(NOW))
    # 13 ticks leave 9 of 25 points, 12 ticks leave 15 of 35; then come five page views.
    assert await scores(scoring) == {9 + 25, 15 + 25}
    assert len(await entries_of_kind(scoring, EntryKind.MODEL)) == len(LEADS)
    assert len(await entries_of_kind(scoring, EntryKind.DECAY)) == len(LEADS), "all ticks must share one entry per lead"
    assert await scoring.verify() == []


async def test_a_decay_run_that_reaches_a_lead_before_the_rollout_does_counts_decay_only(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(8)))
    await scoring.drain_all()
    await scoring.publish(worth(60), Mode.RESCORE)
    progress = await scoring.run_decay(NOW)
    history = await scoring.queries.history("ada", after=(), limit=10, newest_first=False)
    assert [(entry.kind, entry.delta) for entry in history[1:]] == [(EntryKind.MODEL, 40), (EntryKind.DECAY, -3)]
    assert (progress.leads_changed, progress.entries, progress.points_removed) == (1, 1, 3)


async def test_two_publications_before_a_rollout_are_rolled_out_together(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.RESCORE)
    await scoring.publish(worth(30), Mode.RESCORE)
    await scoring.rollout.step()
    assert await scores(scoring) == {30, 40}
    assert await leads_with(scoring, EntryKind.MODEL) == sorted(LEADS)
    assert await scoring.verify() == []


async def test_an_outdated_base_version_is_rejected(scoring: Scoring) -> None:
    await scoring.publish(worth(25), Mode.RESCORE)
    version = (await scoring.publishing.create(worth(30))).model.version
    with pytest.raises(ModelOutdated, match="version 2 is in force, not 1"):
        await scoring.publishing.publish(version, 1, Mode.RESCORE, "tester", "")


async def test_one_of_two_concurrent_publications_is_rejected(scoring: Scoring) -> None:
    versions = [(await scoring.publishing.create(worth(points))).model.version for points in (25, 30)]
    done = await asyncio.gather(
        *(scoring.publishing.publish(version, 1, Mode.FORWARD, "tester", "") for version in versions),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["ModelOutdated", "Publication"]
    assert len(await scoring.models.publications()) == 2


async def test_each_version_is_assigned_once(scoring: Scoring) -> None:
    stored = await asyncio.gather(*(scoring.publishing.create(worth(points)) for points in range(1, 9)))
    assert sorted(each.model.version for each in stored) == list(range(2, 10))
    for each in stored:
        read = await scoring.models.get(each.model.version)
        assert read.model == each.model


async def test_an_unknown_version_is_not_published(scoring: Scoring) -> None:
    with pytest.raises(ModelNotFound, match="version 7"):
        await scoring.publishing.publish(7, 1, Mode.RESCORE, "tester", "")


async def test_publish_times_ascend_even_if_the_clock_goes_back(scoring: Scoring) -> None:
    first = await scoring.publish(worth(25), Mode.FORWARD)
    scoring.now = days_ago(5)
    second = await scoring.publish(worth(30), Mode.FORWARD)
    assert second.publish_time == first.publish_time + timedelta(milliseconds=1)


def hot_from(score: int) -> ScoringModel:
    """Returns the built-in model with another threshold of `hot`."""
    stages = tuple(replace(each, minimum_score=score) if each.stage == "hot" else each for each in BUILT_IN.stages)
    return replace(BUILT_IN, stages=stages)


@pytest.mark.parametrize("mode", [Mode.FORWARD, Mode.RESCORE])
async def test_a_lead_whose_stage_changes_gets_an_entry_even_if_its_score_stays(scoring: Scoring, mode: Mode) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)), ("e2", "bob", "page_view", days_ago(1)))
    await scoring.drain_all()
    await scoring.publish(hot_from(15), mode)
    assert await scoring.publishing.leads_left() == (2, 2)
    assert await scoring.rollout.step() == 2
    assert await leads_with(scoring, EntryKind.MODEL) == ["ada"]
    entry = (await scoring.queries.history("ada", after=(), limit=1, newest_first=True))[0]
    assert (entry.kind, entry.delta, entry.stage_before, entry.stage_after) == (EntryKind.MODEL, 0, "warm", "hot")
    [change] = (await scoring.last_row_of_changes())["changes"]
    assert (change["lead_id"], change["sequence"]) == ("ada", 2), "automation must be notified"
    assert (change["kinds"], change["event_types"]) == (["MODEL"], [])
    assert await scoring.verify() == []


async def test_an_event_before_the_rollout_sees_the_new_stage(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await scoring.publish(hot_from(15), Mode.FORWARD)
    await scoring.put(("e2", "ada", "page_view", NOW))
    await scoring.drain_all()
    history = await scoring.queries.history("ada", after=(), limit=10, newest_first=False)
    assert [(entry.kind, entry.stage_before, entry.stage_after) for entry in history[1:]] == [
        (EntryKind.MODEL, "warm", "hot"),
        (EntryKind.EVENT, "hot", "hot"),
    ]
    assert await scoring.rollout.step() == 0


async def test_a_forward_rollout_skips_leads_that_drains_have_updated(scoring: Scoring) -> None:
    await seed(scoring)
    await scoring.publish(worth(25), Mode.FORWARD)
    assert await scoring.rollout.step() == 0
    scoring.now = NOW + timedelta(days=60)
    await scoring.put(*((f"c-{lead}", lead, "signup", scoring.now - timedelta(days=1)) for lead in LEADS))
    await scoring.drain_all()
    await scoring.publish(worth(30), Mode.FORWARD)
    assert await scoring.rollout.step() == 0
    assert await scoring.verify() == []


async def test_as_of_returns_what_was_returned_then(scoring: Scoring) -> None:
    await seed(scoring)
    before = (await scoring.queries.score("lead0", NOW)).lead.state.score
    scoring.now = NOW + timedelta(days=1)
    await scoring.publish(worth(25), Mode.RESCORE)
    await scoring.rollout.step()
    then, now = await scoring.queries.score("lead0", NOW), await scoring.queries.score("lead0", scoring.now)
    assert (then.lead.state.score, then.model.version) == (before, 1)
    assert (now.lead.state.score, now.model.version) == (35, 2)
