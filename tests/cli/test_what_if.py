"""`leadscore what-if`, and what would move a lead most on its card."""

from datetime import timedelta

import pytest
from leadscore.intelligence.v1 import intelligence_pb2 as pb

from cli.leads.effects import preview_view
from cli.leads.show import card
from shared import wire
from tests.cli.fake_scoring import NOON
from tests.cli.servicer import json_of, serving
from tests.cli.terminal import text_of


def probability(value: float) -> pb.ConversionProbability:
    found = pb.ConversionProbability(probability=value, low=value / 2, high=value, lead_count=90)
    found.horizon.FromTimedelta(timedelta(days=30))
    return found


NOW = pb.LeadIntelligence(
    lead_id="ada", score=20, stage="warm", next_action="nurture_campaign", as_of_time=NOON,
    conversion_probability=probability(0.1),
)  # fmt: skip
DEMO = pb.EventEffect(
    rule_id="demo", event_types=["demo_request"], delta=50, score=70, stage="qualified", velocity=3,
    next_action="immediate_outreach", conversion_probability=probability(0.4),
)  # fmt: skip
LEAVE = pb.EventEffect(
    rule_id="leave", event_types=["unsubscribe"], delta=-5, score=15, stage="warm",
    conversion_probability=probability(0.1),
)  # fmt: skip
NOTHING = pb.EventEffect(event_types=["fax"], score=70, stage="qualified", conversion_probability=probability(0.4))
PREVIEW = pb.PreviewLeadIntelligenceResponse(
    lead_intelligence=NOW, event_effects=[DEMO, NOTHING], rule_effects=[DEMO, LEAVE]
)


def lines_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_events_and_attributes_are_sent_in_order() -> None:
    with serving() as (service, run):
        service.intelligence.preview.CopyFrom(PREVIEW)
        shown = run(
            "what-if", "ada", "--event", "demo_request", "--event", "fax", "--properties", '{"seats": 80}',
            "--attribute", "country=NL", "--attribute", "size=500", "--attribute", "note=a=b",
        )  # fmt: skip
        printed = run("what-if", "ada", "--json")
    first, second = service.intelligence.previewed
    assert [(each.event_type, wire.to_dict(each.properties)) for each in first.events] == [
        ("identify", {"country": "NL", "size": 500, "note": "a=b"}),
        ("demo_request", {"seats": 80}),
        ("fax", {"seats": 80}),
    ]
    assert (second.lead_id, len(second.events)) == ("ada", 0)
    assert "immediate_outreach" in shown.stdout
    assert json_of(printed)[0]["event_effects"][0]["delta"] == "50"


def test_the_lead_is_shown_now_and_after_each_event() -> None:
    found = lines_of(text_of(preview_view(PREVIEW), 120))
    assert found[0] == ["rule", "points", "score", "stage", "converts", "velocity", "next", "action"]
    assert found[1] == ["now", "20", "warm", "10.0%", "within", "30d", "0", "nurture_campaign"]
    assert found[2][:6] == ["demo_request", "demo", "+50", "70", "qualified", "40.0%"]
    assert found[3][:5] == ["fax", "–", "+0", "70", "qualified"]


def test_a_card_names_what_would_move_the_lead_most() -> None:
    text = text_of(card(NOW, [], PREVIEW.rule_effects), 120)
    assert "what would move this lead most" in text
    assert "demo   +50 → qualified, converts 40.0% within 30d" in text
    assert ["leave", "-5"] in [line.strip("│ ").split() for line in text.splitlines()]
    assert "what would move" not in text_of(card(NOW, []), 120)


def test_a_lead_that_no_rule_would_move() -> None:
    nothing = pb.PreviewLeadIntelligenceResponse(lead_intelligence=NOW)
    assert "no rule would change the score" in text_of(preview_view(nothing), 120)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--properties", "{}"], "--properties needs an event: name one with --event"),
        (["--event", "x", "--properties", "[1]"], "--properties is not a JSON object"),
        (["--event", "x", "--properties", "{"], "--properties is not a JSON object"),
        (["--attribute", "country"], "--attribute is 'country', must be NAME=VALUE"),
        (["--attribute", "=NL"], "--attribute is '=NL', must be NAME=VALUE"),
    ],
)
def test_a_mistake_is_explained(arguments: list[str], sentence: str) -> None:
    with serving() as (service, run):
        result = run("what-if", "ada", *arguments)
    assert sentence in str(result.exception)
    assert not service.intelligence.previewed
