"""Checks how long work waits: I16 and I17, from the journal.

I16: during heavy work, bystanders (other leads of the same partition) become visible soon, and health checks succeed.
I17: an RPC reports waiting work with its true age.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from chaos.journal import Backlog, Bystander, Health
from chaos.violation import Violation

FRESH_SECONDS = 5.0
"""The time within which each bystander must be visible.

The goal is 0.5 s at the 99th percentile, which `make bench` measures. A round shares two cores with all services,
MongoDB and its own clients, and a shared machine can be four times slower for a while; the defect that this detects
makes bystanders wait 38 s.
"""
HEALTH_SECONDS = 3.0
"""The limit for a health check; the goal is 1 s on an otherwise idle machine."""
VISIBLE_AGE = timedelta(seconds=30)
"""Work that has waited for longer must be reported; a round can require it earlier."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""How much smaller than the true age the reported age can be."""


def bystanders(seen: Iterable[Bystander]) -> Iterator[Violation]:
    """Yields bystanders that waited for too long (I16)."""
    for each in seen:
        if each.seconds > each.allowed:
            took = f"not {each.what}" if each.is_lost else f"{each.what} after {each.seconds:.1f} s"
            what = f"bystander {each.lead_id!r} was {took}, {each.allowed:g} s are allowed"
            yield Violation("I16", f"{what}, in {each.during!r}")


def health(seen: Iterable[Health]) -> Iterator[Violation]:
    """Yields health checks that took too long, or reported that a server is not serving (I16)."""
    for each in seen:
        if not each.is_serving:
            yield Violation("I16", f"{each.server} was not SERVING, in {each.during!r}")
        elif each.seconds > HEALTH_SECONDS:
            yield Violation("I16", f"a health check of {each.server} took {each.seconds:.1f} s, in {each.during!r}")


def backlogs(seen: Iterable[Backlog]) -> Iterator[Violation]:
    """Yields work that waited for long and was not reported, or was reported with too small an age (I17)."""
    for each in seen:
        age = each.observe_time - each.since
        if age < each.visible_age:
            continue
        waited = f"{each.what} {each.row_id!r} has waited for {age.total_seconds():.1f} s"
        if each.shown_since is None:
            yield Violation("I17", f"{waited} and is not reported")
        elif each.shown_since > each.since + CLOCKS_DIFFER:
            shown = (each.observe_time - each.shown_since).total_seconds()
            yield Violation("I17", f"{waited} and is reported with an age of {shown:.1f} s")
