"""Whether the model still fits: the leads since a date, compared with those before it."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.health import BINS, Health, HealthQuestion, stability_of
from scoring_service.domain.timeline import Mode
from shared import wire
from testkit.serving import refusal
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import Stub

SCORES = st.dictionaries(st.integers(-50, 500), st.integers(1, 40), min_size=1, max_size=60)


@given(SCORES, SCORES)
def test_bins_hold_all_leads_of_both_periods(before: dict[int, int], since: dict[int, int]) -> None:
    found = stability_of(before, since)
    assert found is not None
    assert found.index >= 0
    assert 1 <= len(found.bins) <= BINS
    assert sum(each.before for each in found.bins) == sum(before.values())
    assert sum(each.since for each in found.bins) == sum(since.values())
    minimums = [each.minimum for each in found.bins]
    assert minimums == sorted(set(minimums))


def test_each_bin_has_a_tenth_of_the_leads_before() -> None:
    found = stability_of(dict.fromkeys(range(100), 7), {0: 1})
    assert found is not None
    assert [(each.minimum, each.before) for each in found.bins] == [(10 * n, 70) for n in range(10)]


@given(SCORES)
def test_the_same_scores_are_stable(scores: dict[int, int]) -> None:
    found = stability_of(scores, scores)
    assert found is not None
    assert found.index == 0


def test_one_score_for_all_leads_is_one_bin() -> None:
    found = stability_of({5: 100}, {5: 10})
    assert found is not None
    assert (found.index, found.chance, len(found.bins)) == (0, 0, 1)


def test_a_shift_of_the_scores_is_large() -> None:
    found = stability_of(dict.fromkeys(range(100), 7), dict.fromkeys(range(40, 140), 7))
    assert found is not None
    assert found.index > 0.25 > found.chance


def test_chance_alone_rarely_exceeds_its_index() -> None:
    chance = random.Random(1)
    rare = 0
    for _ in range(300):
        before, since = (Counter(chance.choices(range(30), k=leads)) for leads in (2_000, 400))
        found = stability_of(before, since)
        assert found is not None
        assert found.chance == pytest.approx(16.919 * (1 / 2_000 + 1 / 400), rel=0.01)
        rare += found.index > found.chance
    assert rare / 300 < 0.1


def test_without_leads_nothing_is_compared() -> None:
    assert stability_of({}, {1: 1}) is None
    assert stability_of({1: 1}, {}) is None


async def seed(scoring: Scoring) -> None:
    """Four leads began 40 days ago or earlier and four 20 days ago; of each four, two convert, and one was lost."""
    for number in range(8):
        lead, began = f"lead{number}", days_ago(40 + number if number < 4 else 20)
        await scoring.put((f"v{number}", lead, "page_view", began))
        if number % 4 < 2:
            await scoring.put((f"s{number}", lead, "signup", began + timedelta(days=2)))
            await scoring.put((f"c{number}", lead, "contract_signed", began + timedelta(days=9)))
        elif number % 4 == 2:
            await scoring.put((f"u{number}", lead, "unsubscribe", began + timedelta(days=9)))
    await scoring.put(("w", "lead5", "webinar", days_ago(12)), ("n1", "new", "page_view", days_ago(3)))
    await scoring.put(("d1", "decided", "contract_signed", days_ago(19)))
    await scoring.drain_all()


async def checked(scoring: Scoring, since: datetime | None) -> tuple[datetime, Health]:
    question = HealthQuestion(frozenset({"contract_signed"}), frozenset({"unsubscribe"}), None, None, since)
    async for progress in scoring.check_health.run(question):
        if progress.health is not None:
            return progress.since, progress.health
    raise AssertionError("expected a result at the end")


async def test_leads_are_compared_by_when_they_began(scoring: Scoring) -> None:
    await seed(scoring)
    _, found = await checked(scoring, days_ago(30))
    assert [each.leads for each in (found.before, found.since)] == [4, 4], "the newest has not reached the landmark"
    for each in (found.before, found.since):
        assert (each.ranking.leads, each.ranking.converted) == (3, 2), "one is still open"
        assert each.ranking.auc is not None
        assert each.ranking.auc.value == 1
    assert (found.before.events, found.since.events) == (9, 12), "events count by their own times"
    assert (found.before.unknown_events, found.since.unknown_events) == (0, 1)
    assert found.unknown_event_types == (("webinar", 0, 1),)
    assert found.stability is not None
    assert found.stability.index == 0


async def test_leads_since_the_publication_are_compared_by_default(scoring: Scoring) -> None:
    await seed(scoring)
    scoring.now = days_ago(30)
    await scoring.publish(BUILT_IN, Mode.FORWARD)
    since, found = await checked(scoring, None)
    assert since == days_ago(30)
    assert found.before.leads == 4


async def test_an_empty_database_is_healthy(scoring: Scoring) -> None:
    _, found = await checked(scoring, NOW)
    assert (found.before.leads, found.since.leads, found.stability) == (0, 0, None)


async def answered(stub: Stub, **fields: Any) -> pb.ModelHealth:
    return [each async for each in stub.CheckModelHealth(pb.CheckModelHealthRequest(**fields))][-1].health


async def test_the_answer_says_what_was_compared(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring)
    since = wire.to_timestamp(days_ago(30))
    found = await answered(stub, since_time=since, conversion_event_types=["contract_signed"])
    assert (found.model_version, found.since_time, found.landmark.seconds) == (1, since, 7 * 86_400)
    assert not found.HasField("horizon")
    assert (found.since.lead_count, found.since.ranking.converted_count) == (4, 2)
    assert [(each.before_count, each.since_count) for each in found.stability.bins] == [(2, 2), (2, 2)]
    assert found.unknown_event_types == [pb.UnknownTypeShare(event_type="webinar", since_count=1)]


async def test_the_calibration_of_the_model_says_when_to_look_and_how_long(scoring: Scoring, stub: Stub) -> None:
    step = CalibrationStep(0, 0.5, 0.4, 0.6, 100)
    calibration = Calibration(timedelta(days=3), timedelta(days=30), 100, (step,))
    await scoring.publish(replace(BUILT_IN, calibration=calibration), Mode.RESCORE)
    await seed(scoring)
    found = await answered(stub, since_time=wire.to_timestamp(days_ago(30)), conversion_event_types=["contract_signed"])
    assert (found.landmark.seconds, found.horizon.seconds) == (3 * 86_400, 30 * 86_400)
    assert found.before.ranking.reliability.calibration_error == 0, "two of four convert"
    found = await answered(stub, landmark=timedelta(days=1), horizon=timedelta(days=2))
    assert (found.landmark.seconds, found.horizon.seconds) == (86_400, 2 * 86_400)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"conversion_event_types": [""]}, "conversion_event_types[0]"),
        ({"conversion_event_types": ["a"], "lost_event_types": ["a"]}, "lost_event_types"),
        ({"landmark": timedelta()}, "landmark"),
        ({"horizon": timedelta(days=4_000)}, "horizon"),
    ],
)
async def test_mistakes_are_refused(strict: Stub, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await answered(strict, **fields)
    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", [field])
