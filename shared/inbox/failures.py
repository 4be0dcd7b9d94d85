"""Classifies the failure of an isolated attempt: the fault of the row, or of the environment.

Guarantee: an environment error (an unavailable database or service, a conflict, an overload) is never counted. A
time-out of the work of the row is counted, because the same work would always time out again.
"""

from enum import Enum
from typing import NamedTuple

from shared.mongo import TransactionTimeout
from shared.rpc.errors import TooLarge, WorkTooLarge, is_too_large, is_transient

MAX_REASON = 300
"""Longest reason, in characters."""
_TOO_SLOW = (
    "its work did not end within the time of one transaction: raise LEADSCORE_TRANSACTION_SECONDS and retry it, or "
    "discard it"
)
_TOO_MANY_BYTES = (
    "it needs a document or transaction larger than MongoDB takes: make what is stored of its lead smaller and retry "
    "it, or discard it"
)


class ReasonCode(Enum):
    """Why a row was parked, for programs. The values are stored in the database."""

    FAILED = "FAILED"
    """Every attempt raised an error."""
    WORKER_DIED = "WORKER_DIED"
    """The worker died during the last attempt."""
    TOO_LARGE = "TOO_LARGE"
    """Its work does not fit into one transaction; the reason says what to do."""


class Failure(NamedTuple):
    """Why an attempt failed through the fault of its row. After a final failure there is no further attempt."""

    code: ReasonCode
    reason: str
    is_final: bool = False


DIED = Failure(ReasonCode.WORKER_DIED, "its worker died while it was being drained")


def failure_of(error: BaseException) -> Failure | None:
    """Returns the failure that an error means for its row; None if the environment may have caused it.

    A `TransactionTimeout` counts as a failure of the row: the caller has checked that the database answers.
    """
    if isinstance(error, TooLarge):
        return Failure(ReasonCode.TOO_LARGE, _cut(str(error)), is_final=True)
    if isinstance(error, WorkTooLarge):
        return Failure(ReasonCode.TOO_LARGE, _cut(str(error)))
    if isinstance(error, TransactionTimeout):
        return Failure(ReasonCode.TOO_LARGE, _TOO_SLOW)
    if not isinstance(error, Exception) or is_transient(error):
        return None
    if is_too_large(error):
        return Failure(ReasonCode.TOO_LARGE, _TOO_MANY_BYTES)
    return Failure(ReasonCode.FAILED, _cut(f"{type(error).__name__}: {error}"))


def _cut(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
