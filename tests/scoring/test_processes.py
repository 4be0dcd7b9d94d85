"""Child processes do the work, whoever is killed, and give the same answers as this process."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2
from prometheus_client import REGISTRY

from scoring_service import metrics
from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.usecases import cores, processes, scan
from scoring_service.usecases.cores import Cores
from scoring_service.usecases.processes import ProcessEnded, Processes
from scoring_service.usecases.rebuild import Rebuild
from scoring_service.usecases.simulate import Simulate
from scoring_service.usecases.verify import Verification
from shared.outcomes import Question
from shared.rpc.errors import status_of
from testkit.waiting import eventually
from tests.scoring import assisting
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN

OTHER = replace(BUILT_IN, score_ceiling=40)


@pytest.fixture
async def pool() -> AsyncIterator[Processes]:
    async with Processes(assisting.COMMAND, 2) as opened:
        yield opened


async def test_work_runs_with_the_resources_of_another_process(pool: Processes) -> None:
    assert await pool.run(assisting.resources) == "the resources"
    assert await pool.run(assisting.pid) != os.getpid()


async def test_an_error_arrives_as_it_was_raised(pool: Processes) -> None:
    with pytest.raises(HistoryInconsistent) as found:
        await pool.run(assisting.fail)
    assert str(found.value) == str(HistoryInconsistent("ada", "two entries have sequence 3"))


async def test_a_killed_process_fails_its_work_and_is_replaced(pool: Processes) -> None:
    with pytest.raises(ProcessEnded) as found:
        await pool.run(assisting.end_process)
    assert status_of(found.value, {}).code == code_pb2.Code.Value(grpc.StatusCode.UNAVAILABLE.name)
    assert await pool.run(assisting.pid) > 0


async def test_the_server_shows_its_helpers_their_memory_and_those_that_failed(pool: Processes) -> None:
    def shown() -> dict[str, float]:
        return {metric.name: metric.samples[0].value for metric in metrics.Helpers(pool.pids).collect()}

    memory = "leadscore_helper_resident_memory_bytes"
    assert shown() == {"leadscore_helper_processes": 0, memory: 0}
    await pool.run(assisting.pid)
    found = shown()
    assert found["leadscore_helper_processes"] == 1
    assert found[memory] > 10_000_000, "expected the memory of a Python process"
    before = REGISTRY.get_sample_value("leadscore_helper_failures_total") or 0.0
    with pytest.raises(ProcessEnded):
        await pool.run(assisting.end_process)
    assert REGISTRY.get_sample_value("leadscore_helper_failures_total") == before + 1
    assert shown()["leadscore_helper_processes"] == 0


async def test_processes_are_kept_while_short_works_follow_each_other(pool: Processes) -> None:
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(pool.run(assisting.pid)) for _ in range(500)]
    assert len({run.result() for run in runs}) <= pool.count


async def test_cancelled_work_is_cancelled_in_its_process_which_goes_on(pool: Processes, tmp_path: Path) -> None:
    file = tmp_path / "begun"
    working = asyncio.create_task(pool.run(partial(assisting.hang, file)))
    await _until(lambda: file.exists() and file.read_text() != "", "the work to begin")
    worker = int(file.read_text())
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert file.read_text() == "", "expected the work to be cancelled, too"
    assert await pool.run(assisting.pid) == worker


async def test_idle_processes_stop(pool: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(processes, "IDLE_SECONDS", 0.01)
        worker = await pool.run(assisting.pid)
    await _until(lambda: not _lives(worker), "the idle process to stop")
    assert await pool.run(assisting.pid) != worker


def test_processes_end_with_a_killed_parent() -> None:
    command = [sys.executable, "-m", "tests.scoring.assisting", "parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _lives(worker)
        parent.kill()
    asyncio.run(_until(lambda: not _lives(worker), "the process to end with its parent"))


async def test_an_early_end_cancels_the_work_in_progress(pool: Processes, scoring: Scoring, tmp_path: Path) -> None:
    file = tmp_path / "begun"

    async def works() -> AsyncGenerator[cores.Work[object], None]:
        yield assisting.pid
        yield partial(assisting.hang, file)
        yield assisting.pid
        yield assisting.pid

    results = Cores(scoring.cores.stores, pool).each(works())
    assert await anext(results)
    await _until(lambda: file.exists() and file.read_text() != "", "the work to begin")
    await results.aclose()
    assert file.read_text() == ""


async def test_processes_give_the_answers_of_this_process(
    scoring: Scoring, database_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "MIN_LEADS", 1)
    monkeypatch.setattr(scan, "PAGE_LEADS", 7)
    monkeypatch.setenv("LEADSCORE_MONGO_URI", database_uri)
    monkeypatch.setenv("LEADSCORE_REDIS_URL", redis_url)
    monkeypatch.setenv("LEADSCORE_PARTITIONS", "8")
    for number in range(40):
        events = [(f"{number}-{day}", f"lead{number:02}", "download", days_ago(day)) for day in range(30, 20, -2)]
        await scoring.put(*events, (f"{number}-c", f"lead{number:02}", "contract_signed", days_ago(30 - number % 9)))
    await scoring.drain_all()
    await scoring.database["leads"].update_one({"_id": "lead11"}, {"$inc": {"score": 1}})
    await scoring.database["leads"].delete_one({"_id": "lead12"})
    question = Question(frozenset({"contract_signed"}), frozenset(), (timedelta(days=7),), None, None)
    async with Processes((sys.executable, "-m", "scoring_service", "assist"), 2) as helpers:
        spread = Cores(scoring.cores.stores, helpers)
        for here, there in (
            (scoring.simulate.run(OTHER, question), Simulate(spread).run(OTHER, question)),
            (scoring.verification.run(), Verification(spread).run()),
            (scoring.verification.run(counts_only=True), Verification(spread).run(counts_only=True)),
            (scoring.rebuild.all(check_only=True), Rebuild(spread).all(check_only=True)),
        ):
            assert [each async for each in there] == [each async for each in here]
        assert [each async for each in Rebuild(spread).all(check_only=False)][-1].leads_changed == 2
        assert await scoring.verify() == []
        progress = [each async for each in replace(scoring.decay, cores=spread).run(NOW)]
        assert (progress[-1].leads_changed, progress[-1].done) == (40, True)
        assert [each async for each in Verification(spread).run()][-1].violations_total == 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends between the opening and the reading
        return False


async def _until(holds: Callable[[], bool], what: str) -> None:
    async def is_so() -> bool:
        return holds()

    await eventually(is_so, what=what)
