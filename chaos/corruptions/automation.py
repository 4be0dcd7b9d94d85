"""Corruptions of score changes and of the executions that they cause."""

from chaos.corruptions.snapshot import Snapshot, id_of


def a_change_is_missing(snapshot: Snapshot) -> str:
    change, row = snapshot.change(lead_id="bob")
    snapshot.drop("score_changes", row)
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
    change, _ = snapshot.change(lead_id="bob")
    change["scores"].insert(1, 9_999)
    return repr(id_of(change))


def a_change_is_in_two_rows(snapshot: Snapshot) -> str:
    """As when a row was divided and kept."""
    change, row = snapshot.change(lead_id="bob")
    snapshot.add("score_changes", row, _id="another")
    return repr(id_of(change))


def a_change_is_pending(snapshot: Snapshot) -> str:
    change, row = snapshot.change(lead_id="bob")
    row["state"] = "pending"
    return repr(id_of(change))


def a_change_is_parked(snapshot: Snapshot) -> str:
    change, row = snapshot.change(lead_id="bob")
    row["state"] = "parked"
    return repr(id_of(change))


def a_change_has_an_unknown_state(snapshot: Snapshot) -> str:
    change, row = snapshot.change(lead_id="bob")
    row["state"] = "half done"
    return repr(id_of(change))


def a_change_has_another_date(snapshot: Snapshot) -> str:
    """Alters a change that fired no rule, so no execution shows the date."""
    taken = {(each["lead_id"], each["change_sequence"]) for each in snapshot.collections["automation_executions"]}
    sequence = next(
        each["sequence"]
        for row in snapshot.collections["score_changes"]
        for each in row["changes"]
        if each["lead_id"] == "bob" and ("bob", each["sequence"]) not in taken
    )
    change, row = snapshot.change(lead_id="bob", sequence=sequence)
    row["date_bucket"] = "2026-01-01"
    return repr(id_of(change))


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
    change, row = snapshot.change(stage_after="cold")
    same = {"lead_id": change["lead_id"], "change_sequence": change["sequence"], "score": change["score_after"]}
    same |= {name: change[name] for name in ("stage_before", "stage_after")} | {"date_bucket": row["date_bucket"]}
    snapshot.add(
        "automation_executions", snapshot.of("automation_executions", rule_id="entered"), _id="another", **same
    )
    return "'another'"


def an_execution_is_pending(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "pending"
    return repr(execution["_id"])
