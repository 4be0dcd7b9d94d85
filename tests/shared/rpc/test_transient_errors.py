"""Errors of the environment are transient; errors of the work are not."""

import grpc
import pytest
from grpc.aio import Metadata
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteError,
)

from shared.rpc.errors import is_transient


class _RpcError(grpc.aio.AioRpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code, Metadata(), Metadata(), "planted")


def labelled(label: str) -> PyMongoError:
    error = OperationFailure("planted", 112)
    error._add_error_label(label)
    return error


OF_THE_ENVIRONMENT = [
    AutoReconnect("planted"),
    PyMongoError("planted"),
    TimeoutError(),
    ConnectionResetError(),
    labelled("TransientTransactionError"),
    labelled("RetryableWriteError"),
    OperationFailure("not authorized", 13),
    OperationFailure("disk full", 14031),
    BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}),
    _RpcError(grpc.StatusCode.UNAVAILABLE),
    _RpcError(grpc.StatusCode.DEADLINE_EXCEEDED),
    _RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED),
    _RpcError(grpc.StatusCode.UNIMPLEMENTED),
]


OF_THE_WORK = [
    ValueError(),
    KeyError("field"),
    ZeroDivisionError(),
    RecursionError(),
    WriteError("planted", 2),
    DuplicateKeyError("planted", 11000),
    OperationFailure("too large", 10334),
    BulkWriteError({"writeErrors": [{"code": 2}], "writeConcernErrors": []}),
    _RpcError(grpc.StatusCode.INTERNAL),
    _RpcError(grpc.StatusCode.INVALID_ARGUMENT),
]


@pytest.mark.parametrize("error", OF_THE_ENVIRONMENT, ids=repr)
def test_errors_of_the_environment_are_transient(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", OF_THE_WORK, ids=repr)
def test_errors_of_the_work_are_not_transient(error: Exception) -> None:
    assert not is_transient(error)
