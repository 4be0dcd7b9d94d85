"""The findings of the doctor, put together."""

from cli.doctor.findings import merged, split_advice
from cli.terminal.findings import Finding, Level, verdict, worst

AWAY = "no MongoDB primary answers at db:27017: start it"


def test_what_is_said_of_several_subjects_is_said_once() -> None:
    found = [split_advice("mongod", AWAY), Finding(Level.OK, "redis", "answers"), split_advice("scoring", AWAY)]
    away, _ = merged(found)
    assert away == Finding(Level.CRITICAL, "mongod, scoring", "no MongoDB primary answers at db:27017", "start it")
    assert verdict(found) == "critical: mongod, scoring"


def test_a_mistake_in_a_setting_is_kept_whole() -> None:
    sentence = "LEADSCORE_PORT: is '0', must be a whole number from 1 to 65535 (port to listen on)"
    assert split_advice("ingest", sentence).text == sentence


def test_the_worst_finding_counts() -> None:
    warning = Finding(Level.WARNING, "disk", "86% are in use", "make room")
    assert (worst([]), verdict([])) == (Level.OK, "ok")
    assert (worst([warning]), verdict([warning])) == (Level.WARNING, "warning: disk")
