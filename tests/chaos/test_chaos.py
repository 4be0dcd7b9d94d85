"""A short series: one round of each kind of quick fault, without violations."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos import report
from chaos.fault import FAULTS, Fault
from chaos.series import Plan, Series, named

SEED = 20_260_301
SHORT = (
    *("kill ingest", "kill scoring-worker", "kill all", "pause a server"),
    *("crash scoring: commit sent", "crash decay: half-way"),
    *("crash automation: after the receiver's 2xx", "connections closed", "receiver 410"),
    *("redis killed", "redis flushed", "redis hangs", "redis full", "mongod killed", "mongod frozen"),
    *("transient errors", "commit unconfirmed", "commit reply lost", "insert reply lost", "mongo resets"),
    *("midnight", "receiver 500", "receiver reset", "duplicates", "decay"),
    *("heavy lead shuffled", "heavy lead bursts", "fat attributes", "malformed ring", "zombie blocks", "paused worker"),
    *("mongod slow", "decay a year ahead"),
)


def _plans(faults: Sequence[Fault]) -> list[Plan]:
    return [Plan(fault, SEED + number) for number, fault in enumerate(faults)]


async def test_a_short_series_has_no_violations(tmp_path: Path) -> None:
    faults = [fault for name in SHORT for fault in named(name)]
    series = Series(tmp_path)
    rounds = [each async for each in series.run(_plans(faults))]
    told = [report.line(each, number, len(faults)) for number, each in enumerate(rounds, 1) if each.violations]
    assert not told, "\n".join(told)
    for fault in faults:
        assert not fault.crash_point or series.crashes()[fault.crash_point], f"{fault.crash_point!r} did not fire"


def test_faults_are_selected_by_prefix() -> None:
    assert {fault.name for fault in named("redis killed,redis full")} == {"redis killed", "redis full"}
    assert named("") == list(FAULTS.values())
    with pytest.raises(ValueError, match="no fault begins with 'nonsense'"):
        named("nonsense")
