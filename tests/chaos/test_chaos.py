"""A short series of rounds, none of which may have a violation."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos import report
from chaos.fault import FAULTS, Fault
from chaos.series import Plan, Series, named

SEED = 20_260_301
SHORT = (
    *("kill all", "crash scoring: commit sent", "crash automation: after the receiver's 2xx"),
    *("redis flushed", "mongod killed", "commit reply lost", "midnight"),
    *("heavy lead bursts", "zombie blocks", "paused worker"),
)
"""About two minutes: a round of each group of faults. `make chaos` has all of them."""


def _plans(faults: Sequence[Fault]) -> list[Plan]:
    return [Plan(fault, SEED + number) for number, fault in enumerate(faults)]


@pytest.mark.timeout(900)
async def test_a_short_series_has_no_violations(tmp_path: Path) -> None:
    faults = [fault for name in SHORT for fault in named(name)]
    series = Series(tmp_path)
    rounds = [each async for each in series.run(_plans(faults))]
    violations = [report.line(each, number, len(faults)) for number, each in enumerate(rounds, 1) if each.violations]
    assert not violations, "\n".join(violations)
    for fault in faults:
        assert not fault.crash_point or series.crashes()[fault.crash_point], f"{fault.crash_point!r} did not fire"


def test_faults_are_selected_by_prefix() -> None:
    assert {fault.name for fault in named("redis killed,redis full")} == {"redis killed", "redis full"}
    assert named("") == list(FAULTS.values())
    with pytest.raises(ValueError, match="no fault starts with 'nonsense'"):
        named("nonsense")
