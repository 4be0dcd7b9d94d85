"""Publications form a timeline of models; the model in force at the time of an event judges it."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from operator import attrgetter

from scoring_service.domain.model import ADJUSTMENT, Event, Rule, ScoringModel, Verdicts

Position = tuple[datetime, str]
"""The position of a fact in the timeline of its lead: (event_time, event_id)."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""The earliest time."""
POSITION = attrgetter("position")


class ModelOutdated(Exception):
    """The version in force is not the one that the caller based its change on."""

    def __init__(self, base_version: int, in_force: int) -> None:
        super().__init__(f"version {in_force} is in force, not {base_version}; review it and publish again")


class EngineMismatch(Exception):
    """The scores in the database were computed by another version of this program."""

    def __init__(self, followed: str, own: str) -> None:
        super().__init__(
            f"the database follows scoring engine {followed}, but this program is engine {own}: update this program"
        )


class Mode(StrEnum):
    """Which events a publication applies to: those from its time on (FORWARD) or all (RESCORE).

    REFOLD changes no model; it has all leads folded again by a new engine.
    """

    FORWARD = "forward"
    RESCORE = "rescore"
    REFOLD = "refold"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version of the model, and when it was stored."""

    model: ScoringModel
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Publication:
    """Puts a model in force. `number` is 1, 2, 3 …, and publish times ascend with it.

    `engine` names the rules of the fold from then on; see `replay.engine`. No automation fires for what a `quiet`
    publication changes.
    """

    number: int
    version: int
    base_version: int
    mode: Mode
    publish_time: datetime
    actor: str = ""
    note: str = ""
    engine: str = ""
    quiet: bool = False

    @property
    def begins(self) -> datetime:
        """The event time from which the publication applies."""
        return self.publish_time if self.mode is Mode.FORWARD else BEGINNING


@dataclass(slots=True)
class JudgedEvent:
    """An event with the model that judged it and the rule that matched it, if one did."""

    event: Event
    model: ScoringModel
    rule: Rule | None
    position: Position

    @property
    def rule_id(self) -> str:
        """The id of the rule; empty if none matched."""
        return self.rule.rule_id if self.rule else ""

    @property
    def points(self) -> int:
        """The points of the rule before limits; 0 if none matched."""
        return self.rule.points if self.rule else 0


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Points that someone added or removed by hand; `target` is the requested score, None if points were requested.

    Its id is `adjustment:<request id>`.
    """

    event_id: str
    event_time: datetime
    points: int
    reason: str
    actor: str
    target: int | None = None


@dataclass(slots=True)
class JudgedAdjustment:
    """An adjustment with the model whose floor and ceiling apply to it."""

    adjustment: Adjustment
    model: ScoringModel
    position: Position

    @property
    def rule_id(self) -> str:
        """The id under which contributions count adjustments."""
        return ADJUSTMENT

    @property
    def points(self) -> int:
        """The points before floor and ceiling."""
        return self.adjustment.points


Fact = JudgedEvent | JudgedAdjustment
"""An event or an adjustment, judged by the model in force at its time. Facts and decay ticks make up a timeline."""


@dataclass(frozen=True)
class Timeline:
    """The models in force over time. `publications` are numbered 1 to n without gaps; there is at least one."""

    publications: Sequence[Publication]
    models: Callable[[int], ScoringModel]
    _begins: list[datetime] = field(init=False, repr=False, compare=False)
    _models: list[ScoringModel] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        begins: list[datetime] = []
        models: list[ScoringModel] = []
        for publication in self.publications:
            if publication.mode is Mode.REFOLD:
                continue
            if publication.mode is Mode.RESCORE:
                begins.clear()
                models.clear()
            begins.append(publication.begins)
            models.append(self.models(publication.version))
        object.__setattr__(self, "_begins", begins)
        object.__setattr__(self, "_models", models)

    @property
    def number(self) -> int:
        """The number of the last publication."""
        return self.publications[-1].number

    @property
    def latest(self) -> ScoringModel:
        """The model in force now."""
        return self._models[-1]

    @cached_property
    def shortest_grace(self) -> timedelta:
        """The shortest grace period of all models in force: no lead decays sooner."""
        return min(model.grace for model in self._models)

    @cached_property
    def lifts_negative_scores(self) -> bool:
        """Whether negative scores decay toward zero under one of the models in force."""
        return any(model.decay.toward_zero for model in self._models)

    def is_quiet_since(self, number: int) -> bool:
        """Returns whether one of the publications after this one is quiet."""
        return any(publication.quiet for publication in self.publications[number:])

    def spans(self) -> list[tuple[datetime, datetime | None, ScoringModel]]:
        """Returns the start, the end and the model of each span; the last span has no end."""
        return list(zip(self._begins, [*self._begins[1:], None], self._models, strict=True))

    def model_at(self, time: datetime) -> ScoringModel:
        """Returns the model in force at a time."""
        if len(self._models) == 1:
            return self._models[0]
        return self._models[max(0, bisect_right(self._begins, time) - 1)]

    def model_after(self, number: int) -> ScoringModel:
        """Returns the model of a publication."""
        return self.models(self.publications[number - 1].version)

    def is_of_this_engine(self, number: int) -> bool:
        """Returns whether a publication has the same engine as the last one."""
        return self.publications[number - 1].engine == self.publications[-1].engine

    def judge(self, event: Event) -> JudgedEvent:
        """Judges an event by the model in force at its time; the lead's other events do not matter."""
        model = self.model_at(event.event_time)
        return JudgedEvent(event, model, model.rule_for(event), (event.event_time, event.event_id))

    def verdicts(self, event: Event) -> Verdicts:
        """Returns which rule matches an event under each published version, to keep when its properties are removed."""
        found: list[tuple[int, str]] = []
        for version in sorted({publication.version for publication in self.publications}):
            rule = self.models(version).rule_for(event)
            rule_id = rule.rule_id if rule else ""
            if not found or found[-1][1] != rule_id:
                found.append((version, rule_id))
        return tuple(found)

    def judge_adjustment(self, adjustment: Adjustment) -> JudgedAdjustment:
        """Returns an adjustment with the model in force at its time."""
        position = adjustment.event_time, adjustment.event_id
        return JudgedAdjustment(adjustment, self.model_at(adjustment.event_time), position)

    def judge_all(self, recorded: Iterable[Event | Adjustment]) -> list[Fact]:
        """Judges events and adjustments in any order; returns the facts ordered by position."""
        judge = self.judge
        facts: list[Fact] = [
            judge(each) if isinstance(each, Event) else self.judge_adjustment(each) for each in recorded
        ]
        facts.sort(key=POSITION)
        return facts

    def up_to(self, number: int) -> "Timeline":
        """Returns the timeline as it was after a publication."""
        return self if number == self.number else Timeline(self.publications[:number], self.models)

    def as_of(self, time: datetime) -> "Timeline":
        """Returns the timeline as it was at a time; it always includes the first publication."""
        return self.up_to(max(1, sum(publication.publish_time <= time for publication in self.publications)))

    def changed_from(self, number: int) -> datetime | None:
        """Returns the event time from which publications after this one apply; None if there is none."""
        later = self.publications[number:]
        return min(publication.begins for publication in later) if later else None
