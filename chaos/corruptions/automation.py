"""Corruptions of score changes and of the executions that they cause."""

from chaos.corruptions.snapshot import Snapshot


def a_change_is_missing(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", lead_id="bob")
    snapshot.drop("score_changes", change)
    snapshot.collections["automation_executions"] = [
        each
        for each in snapshot.collections["automation_executions"]
        if (each["lead_id"], each["change_sequence"]) != ("bob", change["sequence"])
    ]
    kept = {
        delivery["delivery_id"]
        for each in snapshot.collections["automation_executions"]
        for delivery in each["deliveries"]
    }
    snapshot.journal.requests = [each for each in snapshot.journal.requests if each.delivery_id in kept]
    return "'bob:"


def a_change_has_another_path(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", lead_id="bob")
    change["scores"].insert(1, 9_999)
    return repr(change["_id"])


def a_change_is_pending(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", lead_id="bob")
    change["state"] = "pending"
    return repr(change["_id"])


def a_change_is_parked(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", lead_id="bob")
    change["state"] = "parked"
    return repr(change["_id"])


def a_change_has_an_unknown_state(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", lead_id="bob")
    change["state"] = "half done"
    return repr(change["_id"])


def a_change_has_another_date(snapshot: Snapshot) -> str:
    """Alters a change that fired no rule, so no execution shows the date."""
    taken = {(each["lead_id"], each["change_sequence"]) for each in snapshot.collections["automation_executions"]}
    change = next(
        each
        for each in snapshot.collections["score_changes"]
        if (each["lead_id"], each["sequence"]) not in taken and each["stage_after"] == "cold"
    )
    change["date_bucket"] = "2026-01-01"
    return repr(change["_id"])


def an_execution_is_missing(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="entered")
    snapshot.drop("automation_executions", execution)
    return f"'{execution['lead_id']}:{execution['change_sequence']}'"


def an_execution_is_duplicated(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="entered")
    snapshot.add("automation_executions", execution, _id="another")
    return repr(execution["lead_id"])


def an_execution_has_another_date(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="entered")
    execution["date_bucket"] = "2026-04-09"
    return repr(execution["_id"])


def an_execution_has_no_change(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="entered")
    snapshot.add("automation_executions", execution, _id="another", change_sequence=10_000, date_bucket="2026-04-09")
    return "'another'"


def an_execution_has_no_cause(snapshot: Snapshot) -> str:
    change = snapshot.of("score_changes", stage_after="cold")
    same = {"lead_id": change["lead_id"], "change_sequence": change["sequence"], "score": change["score_after"]}
    same |= {name: change[name] for name in ("date_bucket", "stage_before", "stage_after")}
    snapshot.add(
        "automation_executions", snapshot.of("automation_executions", rule_id="entered"), _id="another", **same
    )
    return "'another'"


def an_execution_is_pending(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "pending"
    return repr(execution["_id"])
