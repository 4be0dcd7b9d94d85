"""`leadscore down` stops what a run has left, and no other process."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.local import run_record
from cli.local.down import stop_system
from cli.local.leftovers import processes_of, stop_leftovers
from cli.terminal.connection import CommandError

RUN = "the random id of a run"


@contextmanager
def sleeping(run_id: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a process that says in its environment that it belongs to a run."""
    with subprocess.Popen(["/bin/sleep", "600"], env=os.environ | {run_record.VARIABLE: run_id}) as process:
        try:
            yield process
        finally:
            process.kill()


def written(data_dir: Path, process: "subprocess.Popen[bytes] | None" = None) -> run_record.RunRecord:
    """Puts a run on record, with a process that takes the place of `leadscore up`, or else one that has ended."""
    record = replace(run_record.of_this_process(50051, None, {}), run_id=RUN)
    if process is None:
        record = replace(record, start_time=record.start_time - 100)
    else:
        up = psutil.Process(process.pid)
        record = replace(record, pid=process.pid, start_time=up.create_time(), command=up.cmdline())
    record.write(data_dir)
    return record


def test_only_processes_of_the_run_are_stopped() -> None:
    said: list[str] = []
    with sleeping(RUN) as left, sleeping("another run") as foreign:
        assert [process.pid for process in processes_of(RUN)] == [left.pid]
        assert stop_leftovers(RUN, said.append) == 1
        assert left.poll() is not None
        assert foreign.poll() is None
    assert said == [f"stopping 1 process left from an earlier run: sleep ({left.pid})"]
    assert stop_leftovers(RUN, said.append) == 0
    assert len(said) == 1, "expected no word about nothing"


def test_a_system_that_runs_beside_another_in_one_process_marks_its_own() -> None:
    first, second = (run_record.of_this_process(port, None, {}) for port in (1, 2))
    with first.marking():
        with second.marking():
            assert os.environ[run_record.VARIABLE] == second.run_id
        assert os.environ[run_record.VARIABLE] == first.run_id
    assert run_record.VARIABLE not in os.environ


def test_a_process_is_up_only_with_its_start_and_its_command(tmp_path: Path) -> None:
    with sleeping("") as process:
        record = written(tmp_path, process)
        assert record.up() == psutil.Process(process.pid)
        assert replace(record, start_time=record.start_time - 100).up() is None
        assert replace(record, command=["sleep"]).up() is None
        process.kill()
        os.waitid(
            os.P_PID, process.pid, os.WEXITED | os.WNOWAIT
        )  # it has ended, but its status is still to be asked for
        assert record.up() is None


def test_up_is_stopped_before_what_it_has_left(tmp_path: Path) -> None:
    said: list[str] = []
    with sleeping("") as up, sleeping(RUN):
        record = written(tmp_path, up)
        assert stop_system(tmp_path, said.append)
        assert record.up() is None
    assert [line.partition(" (")[0] for line in said] == [
        "stopping `leadscore up`",
        "stopping 1 process left from an earlier run: sleep",
        f"stopped what ran in {tmp_path}",
    ]
    assert not stop_system(tmp_path, said.append)
    assert said[-1] == f"nothing is running in {tmp_path}"


def test_a_killed_system_of_which_nothing_is_left_is_forgotten(tmp_path: Path) -> None:
    said: list[str] = []
    written(tmp_path)
    stop_system(tmp_path, said.append)
    assert said == [f"nothing is running in {tmp_path}: its last system was killed, and nothing of it is left"]
    assert run_record.read(tmp_path) is None


def test_a_record_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(CommandError, match=r"run\.json cannot be read"):
        stop_system(tmp_path, print)
