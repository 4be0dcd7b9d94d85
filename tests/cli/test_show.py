"""Text from other people cannot control the terminal of the reader."""

import json
from datetime import timedelta

import pytest
from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.intelligence.v1 import intelligence_pb2 as intelligence
from leadscore.scoring.v1 import scoring_pb2 as scoring
from rich.console import RenderableType

from cli.automation import views as show_automations
from cli.leads import show
from cli.terminal.output import print_json, say
from cli.terminal.output import show as print_view
from tests.cli.fake_scoring import NOON
from tests.cli.servicer import serving
from tests.cli.terminal import text_of

EVIL = "\x1b]0;owned\x07[red]"
SHOWN = "�]0;owned�[red]"
CHANGE = intelligence.LeadChange(
    lead_id=EVIL, stage_before="cold", stage_after=EVIL, event_types=["signup", EVIL], record_time=NOON
)
INSIGHT = intelligence.LeadIntelligence(lead_id=EVIL, stage=EVIL, next_action=EVIL, as_of_time=NOON)

RULE = automation.AutomationRule(
    rule_id=EVIL,
    display_name=EVIL,
    disable_reason=EVIL,
    trigger=automation.Trigger(stage_entered=automation.StageEntered(stages=[EVIL])),
)
EXECUTION = automation.AutomationExecution(
    lead_id=EVIL,
    rule_id=EVIL,
    stage_before=EVIL,
    stage_after="hot",
    next_action=EVIL,
    why=[EVIL],
    deliveries=[
        automation.Delivery(
            receiver="webhook", action_id=EVIL, endpoint=EVIL, body=EVIL.encode(), attempts=[{"answer": EVIL}]
        )
    ],
)
RULE_TEST = automation.TestAutomationRuleResponse(
    checks=[automation.Check(field=EVIL, explanation=EVIL)], warnings=[EVIL], deliveries=EXECUTION.deliveries
)


@pytest.mark.parametrize(
    ("view", "times"),
    [
        (show.change_line(intelligence.WatchLeadsResponse(change=CHANGE, lead_intelligence=INSIGHT)), 4),
        (show.card(INSIGHT, []), 3),
        (show.top_table([INSIGHT]), 3),
        (show_automations.rules_table([RULE]), 4),
        (show_automations.executions_table([EXECUTION]), 4),
        (show_automations.execution_card(EXECUTION), 8),
        (show_automations.rule_test(RULE_TEST), 7),
    ],
)
def test_a_view_escapes_untrusted_text(view: RenderableType, times: int) -> None:
    text = text_of(view, 300)
    assert "\x1b" not in text
    assert text.count(SHOWN) == times


def test_a_violation_escapes_untrusted_text() -> None:
    violation = scoring.Violation(lead_id=EVIL, invariant="I1", message=f"expected 1 of {EVIL}")
    with serving() as (service, run):
        service.answers = [
            scoring.VerifyScoresResponse(violations=[violation], violations_total=1, leads_checked=1, done=True)
        ]
        result = run("verify")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == f"I1 {SHOWN} expected 1 of {SHOWN}"


def test_whole_numbers_of_properties_are_integers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    attributes = {"size": 250, "largest": 2**53 - 1, "rate": 0.5, "deep": [{"count": -3}]}
    print_view("", intelligence.LeadIntelligence(attributes=attributes), as_json=True)
    printed = capsys.readouterr().out
    for part in ('"size": 250', '"largest": 9007199254740991', '"rate": 0.5', '"deep": [{"count": -3}]'):
        assert f"{part}, " in printed or f"{part}}}" in printed


def test_json_escapes_untrusted_text(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["\x1b[2J", "\x7f", "\x9b2J", "\u202e", "\U000e0001", "[red] é €"]
    print_json(texts)
    printed = capsys.readouterr().out
    assert printed == r'["\u001b[2J", "\u007f", "\u009b2J", "\u202e", "\udb40\udc01", "[red] é €"]' + "\n"
    assert json.loads(printed) == texts


def test_a_long_word_in_a_message_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"go on with {'8' * 300}")
    assert capsys.readouterr().err == f"go on with {'8' * 300}\n"


def test_a_message_escapes_untrusted_text(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    print_view(EVIL, as_json=False)
    printed = capsys.readouterr()
    assert (printed.err, printed.out) == (f"{SHOWN}\n", f"{SHOWN}\n")


@pytest.mark.parametrize(
    ("first", "last", "count", "printed"),
    [
        ("2026-03-10", "2026-03-10", 1, "1 tick, 10 March"),
        ("2026-03-10", "2026-03-12", 3, "3 ticks, 10–12 March"),
        ("2026-02-20", "2026-03-01", 10, "10 ticks, 20 February – 1 March"),
        ("2024-12-20", "2026-01-03", 1_000, "1,000 ticks, 20 December 2024 – 3 January 2026"),
        ("", "", 0, "decay"),
    ],
)
def test_a_decay_entry_names_its_ticks(first: str, last: str, count: int, printed: str) -> None:
    entry = scoring.ScoreEntry(
        kind=scoring.ENTRY_KIND_DECAY,
        event_time=NOON,
        first_tick_date=first,
        last_tick_date=last,
        tick_count=count,
        delta=-1,
    )
    assert printed in text_of(show.history_table([entry]), 200)


def test_the_history_shows_recalculations_and_decay_resets() -> None:
    reset = scoring.ScoreEntry(
        kind=scoring.ENTRY_KIND_DECAY_RESET, event_time=NOON, delta=7, reason="a clock was ahead", actor=EVIL
    )
    recalculation = scoring.ScoreEntry(kind=scoring.ENTRY_KIND_RECALCULATION, event_time=NOON, delta=-3)
    table = text_of(show.history_table([reset, recalculation]), 200)
    for text in ("decay reset", f"a clock was ahead ({SHOWN})", "recalculation", "-3", "+7"):
        assert text in table


@pytest.mark.parametrize(
    ("scores", "drawn"),
    [([50], "over time    ▁ 50 in 1 entry"), ([5, 5], "▁▁ 5 in 2 entries"), ([5, 1_000], "▁█ 5 to 1,000 in 2 entries")],
)
def test_a_card_draws_the_scores_of_the_history(scores: list[int], drawn: str) -> None:
    card = show.card(INSIGHT, [scoring.ScoreEntry(score_after=score) for score in scores])
    assert drawn in text_of(card, 80)


def test_a_card_shows_how_likely_a_lead_converts() -> None:
    probability = intelligence.ConversionProbability(probability=0.12, low=0.09, high=0.158, lead_count=812)
    probability.landmark.FromTimedelta(timedelta(days=7))
    insight = intelligence.LeadIntelligence(lead_id="ada", as_of_time=NOON, conversion_probability=probability)
    basis = "(95 % interval 9.0% to 15.8%, from 812 leads 7d after the first event)"
    assert f"converts     12.0% {basis}" in text_of(show.card(insight, []), 120)
    insight.conversion_probability.horizon.FromTimedelta(timedelta(days=30))
    assert f"converts     12.0% within 30d {basis}" in text_of(show.card(insight, []), 120)


def test_a_card_shows_no_probability_without_a_calibration() -> None:
    assert "converts" not in text_of(show.card(INSIGHT, []), 80)


def test_a_card_without_a_history_draws_nothing() -> None:
    assert "over time" not in text_of(show.card(INSIGHT, []), 80)
