"""Corruptions of deliveries and of the requests that the receiver got."""

from dataclasses import replace

from chaos.corruptions.snapshot import Snapshot
from chaos.journal import Request


def a_delivery_was_never_received(snapshot: Snapshot) -> str:
    return repr(snapshot.journal.requests.pop().delivery_id)


def a_delivery_was_never_accepted(snapshot: Snapshot) -> str:
    refused = snapshot.journal.requests[0]
    others = [each for each in snapshot.journal.requests if each.delivery_id != refused.delivery_id]
    snapshot.journal.requests = [*others, replace(refused, answered=500)]
    return repr(refused.delivery_id)


def a_delivery_failed_without_reason(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "failed"
    return repr(execution["deliveries"][0]["delivery_id"])


def a_delivery_was_cancelled_without_reason(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "cancelled"
    return repr(execution["deliveries"][0]["delivery_id"])


def a_refused_delivery_was_cancelled(snapshot: Snapshot) -> str:
    named = a_delivery_was_cancelled_without_reason(snapshot)
    requests = snapshot.journal.requests
    snapshot.journal.requests = [
        replace(each, answered=410) if repr(each.delivery_id) == named else each for each in requests
    ]
    return named


def an_execution_lacks_a_delivery(snapshot: Snapshot) -> str:
    execution = snapshot.of("automation_executions", rule_id="while")
    gone = execution["deliveries"].pop()["delivery_id"]
    snapshot.journal.requests = [each for each in snapshot.journal.requests if each.delivery_id != gone]
    return repr(execution["_id"])


def a_request_has_another_body(snapshot: Snapshot) -> str:
    request = snapshot.journal.requests[0]
    snapshot.journal.requests.append(replace(request, body=request.body + b" "))
    return repr(request.delivery_id)


def a_request_is_unsigned(snapshot: Snapshot) -> str:
    request = snapshot.journal.requests[0]
    snapshot.journal.requests.append(replace(request, has_valid_signature=False))
    return repr(request.delivery_id)


def a_request_has_no_execution(snapshot: Snapshot) -> str:
    snapshot.journal.requests.append(Request("nobody", b"{}", has_valid_signature=True, answered=200))
    return "'nobody'"
