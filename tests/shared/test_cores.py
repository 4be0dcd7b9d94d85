"""How many cores a process may use, on every system."""

import os

import pytest

from shared.cores import usable_cores


def test_only_the_cores_of_this_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    assert (usable_cores(64), usable_cores(2)) == (3, 2)


@pytest.mark.parametrize(("all_cores", "usable"), [(8, 8), (128, 64), (None, 1)])
def test_all_cores_count_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, all_cores: int | None, usable: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: all_cores)
    assert usable_cores(64) == usable
