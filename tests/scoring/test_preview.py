"""What-if: hypothetical events do exactly what the same events do when they happen, and nothing is written."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.calibration import Calibration, CalibrationStep
from scoring_service.domain.fit import Fit, FitRule
from scoring_service.domain.model import Event, Limit, Period, Rule, RuleGroup
from scoring_service.domain.preview import Hypothesis, Preview
from scoring_service.domain.timeline import JudgedEvent, Mode
from scoring_service.usecases.preview import Previewed
from shared import wire
from shared.conditions import Condition, Operator
from tests.examples import examples
from tests.scoring import reference
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.living import UTC_DAYS, LivingLead
from tests.scoring.models import BUILT_IN, FIRST, TIMELINE
from tests.scoring.requests import Stub, refused
from tests.scoring.strategies import START, TYPES, lasts, timelines
from tests.scoring.test_simulate import fingerprint

BIG = (Condition("seats", Operator.AT_LEAST, 50.0),)
LIMITED = replace(
    BUILT_IN,
    rules=(
        Rule("view", ("page_view", "blog_view"), 5, limits=(Limit(Period.DAY, max_times=1),)),
        Rule("big_demo", ("demo_request",), 60, BIG),
        Rule("demo", ("demo_request",), 30, group_id="sales"),
        Rule("call", ("call",), 25, group_id="sales"),
        Rule("leave", ("unsubscribe",), -20),
    ),
    groups=(RuleGroup("sales", cap=40),),
    fit=Fit((FitRule("dutch", 30, (Condition("country", Operator.EQUALS, "NL"),)),), 30, 20, 10, 60, 31),
    calibration=Calibration(
        timedelta(days=7),
        timedelta(days=30),
        100,
        (CalibrationStep(0, 0.1, 0.05, 0.2, 60), CalibrationStep(31, 0.4, 0.3, 0.5, 40)),
    ),
)


def hypothetical(*event_types: str, **properties: object) -> list[Hypothesis]:
    return [Hypothesis(event_type, properties) for event_type in event_types]


def rules_of(found: Previewed) -> dict[str, int]:
    return {each.rule_id: each.delta for each in found.rules}


@given(timelines(), lasts, st.lists(st.sampled_from(TYPES), max_size=5), st.integers(0, 40))
@examples(300)
def test_a_preview_is_what_the_score_becomes(
    timeline: list[JudgedEvent], last: date | None, event_types: list[str], days: int
) -> None:
    living = LivingLead(lambda: TIMELINE)
    living.record([*timeline], last)
    now = max(START + timedelta(days=days), UTC_DAYS.midnight(last) if last else START)
    preview = Preview(TIMELINE, UTC_DAYS, living.lead.state, last, now)
    events = [fact.event for fact in timeline]
    events += [Event(f"z{number}", each, preview.time) for number, each in enumerate(event_types)]
    world = reference.World({1: BUILT_IN}, [FIRST], events)
    found = preview.events(hypothetical(*event_types))
    assert (found[-1].state.score if found else living.lead.state.score) == reference.score_of(world, last)
    assert [each.rule_id for each in found] == [each if each in BUILT_IN_TYPES else "" for each in event_types]


BUILT_IN_TYPES = {rule.rule_id for rule in BUILT_IN.rules}


async def test_events_that_follow_do_what_the_preview_said(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(60)), ("e2", "ada", "download", days_ago(40)))
    await scoring.drain_all()
    await scoring.publish(LIMITED, Mode.RESCORE)  # which no worker rolls out
    await scoring.run_decay(days_ago(1))
    before = await fingerprint(scoring)
    found = await scoring.previews.of("ada", hypothetical("page_view", "blog_view", "demo_request", "call", "fax"))
    assert await fingerprint(scoring) == before, "expected nothing to be written"
    assert [(each.rule_id, each.delta) for each in found.events] == [
        ("view", 5), ("view", 0), ("demo", 30), ("call", 10), ("", 0),
    ]  # fmt: skip
    for number, event_type in enumerate(("page_view", "blog_view", "demo_request", "call", "fax")):
        await scoring.put((f"n{number}", "ada", event_type, NOW))
        await scoring.drain_all()
        now = (await scoring.queries.score("ada", None)).lead.state
        effect = found.events[number].state
        assert (now.score, now.usage, now.group_points) == (effect.score, effect.usage, effect.group_points)


async def test_rules_are_named_by_what_they_would_change_and_those_that_are_used_up_are_not(scoring: Scoring) -> None:
    await scoring.publish(LIMITED, Mode.RESCORE)
    await scoring.put(("e1", "ada", "demo_request", days_ago(1)), ("e2", "ada", "page_view", NOW))
    await scoring.drain_all()
    assert rules_of(await scoring.previews.of("ada", [])) == {"big_demo": 60, "leave": -20, "call": 10, "demo": 10}
    scoring.now += timedelta(days=1)
    assert rules_of(await scoring.previews.of("ada", []))["view"] == 5, "expected a new day to have a new limit"


async def test_attributes_change_the_fit(scoring: Scoring, stub: Stub) -> None:
    await scoring.publish(LIMITED, Mode.RESCORE)
    await scoring.put(("e1", "ada", "call", days_ago(1)))
    await scoring.drain_all()
    identify = pb.HypotheticalEvent(event_type="identify", properties=wire.to_struct({"country": "NL"}))
    demo = pb.HypotheticalEvent(event_type="demo_request", properties=wire.to_struct({"seats": 80}))
    found = await stub.PreviewLeadScore(pb.PreviewLeadScoreRequest(lead_id="ada", events=[identify, demo]))
    assert (found.lead_score.score, found.lead_score.fit_grade, found.lead_score.recent_event_count) == (25, "D", 0)
    first, second = found.event_effects
    assert (first.rule_id, list(first.event_types), first.delta, first.fit_grade) == ("", ["identify"], 0, "A")
    assert (first.rating, first.conversion_probability.probability) == ("A3", 0.1)
    assert (second.rule_id, second.delta, second.score, second.stage) == ("big_demo", 60, 85, "qualified")
    assert (second.rating, second.conversion_probability.probability, second.fit_points) == ("A1", 0.4, 30)
    views = [each for each in found.rule_effects if each.rule_id == "view"]
    assert [list(each.event_types) for each in views] == [["page_view", "blog_view"]]


async def test_a_lead_with_an_event_ahead_of_the_clock_is_previewed_after_it(scoring: Scoring) -> None:
    ahead = NOW + timedelta(minutes=5)
    await scoring.put(("e1", "ada", "signup", ahead))
    await scoring.drain_all()
    [effect] = (await scoring.previews.of("ada", hypothetical("demo_request"))).events
    assert (effect.delta, effect.state.score) == (50, 70)
    assert effect.state.last_event_time == ahead + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (pb.PreviewLeadScoreRequest(), ("INVALID_ARGUMENT", "ARGUMENT_INVALID", ["lead_id"])),
        (
            pb.PreviewLeadScoreRequest(lead_id="ada", events=[pb.HypotheticalEvent(event_type="x")] * 101),
            ("INVALID_ARGUMENT", "ARGUMENT_INVALID", ["events"]),
        ),
        (
            pb.PreviewLeadScoreRequest(lead_id="ada", events=[pb.HypotheticalEvent()]),
            ("INVALID_ARGUMENT", "ARGUMENT_INVALID", ["events[0].event_type"]),
        ),
        (pb.PreviewLeadScoreRequest(lead_id="nobody"), ("NOT_FOUND", "LEAD_NOT_FOUND", [])),
    ],
)
async def test_a_preview_that_is_not_possible_is_refused(
    stub: Stub, request_: pb.PreviewLeadScoreRequest, refusal: tuple[str, str, list[str]]
) -> None:
    assert await refused(stub, "PreviewLeadScore", request_) == refusal
