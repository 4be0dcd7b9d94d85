"""When rules fire on a change of a lead, and what that leaves: at most one execution per lead, rule and date."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from automation_service.domain.rule import Risk, Rule


class Key(NamedTuple):
    """What an execution is unique by."""

    lead_id: str
    rule_id: str
    date_bucket: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction of the scoring service did to a lead.

    `sequence` is that of the last history entry that it appended, `date_bucket` the date on which it did, YYYY-MM-DD.
    """

    change_id: str
    lead_id: str
    sequence: int
    score_before: int
    score_after: int
    stage_before: str
    stage_after: str
    event_types: tuple[str, ...]
    date_bucket: str


@dataclass(frozen=True, slots=True)
class Insight:
    """What a lead's score means when its change is evaluated."""

    velocity: int
    risk: Risk
    next_action: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that can fire on a change, as far as the change tells."""

    change: Change
    rule: Rule

    @property
    def key(self) -> Key:
        """The key of the execution that would follow."""
        return Key(self.change.lead_id, self.rule.draft.rule_id, self.change.date_bucket)

    def fires(self, insight: Insight) -> bool:
        """Tells whether the rule holds."""
        change, conditions = self.change, self.rule.draft.conditions
        return conditions.hold(change.stage_after, change.score_after, insight.velocity, insight.risk)


@dataclass(frozen=True, slots=True)
class Execution:
    """A rule fired on a change."""

    key: Key
    change_sequence: int
    score: int
    stage_before: str
    stage_after: str
    insight: Insight
    record_time: datetime

    @property
    def execution_id(self) -> str:
        """The id, the same whenever it is made: a hash of the key, 32 hexadecimal digits."""
        return hashlib.blake2b(json.dumps(self.key).encode(), digest_size=16).hexdigest()


def candidates(changes: Iterable[Change], rules: Sequence[Rule]) -> list[Candidate]:
    """Returns the pairs of a change and a rule that can still fire, in the order of the changes."""
    return [
        Candidate(change, rule)
        for change in changes
        for rule in rules
        if rule.draft.conditions.can_hold(change.stage_after, change.score_after)
    ]


def fire(pending: Iterable[Candidate], insights: Mapping[str, Insight], taken: Collection[Key]) -> list[Candidate]:
    """Returns the candidates whose rule holds: the first of each key, and none whose key is taken.

    A lead without an insight has no score any more, so no rule holds for it.
    """
    fired: dict[Key, Candidate] = {}
    for each in pending:
        insight = insights.get(each.change.lead_id)
        if insight is not None and each.key not in taken and each.fires(insight):
            fired.setdefault(each.key, each)
    return list(fired.values())


def execution(fired: Candidate, insight: Insight, record_time: datetime) -> Execution:
    """Returns the execution that a rule leaves when it fires."""
    return Execution(
        key=fired.key,
        change_sequence=fired.change.sequence,
        score=fired.change.score_after,
        stage_before=fired.change.stage_before,
        stage_after=fired.change.stage_after,
        insight=insight,
        record_time=record_time,
    )
