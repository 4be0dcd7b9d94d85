"""Checks automation: I8 from changes, rules and executions, and I9 from executions and requests."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chaos.journal import Request
from chaos.rows import SET_ASIDE, Document, LeadRows
from chaos.violation import Unsupported, Violation

WRITING = timedelta(seconds=5)
"""An updated rule takes effect when it is written, which is slightly later than its update time."""
_CONDITIONS = {"stages", "minimum_score", "maximum_score"}
_NOTHING: tuple[object, ...] = (None, [], ())


def in_any_snapshot(rows: LeadRows, rules: Mapping[str, Document], zone: ZoneInfo) -> Iterator[Violation]:
    """Yields executions that no committed change explains, and keys with more than one execution (I8)."""
    changes = {each["sequence"]: each for each in rows.changes}
    for change in rows.changes:
        if change["date_bucket"] != change["record_time"].astimezone(zone).date().isoformat():
            yield Violation("I8", f"change {change['_id']!r} is not in the date bucket of its record time")
    for execution in rows.executions:
        cause = changes.get(execution["change_sequence"])
        if cause is None:
            yield Violation("I8", f"execution {execution['_id']!r} of lead {rows.lead_id!r} has no committed change")
        else:
            yield from _accounts_for(cause, execution, rules)
    keys = Counter((each["rule_id"], each["date_bucket"], each["event_id"]) for each in rows.executions)
    for (rule_id, bucket, _), count in keys.items():
        if count > 1:
            key = f"lead {rows.lead_id!r}, rule {rule_id!r} and date {bucket}"
            yield Violation("I8", f"{key} have {count} executions")


def when_quiesced(rows: LeadRows, rules: Mapping[str, Document], set_aside: Collection[str]) -> Iterator[Violation]:
    """Yields keys for which a rule should have fired, but no execution exists (I8).

    `set_aside` are the changes that are expected to be parked or discarded.
    """
    recorded = {(each["rule_id"], each["date_bucket"]) for each in rows.executions}
    for rule_id, rule in rules.items():
        for change in rows.changes:
            is_settled = not (change["state"] in SET_ASIDE and change["_id"] in set_aside)
            if is_settled and _must_fire(rule, change) and (rule_id, change["date_bucket"]) not in recorded:
                what = f"rule {rule_id!r} fires on change {change['_id']!r} of {change['date_bucket']}"
                yield Violation("I8", f"{what}, but has no execution")


def deliveries(
    executions: Sequence[Document], rules: Mapping[str, Document], requests: Sequence[Request], *, is_live: bool
) -> Iterator[Violation]:
    """Yields deliveries and requests that do not match (I9); `is_live`: there is a receiver that responds.

    Neither executions nor requests may be those of erased leads, which have got other ids.
    """
    for execution in executions:
        rule = rules.get(execution["rule_id"])
        if rule is not None and len(execution["deliveries"]) != len(rule["actions"]):
            what = f"{len(execution['deliveries'])} deliveries, but its rule has {len(rule['actions'])} actions"
            yield Violation("I9", f"execution {execution['_id']!r} has {what}")
    seen: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        seen[request.delivery_id].append(request)
    stored = {
        each["delivery_id"]: (execution, each)
        for execution in executions
        for each in execution["deliveries"]
        if each["receiver"] == "webhook"
    }
    refused = (each.delivery_id for each in requests if each.answered == 410)
    gone = {stored[each][0]["rule_id"] for each in refused if each in stored}
    for delivery_id, (execution, delivery) in stored.items():
        answers = {request.answered for request in seen.get(delivery_id, ())}
        if is_live and not _is_due_to(delivery["state"], answers, rule_is_gone=execution["rule_id"] in gone):
            what = f"is {delivery['state']}, although its requests were answered with {sorted(answers)}"
            yield Violation("I9", f"delivery {delivery_id!r} of execution {execution['_id']!r} {what}")
    for delivery_id, of_one in seen.items():
        if delivery_id not in stored:
            yield Violation("I9", f"the receiver got a request {delivery_id!r} that belongs to no execution")
        elif {request.body for request in of_one} != {bytes(stored[delivery_id][1]["body"])}:
            yield Violation("I9", f"requests of delivery {delivery_id!r} differ from the stored body")
        if not all(request.has_valid_signature for request in of_one):
            yield Violation("I9", f"a request of delivery {delivery_id!r} has no valid signature")


def _is_due_to(state: str, answers: Collection[int], *, rule_is_gone: bool) -> bool:
    """Returns whether a delivery can be in a state after these answers; a pending one can, since I13 checks those."""
    arrived = any(200 <= answer < 300 for answer in answers)
    refused = any(300 <= answer < 500 and answer not in (408, 425, 429) for answer in answers)
    match state:
        case "delivered":
            return arrived
        case "failed":
            return refused
        case "cancelled":  # a final answer decides the state, even if it also disables the rule
            return rule_is_gone and not arrived and not refused
        case _:
            return True


def _accounts_for(change: Document, execution: Document, rules: Mapping[str, Document]) -> Iterator[Violation]:
    which = f"execution {execution['_id']!r}"
    if change["date_bucket"] != execution["date_bucket"]:
        buckets = f"{execution['date_bucket']}, but its change {change['_id']!r} has {change['date_bucket']}"
        yield Violation("I8", f"{which} has the date bucket {buckets}")
    recorded = (change["score_after"], change["stage_before"], change["stage_after"])
    if recorded != (execution["score"], execution["stage_before"], execution["stage_after"]):
        yield Violation("I8", f"{which} has another score or stage than its change {change['_id']!r}")
    rule = rules.get(execution["rule_id"])
    if rule is None or not _fires(rule, change):
        yield Violation("I8", f"{which} is of rule {execution['rule_id']!r}, which does not fire on {change['_id']!r}")


def _must_fire(rule: Document, change: Document) -> bool:
    """Returns whether a rule fires on a change, and certainly had its current form when the change was evaluated."""
    stands_since: datetime = rule["update_time"] + WRITING
    return bool(rule["enabled"]) and change["record_time"] > stands_since and _fires(rule, change)


def _fires(rule: Document, change: Document) -> bool:
    asked = {name: value for name, value in rule["conditions"].items() if value not in _NOTHING}
    if more := asked.keys() - _CONDITIONS:
        raise Unsupported(f"rule {rule['_id']!r} with the conditions {sorted(more)}")
    if rule["per"] != "date":
        raise Unsupported(f"rule {rule['_id']!r} that fires per {rule['per']}")
    if rule["cool_down_days"] > 1:
        raise Unsupported(f"rule {rule['_id']!r} with a cool-down")
    return (
        _occurs(rule, change)
        and change["stage_after"] in asked.get("stages", [change["stage_after"]])
        and asked.get("minimum_score", change["score_after"]) <= change["score_after"]
        and asked.get("maximum_score", change["score_after"]) >= change["score_after"]
    )


def _occurs(rule: Document, change: Document) -> bool:
    trigger, transitions = rule["trigger"], change["transitions"]
    match trigger["kind"]:
        case "while_condition_holds":
            return bool(transitions)
        case "stage_entered":
            return any(stage in trigger["stages"] for each in transitions for stage in each["stages"][1:])
        case "event_received":
            return any(event["event_type"] == trigger["event_type"] for each in transitions for event in each["events"])
        case kind:
            raise Unsupported(f"rule {rule['_id']!r} with the trigger {kind!r}")
