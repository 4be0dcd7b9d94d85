"""`python -m tests.e2e.failing scoring work`: runs a service in which a part fails once the file `FAIL_FILE` exists.

`FAIL_HOW` is the kind of failure: `raise` ends a background task with an error, `block` blocks the event loop, `lane`
makes one drain lane wait forever.
"""

import asyncio
import os
import runpy
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from automation_service import app as automation
from scoring_service import app as scoring
from shared import tasks, watchdog
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer, sweep
from shared.inbox.doorbell import Doorbell


def is_to_fail() -> bool:
    """Returns whether the part must fail now."""
    return Path(os.environ["FAIL_FILE"]).exists()


async def fail(inbox: Inbox, doorbell: Doorbell, *, age: timedelta, every: float = 1.0) -> None:
    """Sweeps until it fails."""
    sweeping = asyncio.create_task(sweep(inbox, doorbell, age=age, every=every))
    while not is_to_fail():
        await asyncio.sleep(0.05)
    sweeping.cancel()
    if os.environ["FAIL_HOW"] == "block":
        time.sleep(600)  # noqa: ASYNC251 (that is the fault)
    raise ZeroDivisionError


async def wait_forever(drainer: Drainer) -> Sequence[int]:
    """Takes the next partitions, or waits forever if it must fail."""
    if is_to_fail():
        await asyncio.Event().wait()
    return await take_next(drainer)


take_next = Drainer._next


def main() -> None:
    """Runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    # So that a busy machine neither loses the line about the failure nor adds one about a slow stop.
    watchdog.LOG_SECONDS = tasks.STOP_SECONDS = 60.0
    if os.environ["FAIL_HOW"] == "lane":
        Drainer._next = wait_forever  # type: ignore[method-assign,assignment]
    else:
        scoring.sweep = automation.sweep = fail  # type: ignore[attr-defined]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
