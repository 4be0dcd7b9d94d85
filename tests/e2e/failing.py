"""`python -m tests.e2e.failing scoring work`: a service a part of which fails once the file `FAIL_FILE` is there.

`FAIL_HOW` says how: `raise` ends a background task by an error, `block` holds up the event loop, `lane` lets one drain
lane wait for ever.
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
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer, sweep
from shared.inbox.doorbell import Doorbell


def is_to_fail() -> bool:
    """Tells whether the time has come."""
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


async def wait_for_ever(drainer: Drainer) -> Sequence[int]:
    """Takes the next partitions, and never comes back once it is to fail."""
    if is_to_fail():
        await asyncio.Event().wait()
    return await take_next(drainer)


take_next = Drainer._next


def main() -> None:
    """Runs the service that the command line names."""
    service = f"{sys.argv.pop(1)}_service"
    if os.environ["FAIL_HOW"] == "lane":
        Drainer._next = wait_for_ever  # type: ignore[method-assign,assignment]
    else:
        scoring.sweep = automation.sweep = fail  # type: ignore[attr-defined]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
