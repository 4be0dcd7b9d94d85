"""The variables of OpenTelemetry that decide whether a process sends traces, and where.

Guarantee: a mistake in one that this project relies on is found at start. The library reads these and all others, such
as `OTEL_EXPORTER_OTLP_HEADERS`, by itself.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Either of these turns traces on."""
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
"""The first that is set counts."""
PROTOCOL = "http/protobuf"
SAMPLER = "OTEL_TRACES_SAMPLER"
SHARE = "OTEL_TRACES_SAMPLER_ARG"
SAMPLERS = ("always_on", "always_off", "traceidratio")
"""Each also exists as `parentbased_…`, which lets a caller's decision stand; `parentbased_always_on` is the default."""


def endpoint(environment: Mapping[str, str]) -> str:
    """Returns the variable that names the receiver of traces; an empty text if this process sends none."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_disabled or exporter != "otlp":
        return ""
    return next((name for name in ENDPOINTS if environment.get(name)), "")


def flaws(environment: Mapping[str, str]) -> Iterator[str]:
    """Yields a sentence for each mistake in these variables; none if this process sends no traces."""
    name = endpoint(environment)
    if not name:
        return
    if not _is_url(environment[name]):
        yield f"{name}: must be a URL of a collector, such as http://127.0.0.1:4318"
    chosen = next((each for each in PROTOCOLS if environment.get(each)), "")
    if chosen and environment[chosen] != PROTOCOL:
        yield f"{chosen}: is {environment[chosen]!r}, must be {PROTOCOL}, which collectors receive at port 4318"
    sampler = environment.get(SAMPLER) or SAMPLERS[0]
    if sampler.removeprefix("parentbased_") not in SAMPLERS:
        named = ", ".join([*SAMPLERS, *(f"parentbased_{each}" for each in SAMPLERS)])
        yield f"{SAMPLER}: is {sampler!r}, must be one of {named}"
    if sampler.endswith("traceidratio") and not _is_share(environment.get(SHARE) or "1"):
        yield f"{SHARE}: is {environment[SHARE]!r}, must be the share of traces to record, from 0 to 1"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
