"""How many executions rules can make for the events of a file."""

import pytest
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2

from cli.events import executions
from cli.events.dry_run import Preview, System
from cli.events.executions import LiveEvents, max_executions
from cli.events.views import preview_json

RULES = (
    pb.AutomationRule(rule_id="demo", trigger={"event_received": {"event_type": "demo"}}),
    pb.AutomationRule(rule_id="each", trigger={"event_received": {"event_type": "demo"}}, per=pb.PER_EVENT),
    pb.AutomationRule(rule_id="hot", trigger={"stage_entered": {"stages": ["hot"]}}),
    pb.AutomationRule(rule_id="never", trigger={"event_received": {"event_type": "unheard"}}),
)


def counted(*, historical: bool = False) -> LiveEvents:
    live = LiveEvents()
    for lead, kind in (("ada", "demo"), ("ada", "demo"), ("bob", "demo"), ("cyd", "view"), ("ada", "view")):
        live.add(ingest_pb2.Event(lead_id=lead, event_type=kind, historical=historical))
    return live


def test_a_rule_fires_at_most_once_per_lead_or_event() -> None:
    assert max_executions(counted(), RULES) == {"each": 3, "hot": 3, "demo": 2, "never": 0}


def test_no_rule_fires_for_history() -> None:
    assert set(max_executions(counted(historical=True), RULES).values()) == {0}


def test_with_too_many_leads_each_event_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "MAX_LEADS", 2)
    assert max_executions(counted(), RULES) == {"hot": 5, "demo": 3, "each": 3, "never": 0}


def test_the_numbers_are_part_of_a_dry_run() -> None:
    preview = preview_json(Preview(live=counted()), System(frozenset(), RULES))
    assert preview["max_executions"] == {"each": 3, "hot": 3, "demo": 2, "never": 0}
    assert preview_json(Preview(), System(None, None))["max_executions"] is None
