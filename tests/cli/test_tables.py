"""Tables fit the terminal without broken words."""

from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.scoring.v1 import scoring_pb2 as scoring

from cli.automation.views import executions_table
from cli.leads.show import history_table
from cli.terminal import pieces
from tests.cli.fake_scoring import NOON
from tests.cli.terminal import text_of

EXECUTION = automation.AutomationExecution(
    execution_id="f2fc5875ef4a78d82ba45682f5cc4b91",
    lead_id="lead-042",
    rule_id="call-them-now",
    date_bucket="2026-03-01",
    state=automation.EXECUTION_STATE_DELIVERED,
    score=1_050,
    stage_before="warm",
    stage_after="qualified",
    next_action="prioritize_contact",
    record_time=NOON,
)
ENTRY = scoring.ScoreEntry(
    kind=scoring.ENTRY_KIND_EVENT,
    sequence=12,
    event_type="contract_signed",
    rule_id="contract_signed",
    points=100,
    delta=100,
    score_before=950,
    score_after=1_050,
    stage_before="hot",
    stage_after="qualified",
    event_time=NOON,
)


def test_the_history_breaks_no_word_at_80_columns() -> None:
    entry = scoring.ScoreEntry(kind=scoring.ENTRY_KIND_RECALCULATION, event_time=NOON, sequence=13, delta=-3)
    head, *rows, note = text_of(history_table([ENTRY, entry]), 80).splitlines()
    assert head.split() == ["#", "event", "time", "(UTC)", "what", "rule", "delta", "score", "stage"]
    assert rows[0].split()[-6:] == ["contract_signed", "contract_signed", "+100", "1,050", "hot", "→"]
    assert note == "not shown at this width: points (--json prints everything)"


def test_the_list_of_executions_breaks_no_word_at_80_columns() -> None:
    head, row, *note = text_of(executions_table([EXECUTION]), 80).splitlines()
    assert head.split() == ["date", "lead", "rule", "state", "execution"]
    assert row.split() == ["2026-03-01", "lead-042", "call-them-now", "delivered", EXECUTION.execution_id]
    assert note[0].startswith("not shown at this width: recorded (UTC), next action, score, stage")


def test_a_wide_terminal_shows_every_column() -> None:
    text = text_of(executions_table([EXECUTION]), 160)
    assert "prioritize_contact" in text
    assert "not shown" not in text


def test_the_least_important_column_is_left_out_first() -> None:
    table = pieces.table("id", "first", "second", optional=["second", "first"])
    table.add_row("a" * 10, "b" * 10, "c" * 10)
    shown = {width: text_of(table, width).splitlines()[0].split() for width in (34, 33, 22, 21)}
    assert shown == {34: ["id", "first", "second"], 33: ["id", "first"], 22: ["id", "first"], 21: ["id"]}


def test_a_word_that_is_longer_than_the_terminal_is_broken_but_complete() -> None:
    table = pieces.table("id", "note", optional=["note"])
    table.add_row("a" * 25, "why")
    assert "".join(text_of(table, 20).splitlines()[1:3]).replace(" ", "") == "a" * 25
