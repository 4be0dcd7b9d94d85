"""How many executions each automation rule can make for the events of a file.

The numbers are upper bounds: how many there will be depends on the scores of the leads and the conditions of a rule.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2

MAX_LEADS = 1_000_000
"""Leads that are told apart. If there are more, every event counts as one of another lead."""


@dataclass(slots=True)
class LiveEvents:
    """The events of a file that are not historical, and their leads (as hashes), by event type."""

    events: Counter[str] = field(default_factory=Counter)
    leads: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    every_lead: set[int] = field(default_factory=set)

    def add(self, event: ingest_pb2.Event) -> None:
        """Counts an event, unless it is historical."""
        if event.historical:
            return
        self.events[event.event_type] += 1
        if len(self.every_lead) < MAX_LEADS:
            lead = hash(event.lead_id)
            self.every_lead.add(lead)
            self.leads[event.event_type].add(lead)

    def at_most(self, rule: automation_pb2.AutomationRule) -> int:
        """Returns how many executions a rule can make for these events on one date."""
        is_counted = rule.per != automation_pb2.PER_EVENT and len(self.every_lead) < MAX_LEADS
        if rule.trigger.WhichOneof("kind") == "event_received":
            event_type = rule.trigger.event_received.event_type
            return len(self.leads.get(event_type, ())) if is_counted else self.events[event_type]
        return len(self.every_lead) if is_counted else self.events.total()


def max_executions(live: LiveEvents, rules: Iterable[automation_pb2.AutomationRule]) -> dict[str, int]:
    """Returns how many executions each rule can make, by rule id, most first."""
    return dict(Counter({rule.rule_id: live.at_most(rule) for rule in rules}).most_common())
