"""What a check has found and how bad it is: one scale for `status`, `doctor` and `model health`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Level(IntEnum):
    """How bad a finding is; the numbers are the exit statuses."""

    OK = 0
    WARNING = 1
    """It needs attention."""
    CRITICAL = 2
    """A part does not work, will not start again, or misleads those who rely on it."""


STYLES = {Level.OK: "green", Level.WARNING: "bold yellow", Level.CRITICAL: "bold red"}


class Graded(Protocol):
    """Something with a subject, in a word or two, and a level."""

    @property
    def level(self) -> Level:
        """How bad it is."""

    @property
    def subject(self) -> str:
        """What it is about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check has found: its subject, a sentence, and what to do if it is bad."""

    level: Level
    subject: str
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """Returns the finding as JSON values."""
        return {"level": word(self.level), "subject": self.subject, "text": self.text, "advice": self.advice}


def word(level: Level) -> str:
    """Returns a level as it is printed."""
    return level.name.lower()


def worst(findings: Iterable[Graded]) -> Level:
    """Returns the level of the worst finding."""
    return max((each.level for each in findings), default=Level.OK)


def verdict(findings: Iterable[Graded]) -> str:
    """Returns one line on all findings: `ok`, or the worst level and what has it, such as `critical: mongod, redis`."""
    found = list(findings)
    level = worst(found)
    subjects = dict.fromkeys(each.subject for each in found if each.level is level)
    return word(level) if level is Level.OK else f"{word(level)}: {', '.join(subjects)}"


def outcome(findings: Iterable[Graded]) -> dict[str, object]:
    """Returns the verdict as JSON values."""
    found = list(findings)
    level = worst(found)
    return {"verdict": verdict(found), "level": word(level), "exit_status": int(level)}
