"""Exceptions become statuses, without any text that is not meant for callers."""

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from pymongo import errors as mongo_errors

from shared.rpc.errors import (
    ARGUMENTS,
    ErrorRow,
    ErrorTable,
    InvalidArgument,
    InvalidPageToken,
    Overloaded,
    retry_seconds_of,
    status_of,
)

PRIVATE = "mongodb://user:hunter2@db"


class Missing(Exception):
    """An error of a domain."""


class LongGone(Missing):
    """A kind of it that has no row of its own."""


class Unforeseen(Exception):
    """An error that no table knows."""


class Labelled(mongo_errors.PyMongoError):
    """A database error with the labels that the server gives."""

    def __init__(self, *labels: str) -> None:
        super().__init__(PRIVATE, error_labels=labels)


TABLE: ErrorTable = {**ARGUMENTS, Missing: ErrorRow(grpc.StatusCode.NOT_FOUND, "THING_NOT_FOUND")}


def code_of(status: status_pb2.Status) -> str:
    return str(code_pb2.Code.Name(status.code))


def details(status: status_pb2.Status) -> tuple[str, str, list[tuple[str, str]]]:
    """Returns the reason, the domain and the violations that a status names."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        assert detail.Unpack(info) or detail.Unpack(bad_request), f"unexpected detail {detail.type_url}"
    return info.reason, info.domain, [(each.field, each.description) for each in bad_request.field_violations]


def rpc_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=PRIVATE)


def test_a_row_of_the_error_table_gives_code_reason_and_text() -> None:
    status = status_of(Missing("there is no thing 7"), TABLE)
    assert (code_of(status), status.message) == ("NOT_FOUND", "there is no thing 7")
    assert details(status) == ("THING_NOT_FOUND", "leadscore", [])


def test_an_error_without_a_row_uses_the_row_of_its_parent_class() -> None:
    assert details(status_of(LongGone("gone"), TABLE))[0] == "THING_NOT_FOUND"


@pytest.mark.parametrize(
    ("error", "reason", "field"),
    [
        (InvalidArgument("lead_id", "is empty"), "ARGUMENT_INVALID", "lead_id"),
        (InvalidPageToken(), "PAGE_TOKEN_INVALID", "page_token"),
    ],
)
def test_a_refused_argument_names_its_field(error: InvalidArgument, reason: str, field: str) -> None:
    status = status_of(error, TABLE)
    assert code_of(status) == "INVALID_ARGUMENT"
    assert details(status) == (reason, "leadscore", [(field, str(error))])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(PRIVATE), "DEADLINE_EXCEEDED"),
        (mongo_errors.ExecutionTimeout(PRIVATE, 50), "DEADLINE_EXCEEDED"),
        (mongo_errors.WTimeoutError(PRIVATE, 64), "DEADLINE_EXCEEDED"),
        (mongo_errors.ServerSelectionTimeoutError(PRIVATE), "UNAVAILABLE"),
        pytest.param(mongo_errors.NetworkTimeout(PRIVATE), "DEADLINE_EXCEEDED"),
        (mongo_errors.NotPrimaryError(PRIVATE), "UNAVAILABLE"),
        (mongo_errors.WaitQueueTimeoutError(PRIVATE), "UNAVAILABLE"),
        (mongo_errors.InvalidOperation(PRIVATE), "UNAVAILABLE"),
        (Labelled("RetryableWriteError"), "UNAVAILABLE"),
        (Labelled("TransientTransactionError"), "ABORTED"),
        (Labelled("RetryableWriteError", "TransientTransactionError"), "UNAVAILABLE"),
        (Labelled(), "INTERNAL"),
        (mongo_errors.OperationFailure(PRIVATE, 13), "INTERNAL"),
        (Labelled("UnknownTransactionCommitResult"), "UNAVAILABLE"),
        (mongo_errors.WriteConcernError(PRIVATE, 91), "UNAVAILABLE"),
        (mongo_errors.BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91}]}), "UNAVAILABLE"),
        (mongo_errors.BulkWriteError({"writeErrors": [{"code": 2}], "writeConcernErrors": []}), "INTERNAL"),
        (mongo_errors.CursorNotFound(PRIVATE, 43), "UNAVAILABLE"),
        (mongo_errors.OperationFailure(PRIVATE, 246), "UNAVAILABLE"),
        (mongo_errors.DuplicateKeyError(PRIVATE, 11000), "INTERNAL"),
        (rpc_error(grpc.StatusCode.UNAVAILABLE), "UNAVAILABLE"),
        (rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED"),
        (rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED"),
        (rpc_error(grpc.StatusCode.ABORTED), "ABORTED"),
        (rpc_error(grpc.StatusCode.NOT_FOUND), "INTERNAL"),
        (rpc_error(grpc.StatusCode.UNKNOWN), "INTERNAL"),
        (rpc_error(grpc.StatusCode.CANCELLED), "UNAVAILABLE"),
        (Unforeseen(PRIVATE), "INTERNAL"),
        (ValueError(PRIVATE), "INTERNAL"),
        (KeyError(PRIVATE), "INTERNAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_text_of_an_unexpected_error_is_never_sent(error: Exception, code: str) -> None:
    status = status_of(error, TABLE)
    assert code_of(status) == code
    assert status.message, "a sentence of ours is expected"
    assert b"hunter2" not in status.SerializeToString()
    assert details(status) == ("", "", [])


def test_a_forwarded_refusal_keeps_its_retry_delay() -> None:
    refused = rpc_status.to_status(status_of(Overloaded(2.5), TABLE))
    metadata = grpc.aio.Metadata(*refused.trailing_metadata)
    error = grpc.aio.AioRpcError(refused.code, grpc.aio.Metadata(), metadata, details=refused.details)
    passed_on = status_of(error, TABLE)
    assert code_of(passed_on) == "RESOURCE_EXHAUSTED"
    assert retry_seconds_of(error) == 2.5
    info = error_details_pb2.RetryInfo()
    assert [detail.Unpack(info) for detail in passed_on.details] == [True]
    assert info.retry_delay.ToTimedelta().total_seconds() == 2.5


def test_the_field_of_an_unexpected_error_is_never_sent() -> None:
    error = Unforeseen(PRIVATE)
    error.field = PRIVATE  # type: ignore[attr-defined]
    assert b"hunter2" not in status_of(error, TABLE).SerializeToString()


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_status_code_of_another_service_is_translated(code: grpc.StatusCode) -> None:
    allowed = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL"}
    assert code_of(status_of(rpc_error(code), TABLE)) in allowed
