"""Checks that nothing is stuck when quiesced (I13), as far as the database shows it, and that unique indexes exist."""

from collections.abc import Collection, Iterator, Sequence

from chaos.rows import UNIQUE, Document, Rows
from chaos.violation import Violation

_EVENT_STATES = {"pending", "scored", "parked", "discarded"}
_CHANGE_STATES = {"pending", "done", "parked", "discarded"}
_EXECUTION_STATES = {"recorded", "pending", "delivered", "failed", "cancelled"}


def in_database(
    rows: Rows,
    transactions: Sequence[Document],
    parked: Collection[str],
    discarded: Collection[str],
    *,
    is_live: bool,
) -> Iterator[Violation]:
    """Yields rows that are pending or in an unknown state, and transactions that were left open."""
    for each in rows.leads.values():
        yield from _inbox("event", each.events, _EVENT_STATES, parked, discarded)
        yield from _inbox("change", each.changes, _CHANGE_STATES, parked, discarded)
    for execution in rows.executions():
        if execution["state"] not in _EXECUTION_STATES:
            yield Violation("I13", f"execution {execution['_id']!r} is in the unknown state {execution['state']!r}")
        elif execution["state"] == "pending" and is_live:
            yield Violation("I13", f"execution {execution['_id']!r} is pending, although its receiver responds")
    for publication in rows.publications:
        if not publication["rolled_out"]:
            yield Violation("I13", f"publication {publication['_id']} is not rolled out")
    for operation in transactions:
        seconds = operation["transaction"]["timeOpenMicros"] / 1e6
        yield Violation(
            "I13", f"session {operation.get('lsid', {}).get('id')} has a transaction open for {seconds:.0f} s"
        )


def indexes(found: Collection[tuple[str, ...]]) -> Iterator[Violation]:
    """Yields missing unique indexes: duplicates could be inserted at any time."""
    for collection, *fields in sorted(UNIQUE - set(found)):
        invariant = "I5" if collection == "score_history" else "I8"
        yield Violation(invariant, f"{collection} has no unique index on {', '.join(fields)}")


def _inbox(
    what: str, rows: Sequence[Document], known: Collection[str], parked: Collection[str], discarded: Collection[str]
) -> Iterator[Violation]:
    for row in rows:
        if row["state"] not in known:
            yield Violation("I13", f"{what} {row['_id']!r} is in the unknown state {row['state']!r}")
        elif row["state"] == "pending":
            yield Violation("I13", f"{what} {row['_id']!r} is still pending")
        elif row["state"] == "parked" and row["_id"] not in parked:
            yield Violation("I13", f"{what} {row['_id']!r} is parked ({row.get('reason', 'no reason')}), unexpectedly")
        elif row["state"] == "discarded" and row["_id"] not in discarded:
            yield Violation("I13", f"{what} {row['_id']!r} is discarded, unexpectedly")
