"""When rules fire on a change of a lead, and what that leaves: at most one execution per lead, rule and date."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from automation_service.domain import letter
from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery, ExecutionState, Fate, state_of
from automation_service.domain.lead import Change, Insight, Risk, facts_of
from automation_service.domain.payload import payload, why, write
from automation_service.domain.receiver import Email, Slack, is_address
from automation_service.domain.rule import Rule
from automation_service.domain.trigger import Inactive

Render = Callable[[str, Mapping[str, Any]], str]
"""Fills a template with values; raises `Unrenderable` when they do not fit it."""


class Unrenderable(Exception):
    """A template does not go with a payload; the text says why."""


class ExecutionNotFound(Exception):
    """There is no execution with this id."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"there is no execution {execution_id!r}")


class NothingToRetry(Exception):
    """Nothing of an execution can be delivered again."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"nothing of execution {execution_id!r} can be sent again, or it is under way")


class Key(NamedTuple):
    """What an execution is unique by."""

    lead_id: str
    rule_id: str
    date_bucket: str

    @property
    def execution_id(self) -> str:
        """The id, the same whenever it is made: a hash of the key, 32 hexadecimal digits."""
        return hashlib.blake2b(json.dumps(self).encode(), digest_size=16).hexdigest()


class Firing(NamedTuple):
    """When a rule fired for a lead, and for which silence: `last_event_time` is None when it was for none."""

    date_bucket: str
    last_event_time: datetime | None


Firings = Mapping[tuple[str, str], Firing]
"""The last firing of rules for leads, by lead and rule."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that can fire on a change, as far as the change tells."""

    change: Change
    rule: Rule

    @property
    def key(self) -> Key:
        """The key of the execution that would follow."""
        return Key(self.change.lead_id, self.rule.draft.rule_id, self.change.date_bucket)

    @property
    def pair(self) -> tuple[str, str]:
        """The lead and the rule."""
        return self.change.lead_id, self.rule.draft.rule_id

    @property
    def firing(self) -> Firing:
        """The firing that would follow."""
        is_for_silence = isinstance(self.rule.draft.trigger, Inactive)
        return Firing(self.change.date_bucket, self.change.last_event_time if is_for_silence else None)

    @property
    def looks_back(self) -> bool:
        """Tells whether earlier dates matter to it, beside its own."""
        return self.rule.draft.cool_down_days > 1 or isinstance(self.rule.draft.trigger, Inactive)

    def fires(self, insight: Insight, last: Firing | None) -> bool:
        """Tells whether the rule holds, and neither its cool-down nor the silence it fired for lasts."""
        return (last is None or self._may_follow(last)) and self.rule.draft.conditions.hold(
            facts_of(self.change, insight)
        )

    def _may_follow(self, last: Firing) -> bool:
        now = self.firing
        if now.last_event_time and now.last_event_time == last.last_event_time:
            return False
        passed = date.fromisoformat(now.date_bucket) - date.fromisoformat(last.date_bucket)
        return passed.days >= max(1, self.rule.draft.cool_down_days)


@dataclass(frozen=True, slots=True)
class Execution:
    """A rule fired on a change. `last_event_time` is that of the lead, if it fired for the lead's silence."""

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
    deliveries: tuple[Delivery, ...] = ()

    @property
    def execution_id(self) -> str:
        """The id, made from the key."""
        return self.key.execution_id

    @property
    def state(self) -> ExecutionState:
        """How far it has come: as far as its deliveries."""
        return state_of(self.deliveries)


def candidates(changes: Iterable[Change], rules: Sequence[Rule]) -> list[Candidate]:
    """Returns the pairs of a change and a rule that can still fire, in the order of the changes."""
    return [
        Candidate(change, rule)
        for change in changes
        for rule in rules
        if rule.draft.trigger.occurs(change) and rule.draft.conditions.can_hold(change.stage, change.score)
    ]


def fire(
    pending: Iterable[Candidate], insights: Mapping[str, Insight], taken: Collection[Key], firings: Firings
) -> list[Candidate]:
    """Returns the candidates whose rule holds: the first of each key, and none whose key is taken.

    `firings` are those of the candidates that look back. A lead without an insight has no score any more, so no rule
    holds for it.
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
    """Returns the execution that a rule leaves when it fires, with all that is to be delivered, due at once.

    `sender` is the address that e-mails come from.
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
        deliveries=tuple(
            _delivery(fired, action, insight, record_time, render, sender) for action in fired.rule.draft.actions
        ),
    )


def _delivery(
    fired: Candidate, action: Action, insight: Insight, record_time: datetime, render: Render, sender: str
) -> Delivery:
    execution_id = fired.key.execution_id
    values = payload(execution_id, fired.rule, action, fired.change, insight, record_time)
    # A dot would be ambiguous: the signature is over id, timestamp and body, with dots between.
    delivery = Delivery(f"{execution_id}-{action.action_id}", action.action_id, action.kind, action.endpoint, b"")
    try:
        recipients = _recipients(action, insight)
        texts = {name: render(template, values["data"]) for name, template in action.templates.items()}
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
        return delivery.settled(answer, record_time, record_time - record_time, (), 1)
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
            raise Unrenderable(f"the lead's attribute {action.receiver.to_attribute!r} is no e-mail address")
    return tuple(dict.fromkeys(wanted))
