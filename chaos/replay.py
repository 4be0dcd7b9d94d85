"""The reference fold: computes a lead's score from raw documents, event by event and midnight by midnight.

It implements `docs/scoring.md` independently of the service, and is deliberately slow and simple.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chaos.conditions import all_hold
from chaos.rows import Document, Rows
from chaos.violation import Unsupported

NEVER = datetime.min.replace(tzinfo=UTC)
"""The stored value for a lead that has had no event."""

_WHOLE = 1_000_000
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_KNOWN = {
    "model": {
        *("version", "display_name", "rules", "groups", "score_floor", "score_ceiling", "stages", "decay"),
        *("velocity", "risk", "next_actions", "churn_stages", "fit"),
    },
    "rule": {"rule_id", "event_types", "points", "conditions", "limits", "group_id"},
    "limit": {"max_points", "max_times", "period"},
    "group": {"group_id", "cap", "parent_group_id"},
    "decay": {"grace", "percent_per_day", "half_life", "floor", "toward_zero"},
}


@dataclass(frozen=True, slots=True)
class Step:
    """What changes a score: an event with its properties, or, if `points` is set, an adjustment."""

    step_id: str
    time: datetime
    event_type: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """The result of a fold; the time is `NEVER` if there was no event."""

    score: int
    event_count: int
    last_event_time: datetime


@dataclass
class _Walk:
    score: int = 0
    event_count: int = 0
    last_event: datetime | None = None
    groups: dict[str, int] = field(default_factory=dict)
    given: dict[tuple[str, str], tuple[object, int, int]] = field(default_factory=dict)


class Timeline:
    """The published models, from their documents."""

    def __init__(self, rows: Rows) -> None:
        self.zone = ZoneInfo(next(iter(rows.partitions.values()))["time_zone"])
        self.publications = rows.publications
        self._models = {row["_id"]: _checked(row["model"]) for row in rows.models}

    def at(self, time: datetime) -> Document:
        """Returns the model in force at a time: the last one published by then, or published with a rescore."""
        version = self.publications[0]["version"]
        for each in self.publications:
            if each["mode"] == "rescore" or each["publish_time"] <= time:
                version = each["version"]
        return self._models[version]

    def stages(self, score: int) -> set[str]:
        """Returns the stages of a score in all published models."""
        return {_stage(self._models[each["version"]], score) for each in self.publications}

    def verdict(self, version: int, event: Document) -> tuple[str, int]:
        """Returns the id of the rule that matches an event in a model version, and its points; "" and 0 for none."""
        if version not in self._models:
            return f"of model {version}, which does not exist", 0
        rule = _rule(self._models[version], event["event_type"], event.get("properties", {}))
        return (rule["rule_id"], rule.get("points", 0)) if rule else ("", 0)

    def fold(self, steps: Iterable[Step], through: str) -> Folded:
        """Folds steps, in any order, and the ticks through a date; an empty date means no ticks."""
        in_order = sorted(steps, key=lambda step: (step.time, step.step_id))
        walk = _Walk()
        ticks = self._midnights(in_order, through)
        tick = next(ticks, None)
        for step in in_order:
            while tick is not None and tick <= step.time:
                self._tick(walk, tick)
                tick = next(ticks, None)
            self._step(walk, step)
        while tick is not None:
            self._tick(walk, tick)
            tick = next(ticks, None)
        return Folded(walk.score, walk.event_count, walk.last_event or NEVER)

    def _midnights(self, steps: Sequence[Step], through: str) -> Iterator[datetime]:
        if not through or not steps:
            return iter(())
        first, last = steps[0].time.astimezone(self.zone).date(), date.fromisoformat(through)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return (datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC) for day in days)

    def _step(self, walk: _Walk, step: Step) -> None:
        model = self.at(step.time)
        if step.points is None:
            points = self._granted(walk, model, step)
            walk.event_count, walk.last_event = walk.event_count + 1, step.time
        else:
            points = step.points
        walk.score = max(model.get("score_floor", 0), min(model.get("score_ceiling", 0), walk.score + points))

    def _tick(self, walk: _Walk, midnight: datetime) -> None:
        model = self.at(midnight)
        decay = model.get("decay")
        if decay is None or walk.last_event is None or midnight - walk.last_event < _span(decay.get("grace", "0s")):
            return
        if "half_life" in decay:
            kept = round(_WHOLE * 2 ** -(timedelta(days=1) / _span(decay["half_life"])))
        else:
            kept = (100 - decay["percent_per_day"]) * _WHOLE // 100
        lowest, highest = (
            max(decay.get("floor", 0), model.get("score_floor", 0), 0),
            min(model.get("score_ceiling", 0), 0),
        )
        if walk.score > lowest:
            walk.score = max(lowest, walk.score * kept // _WHOLE)
        elif decay.get("toward_zero") and walk.score < highest:
            walk.score = min(highest, -(-walk.score * kept // _WHOLE))

    def _granted(self, walk: _Walk, model: Document, step: Step) -> int:
        rule = _rule(model, step.event_type, step.properties)
        if rule is None:
            return 0
        granted: int = rule.get("points", 0)
        spent: dict[tuple[str, str], tuple[object, int, int]] = {}
        for limit in rule.get("limits", ()):
            key = (rule["rule_id"], limit["period"])
            spent[key] = _, times, used = self._used(walk, key, step.time)
            if "max_times" in limit:
                granted = 0 if times >= limit["max_times"] else granted
            else:
                room = max(0, limit["max_points"] - used)
                granted = max(-room, min(room, granted))
        groups = _groups(model, rule)
        for group in groups:
            granted = min(granted, max(0, group.get("cap", 0) - walk.groups.get(group["group_id"], 0)))
        if granted:
            walk.given |= {key: (since, times + 1, used + abs(granted)) for key, (since, times, used) in spent.items()}
            for group in groups:
                walk.groups[group["group_id"]] = walk.groups.get(group["group_id"], 0) + granted
        return granted

    def _used(self, walk: _Walk, key: tuple[str, str], time: datetime) -> tuple[Any, int, int]:
        begins: dict[str, object] = {"ever": "ever", "day": time.astimezone(self.zone).date(), "30_days": time}
        if key[1] not in begins:
            raise Unsupported(f"a limit with the period {key[1]!r}")
        since, times, used = walk.given.get(key, (None, 0, 0))
        over = isinstance(since, datetime) and time - since >= timedelta(days=30)
        if since is None or over or (key[1] == "day" and since != begins["day"]):
            return begins[key[1]], 0, 0
        return since, times, used


def steps_of_history(entries: Sequence[Document]) -> list[Step]:
    """Returns the steps in a lead's history: events that were not retracted, and adjustments."""
    gone = _retracted(entries)
    return [
        Step(each["_id"], each["event_time"], points=each["points"])
        if each["kind"] == "ADJUSTMENT"
        else Step(each["_id"], each["event_time"], each["event_type"], each.get("properties", {}))
        for each in entries
        if each["kind"] == "ADJUSTMENT" or (each["kind"] == "EVENT" and each["_id"] not in gone)
    ]


