"""How the findings of `leadscore doctor` are made from sentences, and put together."""

from collections.abc import Sequence
from dataclasses import replace

from cli.terminal.findings import Finding, Level


def split_advice(subject: str, text: str) -> Finding:
    """Returns what a sentence says, `what is wrong: what to do` or `LEADSCORE_NAME: what is wrong with it`."""
    if text.startswith("LEADSCORE_"):
        return Finding(Level.CRITICAL, subject, text, "correct the setting, then start the process again")
    wrong, _, advice = text.partition(": ")
    return Finding(Level.CRITICAL, subject, wrong, advice) if advice else Finding(Level.CRITICAL, subject, text)


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Returns the findings with those that say the same of several subjects as one."""
    subjects: dict[Finding, list[str]] = {}
    for each in findings:
        subjects.setdefault(replace(each, subject=""), []).append(each.subject)
    return [replace(each, subject=", ".join(dict.fromkeys(names))) for each, names in subjects.items()]
