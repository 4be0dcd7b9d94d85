"""What every field of every collection says about a person, and so what becomes of it when a lead is erased.

Guarantee: a test fails for a field that the services write and that has no class here. A field that is unknown anyway,
because a newer program wrote it, is removed with the lead.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

Fields = Mapping[str, "Class"]
"""The classes of the fields of a collection by path, such as `deliveries.body`; a class covers all fields below it."""


class Class(Enum):
    """What a field says about a person, and what an erasure makes of it."""

    LEAD = "the id of a lead; becomes the pseudonym"
    EVENT = "the id of an event, of an entry, or of what else a caller has named; becomes a digest"
    DERIVED = "an id that is made from the id of the lead; is made again from the pseudonym"
    EMPTIED = "about the lead, and every row has it; becomes empty"
    REMOVED = "about the lead, and not every row has it; is removed"
    KEPT = "a number, a time, a state, or a name from a model or a rule; is kept"
    OPERATOR = "by or about somebody who runs the system; is kept"


_LEAD, _EVENT, _DERIVED = Class.LEAD, Class.EVENT, Class.DERIVED
_EMPTIED, _REMOVED, _KEPT, _OPERATOR = Class.EMPTIED, Class.REMOVED, Class.KEPT, Class.OPERATOR


def _kept(*names: str) -> dict[str, Class]:
    return dict.fromkeys(names, _KEPT)


_INBOX = {
    **_kept("partition", "state", "accept_time", "attempts", "retry_time", "reason_code", "park_time", "discard_time"),
    "reason": _REMOVED,
    "discard_reason": _REMOVED,
    "discard_actor": _OPERATOR,
}
_STATE = {
    **_kept("partition", "score", "score_at_last_fact", "fact_count", "event_count", "first_event_time"),
    **_kept("last_event_time", "last_fact_time", "decayed_through", "deferred_ticks", "last_event_historical"),
    **_kept("contributions", "usage", "group_points", "attributes_size", "attributes_left_out"),
    "last_fact_id": _EVENT,
    "attributes": _EMPTIED,
}
COLLECTIONS: Mapping[str, Fields] = {
    "events": {
        **_INBOX,
        "_id": _EVENT,
        "lead_id": _LEAD,
        **_kept("schema_version", "event_type", "event_time", "historical", "sent_time", "original_event_time"),
        "source": _EMPTIED,
        "digest": _EMPTIED,
        **dict.fromkeys(("properties", "shortened", "traceparent"), _REMOVED),
    },
    "event_ids": {"_id": _EVENT, **_kept("partition")},
    "leads": {**_STATE, "_id": _LEAD, **_kept("sequence", "publication")},
    "checkpoints": {**_STATE, "_id": _DERIVED, "lead_id": _LEAD},
    "score_history": {
        "_id": _EVENT,
        "lead_id": _LEAD,
        **_kept("partition", "sequence", "kind", "event_type", "rule_id", "model_version", "points", "delta", "target"),
        **_kept("score_before", "score_after", "stage_before", "stage_after", "event_time", "record_time"),
        **_kept("historical", "verdicts", "first_tick", "last_tick", "tick_count"),
        "properties": _REMOVED,
        "reason": _EMPTIED,
        "actor": _OPERATOR,
    },
    "score_changes": {
        **_INBOX,
        **_kept("_id", "schema_version", "date_bucket", "record_time", "count", "divided", "expire_time"),
        "changes.lead_id": _LEAD,
        **_kept("changes.sequence", "changes.score_before", "changes.score_after", "changes.stage_before"),
        **_kept("changes.stage_after", "changes.scores", "changes.stages", "changes.event_types", "changes.kinds"),
        **_kept("changes.last_event_time", "changes.inactive_days"),
        "changes.transitions": _EMPTIED,
    },
    "automation_executions": {
        "_id": _DERIVED,
        "lead_id": _LEAD,
        "event_id": _EVENT,
        "event.event_id": _EVENT,
        **_kept("event.event_type", "partition", "rule_id", "date_bucket", "state", "change_sequence", "score"),
        **_kept("stage_before", "stage_after", "velocity", "risk", "next_action", "last_event_time", "record_time"),
        "why": _EMPTIED,
        "traceparent": _REMOVED,
        "deliveries.delivery_id": _DERIVED,
        **_kept("deliveries.action_id", "deliveries.receiver", "deliveries.state", "deliveries.due_time"),
        **_kept("deliveries.tries", "deliveries.refusals", "deliveries.lease"),
        "deliveries.endpoint": _OPERATOR,
        "deliveries.body": _EMPTIED,
        "deliveries.recipients": _EMPTIED,
        **_kept("deliveries.attempts.attempt_time", "deliveries.attempts.milliseconds", "deliveries.attempts.status"),
        "deliveries.attempts.error": _EMPTIED,
        "deliveries.attempts.answer": _EMPTIED,
    },
    "automation_searches": {**_kept("_id", "date_bucket", "begin_time", "since", "is_done"), "token": _EMPTIED},
    "automation_holds": {**_kept("_id", "hold_time"), "reason": _OPERATOR, "actor": _OPERATOR},
    "audit_log": {
        **_kept("_id", "at", "key_id", "service", "method", "outcome"),
        "actor": _OPERATOR,
        "address": _OPERATOR,
        "object": _EMPTIED,
    },
}
"""The collections that say something about leads."""

OTHERS: Mapping[str, Fields] = {
    "scoring_models": {**_kept("_id", "create_time"), "model": _OPERATOR},
    "model_publications": {
        **_kept("_id", "version", "base_version", "mode", "publish_time", "engine", "quiet", "rolled_out", "reached"),
        "actor": _OPERATOR,
        "note": _OPERATOR,
    },
    "scoring_partitions": {
        **_kept("_id", "transactions", "through", "time_zone", "publication"),
        "reset_reason": _OPERATOR,
        "reset_actor": _OPERATOR,
    },
    "scoring_locks": _kept("_id", "partition", "transactions"),
    "automation_partitions": _kept("_id", "transactions"),
    "automation_rules": {
        **_kept("_id", "enabled", "trigger", "cool_down_days", "per", "revision", "create_time", "update_time"),
        **dict.fromkeys(("display_name", "conditions", "actions", "disable_reason"), _OPERATOR),
    },
    "inboxes": {**_kept("_id", "partitions", "shards", "event_ids"), "stopped": _OPERATOR},
    "deployment": _kept("_id", "steps", "key", "time", "version", "oldest"),
    "api_keys": {
        **_kept("_id", "roles", "digest", "created_at", "expires_at", "revoked_at", "limits", "replaces", "request_id"),
        "name": _OPERATOR,
        "created_by": _OPERATOR,
    },
    "api_key_usage": _kept("_id", "key_id", "date", "events", "at"),
    "erasures": {
        **_kept("_id", "lead", "pseudonyms", "at", "change_time", "state", "entries", "events", "executions"),
        "actor": _OPERATOR,
    },
    "erased_events": _kept("_id"),
}
"""The collections that say nothing about leads."""

Replace = Callable[[str, Any], Any]
"""Returns the new value of an id at a path."""
_EMPTY: Mapping[type, Any] = {str: "", bytes: b"", list: [], dict: {}}


def erased(document: Mapping[str, Any], fields: Fields, replace: Replace, path: str = "") -> dict[str, Any]:
    """Returns a document of a collection after the erasure of its lead; `replace` gives ids their new values."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        where = path + name
        kind = fields.get(where)
        # Comparing identities takes a third of the time of `match`, and a lead may have 10,000 events.
        if kind is _KEPT or kind is _OPERATOR:
            found[name] = value
        elif kind is _LEAD or kind is _EVENT or kind is _DERIVED:
            found[name] = replace(where, value)
        elif kind is _EMPTIED:
            found[name] = _EMPTY.get(type(value))
        elif kind is None and _has_fields_below(where, fields):
            found[name] = _below(value, fields, replace, f"{where}.")
    return found


def unclassified(document: Mapping[str, Any], fields: Fields, path: str = "") -> set[str]:
    """Returns the paths of the fields of a document that have no class."""
    found: set[str] = set()
    for name, value in document.items():
        where = f"{path}{name}"
        if where in fields:
            continue
        below = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping)]
        if below and _has_fields_below(where, fields):
            found = found.union(*(unclassified(each, fields, f"{where}.") for each in below))
        else:
            found.add(where)
    return found


def _has_fields_below(path: str, fields: Fields) -> bool:
    return any(name.startswith(f"{path}.") for name in fields)


def _below(value: Any, fields: Fields, replace: Replace, path: str) -> Any:  # noqa: ANN401 (a document or a list)
    if isinstance(value, list):
        return [erased(each, fields, replace, path) for each in value]
    return erased(value, fields, replace, path)
