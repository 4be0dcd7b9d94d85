"""Crash points: named points on the path of an event, or of an erasure, at which a process dies as by `kill -9`.

The product contains none of them: `chaos.armed` patches the methods below in its own process. `CRASH_AT` names the
point, `CRASH_PASS` the fatal pass (default 1), and `CRASH_RECORD` a file to which the name of the point is appended
just before the process dies.
"""

import functools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.pool import AsyncConnection

from admin_service.store.erasures import MongoErasures
from admin_service.store.leads import LeadMover
from admin_service.store.traces import Traces
from automation_service.delivery.dispatcher import Dispatcher
from automation_service.delivery.receivers import HttpReceivers
from automation_service.store.changes import MongoChanges
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import MongoExecutions
from ingest_service.store import MongoEventStore
from scoring_service.store.writes import LeadWriter
from shared.inbox.doorbell import Doorbell

AT, PASS, RECORD = "CRASH_AT", "CRASH_PASS", "CRASH_RECORD"
REPLY_SECONDS = 0.05
"""How long the server gets to execute a sent command before the process dies."""

Passes = Callable[[tuple[Any, ...], Any], bool]
"""`passes(arguments, result)`: whether a call passes the point; `result` is None before the method has run."""
Method = Callable[..., Any]


def _asked(arguments: tuple[Any, ...], _: Any) -> bool:
    # Recording nothing does not count.
    return any(arguments[1:])


@dataclass(frozen=True, slots=True)
class Point:
    """A crash point: the process, the method, and whether the process dies before or after the method runs."""

    process: str
    kind: type
    method: str
    after: bool = False
    passes: Passes = _asked
    needs_claim: bool = False
    """Whether deliveries must be claimed later, as happens when there are no free slots when they are recorded."""


def _into(collection: str) -> Passes:
    return lambda arguments, _: bool(arguments[0].name == collection)


def _found(_: tuple[Any, ...], result: Any) -> bool:
    # A poll that finds nothing does not count.
    return bool(result)


def _worked(_: tuple[Any, ...], result: Any) -> bool:
    """Returns whether a transaction did any work: of a drain, or of a page of decay or of a rollout."""
    if isinstance(result, list):
        return bool(result)
    return bool(getattr(result, "scored", 0) or getattr(result, "updates", ()))


def _sends_a_commit(arguments: tuple[Any, ...], _: Any) -> bool:
    return bool(b"commitTransaction" in arguments[1])


def _always(_: tuple[Any, ...], __: Any) -> bool:
    return True


