"""Work for child processes in tests. As a program, it is such a process, and `parent` is one that has them."""

import asyncio
import os
import sys
from pathlib import Path

from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.usecases.processes import Processes, work_for_parent

COMMAND = (sys.executable, "-m", "tests.scoring.assisting")


async def pid(_: object) -> int:
    """Returns the id of the process."""
    return os.getpid()


async def resources(given: object) -> object:
    """Returns the resources of the process."""
    print("this must not be taken for a result")  # noqa: T201
    return given


async def fail(_: object) -> None:
    """Fails with an error whose constructor takes two arguments."""
    raise HistoryInconsistent("ada", "two entries have sequence 3")


async def end_process(_: object) -> None:
    """Ends the process as a crash would."""
    os._exit(1)


async def hang(begun: Path, _: object) -> None:
    """Writes the id of the process to a file, and empties the file when it is cancelled."""
    begun.write_text(str(os.getpid()))  # noqa: ASYNC240 (a few bytes)
    try:
        await asyncio.Event().wait()
    finally:
        begun.write_text("")  # noqa: ASYNC240


async def _parent() -> None:
    async with Processes(COMMAND, 1) as processes:
        print(await processes.run(pid), flush=True)  # noqa: T201 (the test reads it)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_parent() if sys.argv[1:] == ["parent"] else work_for_parent("the resources"))
