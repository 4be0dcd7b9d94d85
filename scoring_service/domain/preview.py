"""What hypothetical events would do to a lead, by the same fold as that of events that happen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.model import Event, Rule
from scoring_service.domain.replay import replay
from scoring_service.domain.timeline import JudgedEvent, Timeline

MAX_RULES = 20
"""The maximum number of rules whose effect is reported."""

_MILLISECOND = timedelta(milliseconds=1)


class Hypothesis(NamedTuple):
    """An event that has not happened."""

    event_type: str
    properties: Mapping[str, Any]


class Effect(NamedTuple):
    """What an event would do to a lead: the rule that decides it, the change of the score, and the state after it.

    `event_types` are the type of the event or, for a rule, all types that it matches.
    """

    rule_id: str
    event_types: Sequence[str]
    delta: int
    state: LeadState


@dataclass(frozen=True, slots=True)
class Preview:
    """Folds events that happen now onto a state, to which all ticks up to a date have been applied."""

    timeline: Timeline
    calendar: Calendar
    state: LeadState
    through: date | None
    now: datetime

    @property
    def time(self) -> datetime:
        """When the events happen: now, or right after the last fact if that lies ahead of the clock."""
        return max(self.now, self.state.last_fact[0] + _MILLISECOND) if self.state.last_fact else self.now

    def events(self, hypotheses: Sequence[Hypothesis]) -> list[Effect]:
        """Returns the effects of events that happen one after the other."""
        time = self.time
        facts = [
            self.timeline.judge(Event(f"preview:{number:06}", each.event_type, time, each.properties))
            for number, each in enumerate(hypotheses)
        ]
        return list(self._effects(facts))

    def rules(self) -> list[Effect]:
        """Returns what a single event would do, for each rule in force that would change the score, largest first."""
        found = [effect for rule in self.timeline.model_at(self.time).rules for effect in self._rule(rule)]
        return sorted((each for each in found if each.delta), key=lambda each: -abs(each.delta))[:MAX_RULES]

    def _rule(self, rule: Rule) -> Iterator[Effect]:
        """Yields the effect of an event that a rule decides, whatever the properties that its conditions require."""
        time = self.time
        event = Event("preview:", rule.event_types[0], time)
        fact = JudgedEvent(event, self.timeline.model_at(time), rule, (time, event.event_id))
        return (each._replace(event_types=rule.event_types) for each in self._effects([fact]))

    def _effects(self, facts: Sequence[JudgedEvent]) -> Iterator[Effect]:
        for moment in replay(self.timeline, self.calendar, facts, self.through, self.state):
            if isinstance(moment.fact, JudgedEvent):
                delta = moment.state.score - moment.score_before
                yield Effect(moment.fact.rule_id, [moment.fact.event.event_type], delta, moment.state)
