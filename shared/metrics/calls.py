"""What a server measures of its calls, named as OpenTelemetry's semantic conventions do."""

from collections.abc import Callable

from prometheus_client import Histogram

CALLS = Histogram(
    "rpc_server_call_duration_seconds",
    "Duration of gRPC calls, of streams too, by method and status code.",
    ["rpc_method", "rpc_response_status_code"],
)


def answered(method: str) -> Callable[[float], None]:
    """Returns what records the seconds that a call of a method took until it was answered with OK."""
    return CALLS.labels(_name(method), "OK").observe


def failed(method: str, code: str, seconds: float) -> None:
    """Records a call that ended with another code after so many seconds."""
    CALLS.labels(_name(method), code).observe(seconds)


def _name(method: str) -> str:
    """Returns a method as the conventions write it: without the first slash."""
    return method.removeprefix("/")
