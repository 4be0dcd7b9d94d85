"""`python -m tests.e2e.crashing work`: an automation worker that kills itself, as `kill -9` would, at one point.

`CRASH_AT` names the point; the first time that it is reached is the last thing that the process does.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from automation_service import dispatch
from automation_service.__main__ import work
from automation_service.dispatch import Dispatcher
from automation_service.receivers import HttpReceivers
from automation_service.settings import AutomationSettings
from automation_service.store import MongoChanges, MongoDeliveries, MongoExecutions
from shared import logs
from shared.settings import load

POINTS: dict[str, tuple[type, str, bool]] = {
    "changes read": (MongoChanges, "pending", True),
    "in the transaction, before the executions are inserted": (MongoExecutions, "record", False),
    "in the transaction, after the executions are inserted": (MongoExecutions, "record", True),
    "before the commit": (MongoChanges, "mark", True),
    "after the commit, before the deliveries begin": (Dispatcher, "begin", False),
    "delivery claimed": (MongoDeliveries, "claim", True),
    "before the request": (HttpReceivers, "post", False),
    "after the receiver's 2xx, before the mark": (HttpReceivers, "post", True),
    "after the mark": (MongoDeliveries, "settle", True),
}
"""By name: the class, the method, and whether the process dies after the method has returned something, or before."""


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crashing(method: Callable[..., Awaitable[Any]], *, after: bool) -> Callable[..., Awaitable[Any]]:
    async def crashing(*arguments: Any, **named: Any) -> Any:
        if not after and any(arguments[1:]):  # nothing to record is no point of the way
            _crash()
        result = await method(*arguments, **named)
        # A poll that finds nothing is no point of the way.
        if after and result is not None and result != []:
            _crash()
        if after and method.__name__ in ("record", "mark") and arguments[1]:
            _crash()
        return result

    return crashing


def main() -> None:
    """Runs the worker."""
    kind, name, after = POINTS[os.environ["CRASH_AT"]]
    if name == "claim":
        # Only what finds no room at once is claimed later.
        Dispatcher.admit = lambda _, executions: list(executions)  # type: ignore[assignment, method-assign]
    # A claim that is left behind shall not hold the test up for long.
    dispatch.CLAIM = timedelta(seconds=3)
    setattr(kind, name, (lambda *_: _crash()) if name == "begin" else _crashing(getattr(kind, name), after=after))
    settings = load(AutomationSettings)
    logs.configure("automation_service", settings.log_level)
    work(settings)


if __name__ == "__main__":
    main()