POINTS: Mapping[str, Point] = {
    "ingest: before the insert": Point("ingest", MongoEventStore, "put"),
    "ingest: after the insert before the acknowledgement": Point("ingest", MongoEventStore, "put", after=True),
    "ingest: before the doorbell": Point("ingest", Doorbell, "_send"),
    "scoring: before the history insert": Point(
        "scoring-worker", AsyncCollection, "insert_many", passes=_into("score_history")
    ),
    "scoring: after the history insert": Point(
        "scoring-worker", AsyncCollection, "insert_many", after=True, passes=_into("score_history")
    ),
    "scoring: before the commit": Point("scoring-worker", LeadWriter, "append", after=True),
    "scoring: commit sent reply unread": Point(
        "scoring-worker", AsyncConnection, "send_message", after=True, passes=_sends_a_commit
    ),
    "scoring: after the commit before the doorbell": Point(
        "scoring-worker", LeadWriter, "transact", after=True, passes=_worked
    ),
    "scoring: before the lease is released": Point("scoring-worker", Doorbell, "_give_back"),
    "decay: half-way through a page": Point("scoring", LeadWriter, "append", after=True),
    "decay: between two pages": Point("scoring", LeadWriter, "transact", after=True, passes=_worked),
    "automation: changes read": Point("automation-worker", MongoChanges, "pending", after=True, passes=_found),
    "automation: before the execution insert": Point("automation-worker", MongoExecutions, "record"),
    "automation: after the execution insert in the transaction": Point(
        "automation-worker", MongoExecutions, "record", after=True
    ),
    "automation: before the commit": Point("automation-worker", MongoChanges, "mark", after=True),
    "automation: commit sent reply unread": Point(
        "automation-worker", AsyncConnection, "send_message", after=True, passes=_sends_a_commit
    ),
    "automation: after the commit before the deliveries begin": Point(
        "automation-worker", Dispatcher, "begin", passes=_always
    ),
    "automation: before the lease is released": Point("automation-worker", Doorbell, "_give_back"),
    "automation: delivery claimed": Point(
        "automation-worker", MongoDeliveries, "claim", after=True, passes=_found, needs_claim=True
    ),
    "automation: after the execution insert before the delivery": Point("automation-worker", HttpReceivers, "post"),
    "automation: after the receiver's 2xx before the mark": Point(
        "automation-worker", HttpReceivers, "post", after=True, passes=lambda _, answer: answer.status == 200
    ),
    "automation: after the mark": Point("automation-worker", MongoDeliveries, "settle", after=True),
    "erasure: before it is recorded": Point("admin", MongoErasures, "insert"),
    "erasure: before the history moves": Point("admin", LeadMover, "move"),
    "erasure: before the commit": Point("admin", LeadMover, "_write", after=True),
    "erasure: commit sent reply unread": Point(
        "admin", AsyncConnection, "send_message", after=True, passes=_sends_a_commit
    ),
    "erasure: after the history has moved": Point("admin", LeadMover, "move", after=True),
    "erasure: before the executions are erased": Point("admin", Traces, "erase_executions"),
    "erasure: after the executions are erased": Point("admin", Traces, "erase_executions", after=True),
}
"""All points by name. The server keeps the locks of a point inside a transaction for a while after the crash."""


def arm(environment: Mapping[str, str]) -> None:
    """Makes this process die at the point that the environment names, if any."""
    if AT not in environment:
        return
    point = POINTS[environment[AT]]
    fatal = _Fatal(environment[AT], int(environment.get(PASS, "1")), environment.get(RECORD))
    if point.needs_claim:
        _patch(Dispatcher, "admit", lambda _, executions: list(executions))
    method = getattr(point.kind, point.method)
    _patch(point.kind, point.method, _crashing(method, point, fatal))


def recorded(record: Path) -> Counter[str]:
    """Returns how often each point has fired, according to the file `CRASH_RECORD`."""
    return Counter(record.read_text().splitlines() if record.exists() else ())


class _Fatal:
    """Counts the passes of a point and kills the process at the fatal one."""

    def __init__(self, name: str, count: int, record: str | None) -> None:
        self._name = name
        self._left = count
        self._record = Path(record) if record else None
        self._lock = threading.Lock()

    def passed(self) -> None:
        # Several threads can pass a point, but it must fire once: at the fatal pass the lock is never released.
        self._lock.acquire()
        self._left -= 1
        if self._left > 0:
            self._lock.release()
            return
        if self._record:
            with self._record.open("a") as record:
                record.write(f"{self._name}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _patch(kind: type, name: str, method: Method) -> None:
    setattr(kind, name, method)


def _crashing(method: Method, point: Point, fatal: _Fatal) -> Method:
    def before(arguments: tuple[Any, ...]) -> None:
        if not point.after and point.passes(arguments, None):
            fatal.passed()

    def after(arguments: tuple[Any, ...], result: Any) -> None:
        if point.after and point.passes(arguments, result):
            if point.passes is _sends_a_commit:
                time.sleep(REPLY_SECONDS)
            fatal.passed()

    async def finish(arguments: tuple[Any, ...], answer: Awaitable[Any]) -> Any:
        result = await answer
        after(arguments, result)
        return result

    @functools.wraps(method)
    def crashing(*arguments: Any, **named: Any) -> Any:
        before(arguments)
        answer = method(*arguments, **named)
        return finish(arguments, answer) if isinstance(answer, Awaitable) else answer

    return crashing
