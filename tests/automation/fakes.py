"""Rules, changes and executions for tests, and fakes of receivers and of other services."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from automation_service.clients import _model
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.condition import Conditions
from automation_service.domain.delivery import Answer, Delivery, Fate
from automation_service.domain.execution import (
    Candidate,
    Execution,
    candidates,
    execution,
)
from automation_service.domain.feasibility import Model
from automation_service.domain.hold import Hold
from automation_service.domain.lead import Change, Insight, LeadEvent, Risk, Row, Transition
from automation_service.domain.limits import InvalidRule
from automation_service.domain.need import Need
from automation_service.domain.receiver import Webhook
from automation_service.domain.rule import Draft, Rule
from automation_service.domain.sealing import opened
from scoring_service import model_codec
from testkit.receiver import SECRET
from testkit.secret_keys import KEYS
from tests.scoring.models import BUILT_IN

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSIGHT = Insight(velocity=9, risk=Risk.LOW, next_action="prioritize_contact", score=40, stage="hot")
MODEL = _model(model_codec.write_model(BUILT_IN))
"""The built-in model, as received from the scoring service."""
SENDER = "leads@example.org"


def webhook(action_id: str = "crm", url: str = "https://crm.example/hook") -> Action:
    """Returns an action that calls a webhook."""
    return Action(action_id, Webhook(url, (SECRET,)))


def draft(rule_id: str = "call", conditions: Conditions | None = None, *actions: Action, enabled: bool = True) -> Draft:
    """Returns a rule as a caller defines it. By default, its only condition is that the lead is hot."""
    return Draft(rule_id, rule_id.title(), enabled, conditions or Conditions(stages=("hot",)), actions=actions)


def rule(rule_id: str = "call", conditions: Conditions | None = None, *actions: Action, enabled: bool = True) -> Rule:
    """Returns a stored rule."""
    return Rule(draft(rule_id, conditions, *actions, enabled=enabled), 1, NOW, NOW)


def plain(stored: Rule) -> Rule:
    """Returns a stored rule with its secrets decrypted."""
    actions = tuple(opened(stored.draft.rule_id, action, KEYS) for action in stored.draft.actions)
    return replace(stored, draft=replace(stored.draft, actions=actions))


def event(event_id: str = "e1", event_type: str = "page_view", **properties: object) -> LeadEvent:
    """Returns an event of an hour ago."""
    return LeadEvent(event_id, event_type, NOW - timedelta(hours=1), properties)


def change(lead_id: str = "ada", sequence: int = 1, score: int = 40, stage: str = "hot", day: int = 1) -> Change:
    """Returns a change in which an event brought a lead to a score and a stage; it is in a row of its own."""
    transition = Transition((0, score), ("cold", stage), (event(f"{lead_id}-{sequence}"),))
    return Change(
        row=Row(f"{lead_id}:{sequence}", 0),
        lead_id=lead_id,
        sequence=sequence,
        scores=transition.scores,
        stages=transition.stages,
        event_types=("page_view",),
        date_bucket=f"2026-03-{day:02}",
        last_event_time=NOW - timedelta(hours=1),
        inactive_days=0,
        kinds=("EVENT",),
        transitions=(transition,),
    )


def executed(change_: Change, rule_: Rule, record_time: datetime = NOW, insight: Insight = INSIGHT) -> Execution:
    """Returns the execution of a rule that fired on a change."""
    [candidate, *_] = [*candidates([change_], [rule_]), Candidate(change_, rule_)]
    return execution(candidate, insight, record_time, SandboxedTemplates().render, SENDER)


class FakeHold:
    """Implements `HoldSwitch`. It cancels nothing."""

    def __init__(self) -> None:
        self.hold: Hold | None = None
        self.reads = 0

    async def read(self) -> Hold | None:
        """See `HoldSwitch`."""
        self.reads += 1
        return self.hold

    async def begin(self, hold: Hold) -> Hold:
        """See `HoldSwitch`."""
        self.hold = self.hold or hold
        return self.hold

    async def end(self) -> None:
        """See `HoldSwitch`."""
        self.hold = None

    async def cancel(self, recorded_before: datetime, now: datetime) -> int:
        """See `HoldSwitch`."""
        return 0


class FakeDeliveryQueue:
    """A `DeliveryQueue` that starts nothing; `begun` lists the executions that it was given."""

    def __init__(self) -> None:
        self.begun: list[Execution] = []

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Admits nothing, as if there were no capacity."""
        return list(executions)

    def begin(self, executions: Sequence[Execution]) -> None:
        """Adds the executions to `begun`."""
        self.begun += executions


class FakeReceivers:
    """`Receivers` that return the given answers in order, the last one repeatedly; `sent` lists all deliveries."""

    def __init__(self, *answers: Answer) -> None:
        self.sent: list[tuple[Action, Delivery]] = []
        self._answers = list(answers) or [Answer(Fate.ARRIVED, 200, "ok")]

    async def check(self, field: str, action: Action) -> list[str]:
        """Refuses localhost, and warns about `nowhere`."""
        if "localhost" in action.endpoint:
            raise InvalidRule(f"{field}.url", "the host has a forbidden address")
        return [f"{field}.url: the host has no address at the moment"] if "nowhere" in action.endpoint else []

    async def send(self, action: Action, delivery: Delivery) -> Answer:
        """Returns the next answer."""
        self.sent.append((action, delivery))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class FakeModels:
    """`Models` whose model in force is the built-in one."""

    async def in_force(self) -> Model:
        """Returns the built-in model."""
        return MODEL


class FakeInsights:
    """`Insights` that are the same for every lead, except that `unknown` leads have none.

    They contain only the attributes that are needed. `asked` lists the requested leads, and `needs` their needs.
    """

    def __init__(self, insight: Insight = INSIGHT, unknown: Collection[str] = ()) -> None:
        self.asked: list[set[str]] = []
        self.needs: list[Need] = []
        self._insight = insight
        self._unknown = unknown

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the insights of the leads."""
        self.asked.append(set(lead_ids))
        self.needs.append(need)
        attributes = {
            name: value
            for name, value in self._insight.attributes.items()
            if need.attributes is None or name in need.attributes
        }
        insight = replace(self._insight, attributes=attributes)
        return {lead_id: insight for lead_id in lead_ids if lead_id not in self._unknown}


class AbsentInsights:
    """`Insights` whose service does not respond."""

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Times out."""
        raise TimeoutError
