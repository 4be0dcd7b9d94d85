"""Failures: what an attempt at one row alone says about the row.

Guarantee: an error of the environment (a database or service that is away, a conflict, an overload) says nothing, and
is never counted. A time-out of the row's own work is counted: the same work would time out again, for ever.
"""

from enum import Enum
from typing import NamedTuple

from shared.mongo import TransactionTimeout
from shared.rpc.errors import TooLarge, WorkTooLarge, is_too_large, is_transient

MAX_REASON = 300
"""Characters of a reason."""
_TOO_SLOW = (
    "its work did not end within the time of one transaction: raise LEADSCORE_TRANSACTION_SECONDS and retry it, or "
    "discard it"
)
_TOO_MANY_BYTES = (
    "it needs a document or transaction larger than MongoDB takes: make what is stored of its lead smaller and retry "
    "it, or discard it"
)


class ReasonCode(Enum):
    """Why a row was parked, for programs. The value is what is stored."""

    FAILED = "FAILED"
    """Every attempt at it raised an error."""
    WORKER_DIED = "WORKER_DIED"
    """Nobody has told how the last attempt ended: its worker died."""
    TOO_LARGE = "TOO_LARGE"
    """Its work does not fit into one transaction; the reason says what to do."""


class Failure(NamedTuple):
    """Why an attempt failed by the fault of its row; after a final one there is no further attempt."""

    code: ReasonCode
    reason: str
    is_final: bool = False


DIED = Failure(ReasonCode.WORKER_DIED, "its worker died while it was being drained")


def failure_of(error: BaseException) -> Failure | None:
    """Returns what an error of an attempt says about its row; None when it may be of the environment.

    A `TransactionTimeout` is taken to be of the row: whoever asks has found that the database answers.
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
