"""Corruptions of accepted events and of their rows in the inbox."""

import copy

from chaos.corruptions.snapshot import Snapshot


def an_acknowledged_event_is_lost(snapshot: Snapshot) -> str:
    snapshot.drop("events", snapshot.of("events", _id="e0"))
    snapshot.drop("score_history", snapshot.of("score_history", _id="e0"))
    return "'e0'"


def an_event_was_never_sent(snapshot: Snapshot) -> str:
    del snapshot.journal.sent["e0"]
    return "'e0'"


def an_event_has_another_payload(snapshot: Snapshot) -> str:
    snapshot.of("events", _id="e4")["source"] = "elsewhere"
    return "'e4'"


def a_boolean_became_a_number(snapshot: Snapshot) -> str:
    snapshot.journal.sent["e4"].properties["phone"] = True
    snapshot.of("score_history", _id="e4")["properties"]["phone"] = 1.0
    return "'e4'"


def a_refused_payload_changed_the_event(snapshot: Snapshot) -> str:
    snapshot.journal.refused.add("e4")
    return an_event_has_another_payload(snapshot)


def a_conflict_was_accepted(snapshot: Snapshot) -> str:
    snapshot.journal.wrongly_accepted.append("event 'e4' with another payload was called DUPLICATE")
    return "'e4'"


def an_unscored_event_is_marked_scored(snapshot: Snapshot) -> str:
    snapshot.journal.sent["unscored"] = copy.deepcopy(snapshot.journal.sent["e0"])
    snapshot.add("events", snapshot.of("events", _id="e0"), _id="unscored")
    return "'unscored'"


def a_scored_event_is_marked_pending(snapshot: Snapshot) -> str:
    snapshot.of("events", _id="e4")["state"] = "pending"
    return "'e4'"


def a_scored_event_is_marked_parked(snapshot: Snapshot) -> str:
    snapshot.of("events", _id="e4")["state"] = "parked"
    return "'e4'"
