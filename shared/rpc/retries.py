"""When a caller that was refused should try again."""

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def retry_seconds(error: grpc.RpcError) -> float | None:
    """Returns the seconds after which the server asks for a retry; None if it does not say."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
