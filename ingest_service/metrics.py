"""What the ingest service alone measures."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from ingest_service.domain.backlog import RetryLater
from ingest_service.domain.erasure import LeadBeingErased
from ingest_service.ports import PutOutcome, PutResult

EVENTS = Counter(
    "leadscore_ingest_events",
    "Events that were sent, by outcome. Those of calls that failed as a whole are not among them.",
    ["outcome"],
)
REFUSED_LEADS = Gauge(
    "leadscore_ingest_refused_leads", "Leads whose events are refused at the moment, because they are too far behind."
)
REFUSED_PARTITIONS = Gauge(
    "leadscore_ingest_refused_partitions",
    "Partitions whose events are refused at the moment, because they are too far behind.",
)
# Found once: a look-up costs more than the count.
_ACCEPTED, _DUPLICATE, _REJECTED, _RETRY_LATER = (
    EVENTS.labels(outcome).inc for outcome in ("accepted", "duplicate", "rejected", "retry_later")
)


def count(results: Sequence[PutOutcome], refusals: Sequence[Exception] = ()) -> None:
    """Counts the events of a call: the results of those that the store was given, and why the others were refused."""
    accepted, duplicates = results.count(PutResult.NEW), results.count(PutResult.DUPLICATE)
    _ACCEPTED(accepted)
    if duplicates:
        _DUPLICATE(duplicates)
    if accepted + duplicates < len(results) or refusals:
        later = sum(isinstance(each, RetryLater | LeadBeingErased) for each in refusals)
        _RETRY_LATER(later)
        _REJECTED(len(results) - accepted - duplicates + len(refusals) - later)
