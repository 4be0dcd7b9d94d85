"""What the gateway alone measures, named as OpenTelemetry's semantic conventions do."""

from prometheus_client import Histogram

REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "Duration of HTTP requests, by route and status.",
    ["http_route", "http_response_status_code"],
)
