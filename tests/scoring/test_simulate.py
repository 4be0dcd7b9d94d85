"""A simulation writes nothing and predicts exactly what publishing does."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import bson
import pytest

from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.fit import Fit, FitRule
from scoring_service.domain.model import Decay, Limit, Period, Rule, ScoringModel
from scoring_service.domain.simulation import Difference, Summary
from scoring_service.domain.timeline import Mode
from scoring_service.servicer.simulation_messages import simulation_progress
from scoring_service.usecases.corrections import AdjustmentRequest
from scoring_service.usecases.simulate import SimulationProgress
from shared import wire
from shared.conditions import Condition, Operator
from shared.outcomes import Question
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN

FIT = Fit(
    (FitRule("dutch", 30, (Condition("country", Operator.EQUALS, "NL"),)),),
    grade_a_points=30,
    grade_b_points=20,
    grade_c_points=10,
    level_1_score=60,
    level_2_score=31,
)
OTHER = replace(
    BUILT_IN,
    rules=(
        Rule("view", ("page_view",), 7, limits=(Limit(Period.DAY, max_times=1),)),
        Rule("big", ("download",), 90, (Condition("pages", Operator.AT_LEAST, 10.0),)),
        Rule("never", ("unheard_of",), 1),
        Rule("demo", ("demo_request",), 30),
    ),
    fit=FIT,
)


async def seed(scoring: Scoring) -> None:
    for number in range(12):
        lead, day = f"lead{number:02}", 40 - number
        await scoring.put((f"i{number}", lead, "identify", days_ago(day)), country="NL" if number % 2 else "DE")
        await scoring.put(
            (f"v{number}", lead, "page_view", days_ago(day)), (f"w{number}", lead, "page_view", days_ago(day))
        )
        await scoring.put((f"d{number}", lead, "download", days_ago(day - 1)), pages=float(number))
        if number % 3 == 0:
            await scoring.put((f"c{number}", lead, "contract_signed", days_ago(day - 9)))
        if number == 4:
            await scoring.put((f"c{number}", lead, "contract_signed", days_ago(day - 2)))
    await scoring.drain_all()
    await scoring.corrections.adjust(AdjustmentRequest("r", "lead01", 12, None, "met", "eve"))
    await scoring.corrections.retract("d11", "a bot", "eve")
    await scoring.run_decay(NOW)


async def simulated(
    scoring: Scoring, question: Question | None = None, model: ScoringModel = OTHER
) -> tuple[list[Difference], Summary]:
    found: list[Difference] = []
    async for progress in scoring.simulate.run(model, question):
        found += progress.differences
        if progress.summary is not None:
            return found, progress.summary
    raise AssertionError("expected a summary at the end")


async def fingerprint(scoring: Scoring) -> dict[str, str]:
    """Returns a hash of every document of every collection."""
    return {
        name: hashlib.sha256(
            b"".join(bson.encode(row) for row in await scoring.database[name].find().sort("_id").to_list())
        ).hexdigest()
        for name in await scoring.database.list_collection_names()
    }


async def test_nothing_is_written(scoring: Scoring) -> None:
    await seed(scoring)
    before = await fingerprint(scoring)
    await simulated(scoring, question(timedelta(days=7)))
    assert await fingerprint(scoring) == before


async def test_the_prediction_is_what_publishing_does(scoring: Scoring) -> None:
    await seed(scoring)
    found, summary = await simulated(scoring)
    before = {
        score.lead.lead_id: score for score in await scoring.queries.scores([f"lead{n:02}" for n in range(12)], None)
    }
    await scoring.publish(OTHER, Mode.RESCORE)
    await scoring.rollout.step()
    after = {score.lead.lead_id: score for score in await scoring.queries.scores(list(before), None)}
    predicted = {each.lead_id: each for each in found}
    for lead_id, score in after.items():
        was = before[lead_id]
        differs = (was.lead.state.score, was.fitness.grade) != (score.lead.state.score, score.fitness.grade)
        assert (lead_id in predicted) is differs
        if differs:
            assert predicted[lead_id].score_before == was.lead.state.score
            assert predicted[lead_id].score_after == score.lead.state.score
            assert predicted[lead_id].stage_after == score.model.stage_of(score.lead.state.score)
            assert predicted[lead_id].fit_grade_after == score.fitness.grade
    assert summary.leads_changed == len(found)
    assert summary.points_after == sum(score.lead.state.score for score in after.values())
    assert sum(summary.stages.values()) == sum(summary.fit_grades.values()) == 12


@pytest.mark.parametrize(("grace", "expected"), [(timedelta(days=1), 44), (timedelta(days=7), 50)])
async def test_a_lead_that_decay_skipped_is_predicted_too(scoring: Scoring, grace: timedelta, expected: int) -> None:
    """Decay under the model in force does not change this lead, so its state does not have the decay date."""
    await scoring.put(("q", "quiet", "demo_request", days_ago(3)), ("f", "fresh", "demo_request", days_ago(0.1)))
    await scoring.drain_all()
    for day in (2, 1, 0):
        await scoring.run_decay(days_ago(day))
    shorter = replace(BUILT_IN, decay=Decay(grace, percent_per_day=5))
    found, summary = await simulated(scoring, model=shorter)
    assert {each.lead_id: each.score_after for each in found} == ({"quiet": expected} if expected != 50 else {})
    await scoring.publish(shorter, Mode.RESCORE)
    await scoring.rollout.step()
    after = {
        score.lead.lead_id: score.lead.state.score for score in await scoring.queries.scores(["quiet", "fresh"], None)
    }
    assert after == {"quiet": expected, "fresh": 50}
    assert summary.points_after == sum(after.values())


async def test_rules_that_never_match_and_unknown_event_types_are_reported(scoring: Scoring) -> None:
    await seed(scoring)
    _, summary = await simulated(scoring)
    rules = {each.rule_id: each for each in summary.rules}
    assert (rules["never"].events, rules["never"].points, rules["demo"].events) == (0, 0, 0)
    assert rules["view"].events == 24
    assert rules["view"].points == 12 * 7, "the limit of one per day must apply"
    assert rules["big"].events == 1, "of the events with 10 and 11 pages, the second was retracted"
    assert sum(each.share for each in summary.rules) == 1
    assert dict(summary.unknown_event_types) == {"identify": 12, "download": 10, "contract_signed": 5}


def question(*landmarks: timedelta, lost: str = "", **others: Any) -> Question:
    losses = frozenset({lost} if lost else ())
    return replace(Question(frozenset({"contract_signed"}), losses, landmarks, None, None), **others)


async def test_leads_are_judged_by_events_before_the_landmark(scoring: Scoring) -> None:
    await seed(scoring)
    _, summary = await simulated(scoring, question(timedelta(hours=1), timedelta(days=7)))
    early, late = summary.judgements
    assert (late.before.leads, late.before.converted, late.decided_before, late.censored) == (11, 4, 1, 0)
    assert early.before.leads == 12
    assert early.before.auc is not None
    assert early.before.auc.value == 0.5, (
        "within the first hour all leads have the same score, and contracts do not count"
    )
    assert early.comparison is not None
    assert early.comparison.difference == 0


async def test_leads_without_an_outcome_are_left_out_if_losses_are_named(scoring: Scoring) -> None:
    await seed(scoring)
    _, summary = await simulated(scoring, question(timedelta(days=7), lost="unsubscribe"))
    [judgement] = summary.judgements
    assert (judgement.before.leads, judgement.before.converted) == (4, 4)
    assert (judgement.decided_before, judgement.censored) == (1, 7)
    assert judgement.before.auc is None, "all leads with an outcome converted"


async def test_leads_that_began_before_the_split_are_not_judged(scoring: Scoring) -> None:
    await seed(scoring)
    _, everything = await simulated(scoring, question(timedelta(days=7), train_before=days_ago(1_000)))
    assert (everything.began_before, everything.judgements[0].before.leads) == (0, 11)
    _, nothing = await simulated(scoring, question(timedelta(days=7), train_before=NOW + timedelta(days=1)))
    assert (nothing.began_before, nothing.judgements[0].before.leads) == (12, 0)


async def test_what_was_recorded_after_the_landmark_does_not_count_if_asked(scoring: Scoring) -> None:
    """Both leads downloaded on the second day, but of one of them this became known only a week later."""
    view, download, signed = (days_ago(day) for day in (20, 19, 2))
    scoring.now = view
    await scoring.put(("v1", "prompt", "page_view", view), ("v2", "late", "page_view", view))
    await scoring.drain_all()
    scoring.now = download
    await scoring.put(("d1", "prompt", "download", download))
    await scoring.drain_all()
    scoring.now = signed
    await scoring.put(("d2", "late", "download", download), ("c1", "prompt", "contract_signed", signed))
    await scoring.drain_all()
    for as_known, auc, recorded_later in ((False, 0.5, 0), (True, 1.0, 1)):
        _, summary = await simulated(scoring, question(timedelta(days=7), as_known=as_known), BUILT_IN)
        [judgement] = summary.judgements
        assert judgement.recorded_later == recorded_later
        for ranking in (judgement.before, judgement.after):
            assert ranking.auc is not None
            assert ranking.auc.value == auc


async def test_a_planted_leak_is_found(scoring: Scoring) -> None:
    for number in range(30):
        lead, signed = f"lead-{number}", days_ago(number % 7 + 1)
        await scoring.put(
            (f"{lead}-v", lead, "page_view", signed - timedelta(days=3)),
            (f"{lead}-d", lead, "demo_request", signed - timedelta(minutes=2)),
            (f"{lead}-c", lead, "contract_signed", signed),
        )
    await scoring.drain_all()
    _, summary = await simulated(scoring, question(timedelta(days=1)), model=BUILT_IN)
    assert [(each.rule_id, each.events, each.followed) for each in summary.leaks] == [("demo_request", 30, 30)]


async def test_probabilities_are_judged_by_what_happened(scoring: Scoring) -> None:
    await seed(scoring)
    steps = (CalibrationStep(0, 0.1, 0.0, 0.2, 60), CalibrationStep(90, 0.5, 0.3, 0.7, 40))
    calibrated = replace(OTHER, calibration=Calibration(timedelta(days=7), None, 100, steps))
    _, summary = await simulated(scoring, question(timedelta(days=7)), calibrated)
    [judgement] = summary.judgements
    assert judgement.before.reliability is None, "the model in force has no calibration"
    found = judgement.after.reliability
    assert found is not None
    # Of 11 leads, four converted. One download had enough pages for the rule, and its lead did not convert.
    assert [(each.mean_probability, each.leads, each.converted) for each in found.bins] == [(0.1, 10, 4), (0.5, 1, 0)]
    assert found.brier_score == pytest.approx((4 * 0.9**2 + 6 * 0.1**2 + 0.5**2) / 11)
    assert found.calibration_error == pytest.approx((10 * 0.3 + 1 * 0.5) / 11)
    sent = simulation_progress(SimulationProgress(12, 12, [], summary)).summary
    reliability = sent.judgements[0].after.reliability
    assert (wire.to_span(reliability.landmark), reliability.HasField("horizon")) == (timedelta(days=7), False)
    assert (reliability.brier_score, len(reliability.bins)) == (found.brier_score, 2)
    assert not sent.HasField("horizon")


async def test_without_a_conversion_nothing_is_judged(scoring: Scoring) -> None:
    await seed(scoring)
    _, summary = await simulated(scoring)
    assert (summary.judgements, summary.leaks) == ((), ())


async def test_an_empty_database_is_simulated(scoring: Scoring) -> None:
    found, summary = await simulated(scoring, question(timedelta(days=1), conversions=frozenset({"x"})))
    assert (found, summary.leads_changed, summary.stages) == ([], 0, {})
