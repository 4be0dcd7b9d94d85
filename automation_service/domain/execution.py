"""Which rules fire when a lead changes.

There is at most one execution per lead, rule and date, or, for rules that say so, per event.
"""

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from automation_service.domain import letter
from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState, Fate, Schedule, state_of
from automation_service.domain.lead import Change, Insight, LeadEvent, Risk, facts_of
from automation_service.domain.payload import payload, why, write
from automation_service.domain.receiver import Email, Slack, is_address
from automation_service.domain.rule import Draft, Per, Rule
from automation_service.domain.trigger import Inactive, WhileConditionHolds, events_of


class Render(Protocol):
    """Renders a template with values; raises `Unrenderable` if a value is not supported."""

    def __call__(self, template: str, values: Mapping[str, Any], *, for_chat: bool) -> str:
        """Returns the text. If it is for a chat, values are escaped, so that they are text and not markup."""


class Unrenderable(Exception):
    """A template cannot be rendered for a lead. The message says why."""


class ExecutionNotFound(Exception):
    """No execution has this id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"execution {execution_id!r} does not exist")


class NothingToRetry(Exception):
    """An execution has no delivery that can be retried."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"execution {execution_id!r} has no delivery to retry, or one is in progress")


class Key(NamedTuple):
    """The unique key of an execution. `event_id` is empty unless the rule fires for each event."""

    lead_id: str
    rule_id: str
    date_bucket: str
    event_id: str = ""

    @property
    def execution_id(self) -> str:
        """The id of the execution, 32 hexadecimal digits: the checksum of the lead, and a hash of the key."""
        parts = self if self.event_id else self[:-1]
        rest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
        return f"{zlib.crc32(self.lead_id.encode()):08x}{rest}"


class Firing(NamedTuple):
    """When a rule fired for a lead.

    If its trigger was `Inactive`, `last_event_time` identifies the period of inactivity; otherwise it is None.
    """

    date_bucket: str
    last_event_time: datetime | None


Firings = Mapping[tuple[str, str], Firing]
"""The last firing by lead id and rule id."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change and a rule that may fire on it, judging by the change alone.

    `event` is the event that the rule fires for; None if it fires on something else, such as decay.
    """

    change: Change
    rule: Rule
    event: LeadEvent | None = None

    @property
    def key(self) -> Key:
        """The key of the execution if the rule fires."""
        event_id = self.event.event_id if self.event and self.rule.draft.per is Per.EVENT else ""
        return Key(self.change.lead_id, self.rule.draft.rule_id, self.change.date_bucket, event_id)

    @property
    def pair(self) -> tuple[str, str]:
        """The ids of the lead and the rule."""
        return self.change.lead_id, self.rule.draft.rule_id

    @property
    def firing(self) -> Firing:
        """The firing if the rule fires."""
        is_for_inactivity = isinstance(self.rule.draft.trigger, Inactive)
        return Firing(self.change.date_bucket, self.change.last_event_time if is_for_inactivity else None)

    @property
    def looks_back(self) -> bool:
        """Whether executions of earlier dates can keep the rule from firing."""
        return self.rule.draft.cool_down_days > 1 or isinstance(self.rule.draft.trigger, Inactive)

    def fires(self, insight: Insight, last: Firing | None) -> bool:
        """Returns whether the conditions hold, the cool-down has passed, and the period of inactivity is a new one."""
        return self.may_follow(last) and self.rule.draft.conditions.hold(facts_of(self.change, insight))

    def may_follow(self, last: Firing | None) -> bool:
        """Returns whether the cool-down since the last firing has passed, and the period of inactivity is a new one."""
        if last is None:
            return True
        now = self.firing
        if now.last_event_time and now.last_event_time == last.last_event_time:
            return False
        passed = date.fromisoformat(now.date_bucket) - date.fromisoformat(last.date_bucket)
        return passed.days >= max(1, self.rule.draft.cool_down_days)


@dataclass(frozen=True, slots=True)
class Execution:
    """The record that a rule fired on a change. `last_event_time` is that of `Firing`.

    `event_id`, `event_type` and `traceparent` are of the event that the rule fired for; empty if there is none.
    """

    key: Key
    change_sequence: int
    score: int
    stage_before: str
    stage_after: str
    velocity: int
    risk: Risk
    next_action: str
    why: tuple[str, ...]
    last_event_time: datetime | None
    record_time: datetime
    event_id: str = ""
    event_type: str = ""
    deliveries: tuple[Delivery, ...] = ()
    traceparent: str = ""

    @property
    def execution_id(self) -> str:
        """The id, derived from the key."""
        return self.key.execution_id

    @property
    def state(self) -> ExecutionState:
        """The state, derived from the deliveries."""
        return state_of(self.deliveries)


