"""What a check has found: a sentence, how bad it is, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum


class Level(IntEnum):
    """How bad a finding is; the numbers are the exit statuses."""

    OK = 0
    WARN = 1
    """It needs attention; nothing is lost or refused yet."""
    FAIL = 2
    """A part of the system does not work, or will not start again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check has found: its subject in a word or two, a sentence, and what to do if it is bad."""

    level: Level
    subject: str
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """Returns the finding as JSON values."""
        level = self.level.name.lower()
        return {"level": level, "subject": self.subject, "text": self.text, "advice": self.advice}


def worst(findings: Sequence[Finding]) -> Level:
    """Returns the level of the worst finding."""
    return max((each.level for each in findings), default=Level.OK)


def split_advice(subject: str, text: str) -> Finding:
    """Returns a failure for a sentence `what is wrong: what to do`, or `LEADSCORE_NAME: what is wrong with it`."""
    if text.startswith("LEADSCORE_"):
        return Finding(Level.FAIL, subject, text, "correct the setting, then start the process again")
    wrong, _, advice = text.partition(": ")
    return Finding(Level.FAIL, subject, wrong, advice) if advice else Finding(Level.FAIL, subject, text)


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Returns the findings with those that say the same of several subjects as one."""
    subjects: dict[Finding, list[str]] = {}
    for each in findings:
        subjects.setdefault(replace(each, subject=""), []).append(each.subject)
    return [replace(each, subject=", ".join(dict.fromkeys(names))) for each, names in subjects.items()]


def verdict(findings: Sequence[Finding]) -> str:
    """Returns one line on all findings, such as `fail: mongod, redis`."""
    level = worst(findings)
    return "ok" if level is Level.OK else f"{level.name.lower()}: {', '.join(_subjects(findings, level))}"


def _subjects(findings: Sequence[Finding], level: Level) -> Iterator[str]:
    yield from dict.fromkeys(each.subject for each in findings if each.level is level)
