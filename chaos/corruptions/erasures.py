"""Corruptions of what is left of an erased lead."""

from chaos.corruptions.snapshot import Snapshot


def an_erased_lead_is_named(snapshot: Snapshot) -> str:
    snapshot.collections["audit_log"].append({"_id": "left", "object": "executions of rule r and lead eve@example.com"})
    return "'eve@example.com'"


def an_event_of_an_erased_lead_is_named(snapshot: Snapshot) -> str:
    snapshot.collections["erased_events"].append({"_id": "left", "ids": ["eve-1"]})
    return "'eve-1'"


def a_body_names_an_erased_lead(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", lead_id=_pseudonym(snapshot))
    execution["deliveries"] = [{"delivery_id": "left", "body": b"Eve: eve@example.com"}]
    return "'eve@example.com'"


def the_entries_of_an_erased_lead_are_lost(snapshot: Snapshot) -> str:
    pseudonym = _pseudonym(snapshot)
    snapshot.drop("leads", snapshot.of("leads", _id=pseudonym))
    for name in ("score_history", "events", "automation_executions"):
        snapshot.collections[name] = [row for row in snapshot.collections[name] if row["lead_id"] != pseudonym]
    return "0 are left"


def an_erasure_is_not_done(snapshot: Snapshot) -> str:
    [erasure] = snapshot.collections["erasures"]
    erasure["state"] = "erasing"
    return bytes(erasure["_id"]).hex()


def _pseudonym(snapshot: Snapshot) -> str:
    pseudonym: str = snapshot.collections["erasures"][0]["pseudonyms"][0]
    return pseudonym