def candidates(changes: Iterable[Change], rules: Sequence[Rule]) -> list[Candidate]:
    """Returns the changes and the rules that may fire on them, in the order of the changes."""
    return [
        Candidate(change, rule, event)
        for change in changes
        if change.transitions
        for rule in rules
        if rule.draft.conditions.can_hold(change.stage, change.score)
        for event in _causes(change, rule.draft)
    ]


def _causes(change: Change, draft: Draft) -> Sequence[LeadEvent | None]:
    """Returns the events of a change that a rule may fire for; None stands for everything that no event caused.

    A rule that fires once per date gets the first one; if it has no trigger, the last one, which led to the state for
    which its conditions hold.
    """
    found: list[LeadEvent | None] = []
    for transition in change.transitions:
        if draft.trigger.occurs(change, transition):
            found += events_of(draft.trigger, transition) or (None,)
    if draft.per is Per.EVENT:
        return found
    return found[-1:] if isinstance(draft.trigger, WhileConditionHolds) else found[:1]


def fire(
    pending: Iterable[Candidate], insights: Mapping[str, Insight], taken: Collection[Key], firings: Firings
) -> list[Candidate]:
    """Returns the candidates that fire: the first per key, and none whose key is in `taken`.

    `firings` are the last firings of the candidates that look back. A lead without an insight has lost its score, so no
    rule fires for it.
    """
    fired: dict[Key, Candidate] = {}
    last = dict(firings)
    for each in pending:
        insight = insights.get(each.change.lead_id)
        if insight is None or each.key in taken or each.key in fired:
            continue
        if each.fires(insight, last.get(each.pair)):
            fired[each.key] = each
            if each.looks_back:
                last[each.pair] = each.firing
    return list(fired.values())


def execution(fired: Candidate, insight: Insight, record_time: datetime, render: Render, sender: str) -> Execution:
    """Returns the execution of a rule that fires, with its deliveries, due now.

    `sender` is the sender address of e-mails.
    """
    return Execution(
        key=fired.key,
        change_sequence=fired.change.sequence,
        score=fired.change.score,
        stage_before=fired.change.stage_before,
        stage_after=fired.change.stage,
        velocity=insight.velocity,
        risk=insight.risk,
        next_action=insight.next_action,
        why=tuple(why(fired.rule, insight)),
        last_event_time=fired.firing.last_event_time,
        record_time=record_time,
        event_id=fired.event.event_id if fired.event else "",
        event_type=fired.event.event_type if fired.event else "",
        deliveries=tuple(
            _delivery(fired, action, insight, record_time, render, sender) for action in fired.rule.draft.actions
        ),
        traceparent=fired.event.traceparent if fired.event else "",
    )


def _delivery(
    fired: Candidate, action: Action, insight: Insight, record_time: datetime, render: Render, sender: str
) -> Delivery:
    execution_id = fired.key.execution_id
    values = payload(execution_id, fired.rule, action, fired.change, fired.event, insight, record_time)
    # The separator is not a dot, because the signed text is id, timestamp and body, separated by dots.
    delivery = Delivery(f"{execution_id}-{action.action_id}", action.action_id, action.kind, action.endpoint, b"")
    try:
        recipients = _recipients(action, insight)
        is_chat = isinstance(action.receiver, Slack)
        texts = {
            name: render(template, values["data"], for_chat=is_chat) for name, template in action.templates.items()
        }
        match action.receiver:
            case Slack():
                body = write({"text": texts["text"]})
            case Email():
                subject, text = texts["subject"], texts["body"]
                body = letter.write(delivery.delivery_id, sender, recipients, subject, text, record_time)
            case _:
                body = write(values)
    except (Unrenderable, ValueError) as error:
        answer = Answer(Fate.FINAL, error=str(error))
        return delivery.settled(answer, record_time, record_time - record_time, Schedule(), 1)
    return Delivery(
        delivery.delivery_id, action.action_id, action.kind, action.endpoint, body, recipients, due_time=record_time
    )


def _recipients(action: Action, insight: Insight) -> tuple[str, ...]:
    if not isinstance(action.receiver, Email):
        return ()
    wanted = list(action.receiver.to)
    if action.receiver.to_attribute:
        found = insight.attributes.get(action.receiver.to_attribute)
        if isinstance(found, str) and is_address(found):
            wanted.append(found)
        elif not wanted:
            raise Unrenderable(f"the lead's attribute {action.receiver.to_attribute!r} is not an e-mail address")
    return tuple(dict.fromkeys(wanted))
