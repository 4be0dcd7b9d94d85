"""Which errors are retried, and after how long."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from leadscore.client import RetryPolicy
from leadscore.client.errors import DETAILS_KEY, Unavailable, from_rpc_error
from leadscore.client.retry import Attempts, pause_after

POLICY = RetryPolicy(total_seconds=30, initial_backoff=0.2, max_backoff=5)


def failed_call(code: grpc.StatusCode, retry_delay: int | None = None, details: str = "") -> grpc.RpcError:
    metadata = grpc.aio.Metadata()
    if retry_delay is not None:
        detail = Any()
        detail.Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=retry_delay)))
        metadata = grpc.aio.Metadata((DETAILS_KEY, status_pb2.Status(details=[detail]).SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details)


@pytest.mark.parametrize("name", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED", "UNKNOWN"])
def test_calls_with_an_unknown_outcome_are_retried(name: str) -> None:
    assert pause_after(failed_call(grpc.StatusCode[name]), POLICY, 0) is not None


def test_a_call_that_a_proxy_cuts_is_retried() -> None:
    cut = failed_call(grpc.StatusCode.INTERNAL, details="Received RST_STREAM with error code 2")
    assert pause_after(cut, POLICY, 0) is not None
    assert isinstance(from_rpc_error(cut), Unavailable)


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "ALREADY_EXISTS", "NOT_FOUND", "INTERNAL", "RESOURCE_EXHAUSTED"])
def test_other_errors_are_final(name: str) -> None:
    assert pause_after(failed_call(grpc.StatusCode[name]), POLICY, 0) is None


@pytest.mark.parametrize(("failed", "longest"), [(0, 0.2), (1, 0.4), (4, 3.2), (5, 5.0), (1000, 5.0)])
def test_the_back_off_doubles_up_to_its_limit(failed: int, longest: float) -> None:
    pause = pause_after(failed_call(grpc.StatusCode.UNAVAILABLE), POLICY, failed)
    assert pause is not None
    assert longest / 2 <= pause <= longest


def test_the_delay_that_the_server_asks_for_is_kept() -> None:
    pause = pause_after(failed_call(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_delay=7), POLICY, 0)
    assert pause is not None
    assert 7 <= pause <= 7.7


def test_a_call_is_not_retried_beyond_its_total() -> None:
    assert Attempts(POLICY).pause_after(failed_call(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_delay=60)) is None
    assert Attempts(RetryPolicy(total_seconds=0)).pause_after(failed_call(grpc.StatusCode.UNAVAILABLE)) is None
    assert Attempts(POLICY).deadline() == POLICY.attempt_seconds
