"""An error says whether its row is at fault, and why."""

import asyncio

import pytest
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from shared.inbox.failures import ReasonCode, failure_of
from shared.mongo import TransactionTimeout
from shared.rpc.errors import TooLarge


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError(), ReasonCode.FAILED),
        (TooLarge("planted"), ReasonCode.TOO_LARGE),
        (TransactionTimeout("planted", 50), ReasonCode.TOO_LARGE),
        (DocumentTooLarge("planted"), ReasonCode.TOO_LARGE),
        (OperationFailure("too large", 10334), ReasonCode.TOO_LARGE),
        (OperationFailure("too large for the cache", 257), ReasonCode.TOO_LARGE),
        (BulkWriteError({"writeErrors": [{"code": 17419}], "writeConcernErrors": []}), ReasonCode.TOO_LARGE),
        (ServerSelectionTimeoutError("planted"), None),
        (ExecutionTimeout("after conflicts", 50), None),
        (asyncio.CancelledError(), None),
    ],
    ids=repr,
)
def test_an_error_determines_the_reason_code(error: BaseException, code: ReasonCode | None) -> None:
    failure = failure_of(error)
    assert (failure and failure.code) == code
