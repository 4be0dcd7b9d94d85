"""The invariants of those who wait: I16 and I17, from the journal.

I16: whatever heavy work is on, bystanders (other leads of the same partition) are visible soon, and health answers.
I17: what waits is shown by an RPC, with its true age.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from chaos.journal import Backlog, Bystander, Health
from chaos.violation import Violation

FRESH_SECONDS = 5.0
"""Within this time each bystander must be visible.

The goal is 0.5 s for 99 of 100, which `make bench` measures. Rounds share two cores with all services, MongoDB and
their own clients, and a shared machine may be four times as slow for a while; what this guards against waits for 38 s.
"""
HEALTH_SECONDS = 3.0
"""The goal is 1 s, on a machine that does nothing else."""
VISIBLE_AGE = timedelta(seconds=30)
"""What has waited for longer must be shown. Rounds that look for less say so."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""How much younger the shown age may be than the true one."""


def bystanders(seen: Iterable[Bystander]) -> Iterator[Violation]:
    """Yields bystanders that waited for longer than they may (I16)."""
    for each in seen:
        if each.seconds > each.allowed:
            took = "was not" if each.is_lost else f"was after {each.seconds:.1f} s"
            what = f"bystander {each.lead_id!r} was to be {each.what} within {each.allowed:g} s and {took}"
            yield Violation("I16", f"{what}, in {each.during!r}")


def health(seen: Iterable[Health]) -> Iterator[Violation]:
    """Yields health checks that took longer than they may, or said that a server does not serve (I16)."""
    for each in seen:
        if not each.is_serving:
            yield Violation("I16", f"{each.server} did not say that it serves, in {each.during!r}")
        elif each.seconds > HEALTH_SECONDS:
            yield Violation("I16", f"a health check of {each.server} took {each.seconds:.1f} s, in {each.during!r}")


def backlogs(seen: Iterable[Backlog]) -> Iterator[Violation]:
    """Yields what has waited for long and was not shown, or was shown as younger than it is (I17)."""
    for each in seen:
        age = each.look_time - each.since
        if age < each.visible_age:
            continue
        waited = f"{each.what} {each.row_id!r} has waited for {age.total_seconds():.1f} s"
        if each.shown_since is None:
            yield Violation("I17", f"{waited} and is not shown")
        elif each.shown_since > each.since + CLOCKS_DIFFER:
            shown = (each.look_time - each.shown_since).total_seconds()
            yield Violation("I17", f"{waited} and is shown with an age of {shown:.1f} s")
