"""Corruptions of what clients observed: shown entries, answers, waiting times, health, backlogs."""

from datetime import UTC, datetime, timedelta

import grpc

from chaos.corruptions.snapshot import Snapshot
from chaos.journal import Backlog, Bystander, FinishedCall, Health


def a_shown_entry_is_gone(snapshot: Snapshot) -> str:
    snapshot.journal.shown["ada", 10_000] = {"score_after": 1}
    return "entry 10000 of lead 'ada'"


def a_shown_entry_has_another_score(snapshot: Snapshot) -> str:
    snapshot.journal.shown["ada", 1]["score_after"] += 1
    return "entry 1 of lead 'ada'"


def a_shown_entry_is_another_one(snapshot: Snapshot) -> str:
    """Alters the record time only, as if the entry was lost with its primary and written again."""
    snapshot.journal.shown["ada", 1]["record_time"] -= timedelta(milliseconds=1)
    return "entry 1 of lead 'ada'"


def a_call_was_refused_without_reason(snapshot: Snapshot) -> str:
    snapshot.journal.calls.append(FinishedCall("IngestEvent", grpc.StatusCode.UNAVAILABLE, 0.1, 1.0, under_fault=False))
    return "UNAVAILABLE"


def a_call_ended_with_internal(snapshot: Snapshot) -> str:
    snapshot.journal.calls.append(FinishedCall("IngestEvent", grpc.StatusCode.INTERNAL, 0.1, 1.0, under_fault=True))
    return "INTERNAL"


def a_call_outlasted_its_deadline(snapshot: Snapshot) -> str:
    snapshot.journal.calls.append(
        FinishedCall("GetLeadScore", grpc.StatusCode.DEADLINE_EXCEEDED, 1.6, 1.0, under_fault=True)
    )
    return "GetLeadScore"


def a_bystander_was_late(snapshot: Snapshot) -> str:
    snapshot.journal.bystanders.append(Bystander("near", "visible", seconds=2.1, allowed=2.0, during="heavy"))
    return "'near'"


def a_bystander_was_never_seen(snapshot: Snapshot) -> str:
    snapshot.journal.bystanders.append(Bystander("near", "delivered", 30.0, 5.0, "heavy", is_lost=True))
    return "'near'"


def health_was_slow(snapshot: Snapshot) -> str:
    snapshot.journal.health.append(Health("scoring", seconds=3.1, is_serving=True, during="heavy"))
    return "scoring"


def health_was_not_serving(snapshot: Snapshot) -> str:
    snapshot.journal.health.append(Health("scoring", seconds=0.1, is_serving=False, during="heavy"))
    return "scoring"


LOOK = datetime(2026, 3, 20, 12, tzinfo=UTC)


def _waited(shown_since: datetime | None) -> Backlog:
    return Backlog("event", "e4", LOOK - timedelta(seconds=40), shown_since, LOOK, timedelta(seconds=30))


def a_pending_event_was_not_reported(snapshot: Snapshot) -> str:
    snapshot.journal.backlogs.append(_waited(None))
    return "'e4'"


def a_pending_event_was_reported_as_younger(snapshot: Snapshot) -> str:
    """Acts like a backlog whose age restarts with each attempt."""
    snapshot.journal.backlogs.append(_waited(LOOK - timedelta(seconds=8)))
    return "'e4'"
