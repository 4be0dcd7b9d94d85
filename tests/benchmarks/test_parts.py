"""The parts of `make bench` and their plan."""

from itertools import groupby

from benchmarks.parts import LIMIT_SECONDS, ON_REQUEST, PLANNED_SECONDS, SYSTEM_OF, planned_seconds


def test_parts_that_share_a_system_follow_each_other() -> None:
    systems = [system for system, _ in groupby(SYSTEM_OF.values()) if system]
    assert len(systems) == len(set(systems))


def test_parts_on_request_are_parts() -> None:
    assert set(SYSTEM_OF) >= ON_REQUEST


def test_every_part_is_planned_and_the_default_ones_fit_into_the_limit_with_a_reserve() -> None:
    assert PLANNED_SECONDS.keys() == SYSTEM_OF.keys()
    assert planned_seconds() <= LIMIT_SECONDS * 0.9
