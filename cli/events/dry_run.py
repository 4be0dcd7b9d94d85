"""`leadscore ingest --dry-run`: what a file would become, without sending any of it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.events.executions import LiveEvents
from cli.events.lines import Line
from cli.events.times.limits import stored_time
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.output import say
from cli.terminal.pages import listed
from shared import wire

SHOWN_EVENTS = 10
MAX_GROUPS = 1000
"""Maximum number of event types, and of reasons, that are counted one by one."""

_VALUES = re.compile(r"'[^']*'|[0-9][0-9.,:]*")
"""What differs between the reasons of lines that are rejected for the same cause."""
_IDENTIFY = "identify"


@dataclass(slots=True)
class Reason:
    """A reason why lines would be rejected: the first of these lines, what is wrong with it, and how many there are."""

    line: int
    text: str
    count: int = 0


@dataclass(slots=True)
class Preview:
    """What the lines of a file would become if they were sent at `now`.

    `first` are its first events, with the times that would be stored; `types` counts the events of each type.
    """

    first: list[Line] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    live: LiveEvents = field(default_factory=LiveEvents)
    reasons: dict[str, Reason] = field(default_factory=dict)
    now: datetime = field(default_factory=wire.now)

    @property
    def rejected(self) -> int:
        """The number of lines that would be rejected."""
        return sum(reason.count for reason in self.reasons.values())

    def add(self, line: Line) -> None:
        """Counts a line."""
        if line.event is None:
            self._reject(line.number, line.flaw or "")
            return
        try:
            time = stored_time(line.event, self.now)
        except ValueError as error:
            self._reject(line.number, str(error))
            return
        if len(self.first) < SHOWN_EVENTS:
            line.event.event_time.CopyFrom(wire.to_timestamp(time))
            self.first.append(line)
        kind = line.event.event_type
        self.types[kind if kind in self.types or len(self.types) < MAX_GROUPS else "(others)"] += 1
        self.live.add(line.event)

    def _reject(self, line: int, text: str) -> None:
        cause = _VALUES.sub("", text)
        if cause not in self.reasons and len(self.reasons) >= MAX_GROUPS:
            cause, text = "", "other reasons"
        self.reasons.setdefault(cause, Reason(line, text)).count += 1


@dataclass(frozen=True, slots=True)
class System:
    """What the running services know; None if they do not answer.

    `types` are the event types of the model in force, `rules` the enabled automation rules.
    """

    types: frozenset[str] | None
    rules: tuple[automation_pb2.AutomationRule, ...] | None


def preview_of(lines: Iterable[Line]) -> Preview:
    """Returns what the lines of a file would become."""
    preview = Preview()
    for line in lines:
        preview.add(line)
    return preview


def ask_system(connection: Connection) -> System:
    """Returns what the running services know; if one does not answer, nothing, and standard error says so."""
    try:
        return System(_known_types(connection), _enabled_rules(connection))
    except CommandError as error:
        say(f"not compared with the model in force and the automation rules: {error}")
        return System(None, None)


def unknown_types(preview: Preview, known: frozenset[str]) -> dict[str, int]:
    """Returns the types that a model does not know, with the number of their events, most events first."""
    return {kind: count for kind, count in preview.types.most_common() if kind not in known}


def _known_types(connection: Connection) -> frozenset[str]:
    with connection.scoring() as stub:
        model = stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=CALL_SECONDS).scoring_model
    return frozenset({kind for rule in model.rules for kind in rule.event_types} | {_IDENTIFY})


def _enabled_rules(connection: Connection) -> tuple[automation_pb2.AutomationRule, ...]:
    with connection.automation() as stub:
        rules = listed(stub.ListAutomationRules, automation_pb2.ListAutomationRulesRequest(), "rules")
    return tuple(rule for rule in rules if rule.enabled)