def steps_of_events(events: Sequence[Document], entries: Sequence[Document]) -> list[Step]:
    """Returns the same steps from the scored events; only retractions and adjustments come from the history."""
    gone = _retracted(entries)
    return [
        Step(each["_id"], each["event_time"], each["event_type"], each.get("properties", {}))
        for each in events
        if each["state"] == "scored" and each["_id"] not in gone
    ] + [step for step in steps_of_history(entries) if step.points is not None]


def _retracted(entries: Sequence[Document]) -> set[str]:
    return {each["_id"].removeprefix("retraction:") for each in entries if each["kind"] == "RETRACTION"}


def _rule(model: Document, event_type: str, properties: Mapping[str, Any]) -> Document | None:
    for rule in model.get("rules", ()):
        if event_type in rule["event_types"] and all_hold(rule.get("conditions", ()), properties):
            found: Document = rule
            return found
    return None


def _groups(model: Document, rule: Document) -> list[Document]:
    groups = {each["group_id"]: each for each in model.get("groups", ())}
    chain, group_id = [], rule.get("group_id")
    while group_id:
        chain.append(groups[group_id])
        group_id = groups[group_id].get("parent_group_id")
    return chain


def _stage(model: Document, score: int) -> str:
    stages = model["stages"]
    reached = [each["stage"] for each in stages if score >= each.get("minimum_score", 0)]
    return str(reached[-1] if reached else stages[0]["stage"])


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if not text or found is None:
        raise Unsupported(f"the span {text!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _checked(model: Document) -> Document:
    rules = model.get("rules", ())
    parts: dict[str, Iterable[Document]] = {
        "model": [model],
        "rule": rules,
        "limit": [limit for rule in rules for limit in rule.get("limits", ())],
        "group": model.get("groups", ()),
        "decay": [model["decay"]] if "decay" in model else [],
    }
    for part, documents in parts.items():
        for document in documents:
            if more := document.keys() - _KNOWN[part]:
                raise Unsupported(f"a {part} with {', '.join(sorted(more))}")
    return model
