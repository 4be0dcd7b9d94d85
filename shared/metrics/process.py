"""What every process measures of itself, beside what `prometheus_client` does: CPU, memory, file descriptors."""

from prometheus_client import Gauge, Histogram

LOOP_LAG = Histogram(
    "leadscore_event_loop_lag_seconds",
    "By how much the event loop was late when it ran a timer, measured twice a second.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
SERVING = Gauge("leadscore_serving", "1 while a server or worker reports SERVING, else 0.", ["service"])
CERTIFICATE_EXPIRY = Gauge(
    "leadscore_certificate_expiry_timestamp_seconds",
    "When the certificate of this process expires, as a Unix time.",
    ["file"],
)
