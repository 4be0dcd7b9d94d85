"""`leadscore adjust`, `retract` and `rebuild`: corrections of scores that people make."""

import uuid
from typing import Annotated

import typer
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import STREAM_SECONDS, Actor, AsJson, BasePort, LeadId, Reason, actor_of
from cli.terminal.output import bar, print_json, say, show

MAX_POINTS = 10**12
"""Largest adjustment in either direction; the limit of AdjustLeadScore."""


def adjust(
    lead_id: LeadId,
    reason: Reason,
    delta: Annotated[
        int | None, typer.Option(min=-MAX_POINTS, max=MAX_POINTS, help="Points to add; negative to subtract.")
    ] = None,
    target: Annotated[
        int | None, typer.Option(min=-MAX_POINTS, max=MAX_POINTS, help="Set the score to this value.")
    ] = None,
    actor: Actor = "",
    request_id: Annotated[str, typer.Option(help="To retry an adjustment: the id that the first try printed.")] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Change a lead's score by hand. The adjustment survives later recalculations."""
    if (delta is None) == (target is None):
        raise CommandError("give either --delta or --target")
    request = pb.AdjustLeadScoreRequest(
        lead_id=lead_id,
        delta=delta,
        target=target,
        reason=reason,
        actor=actor_of(actor),
        request_id=request_id or str(uuid.uuid4()),
    )
    # Printed before the call, so that the id is known even if the call ends without a response.
    say(f"to retry this adjustment: --request-id {request.request_id}")
    with Connection(base_port).scoring() as stub:
        entry = stub.AdjustLeadScore(request, timeout=CALL_SECONDS).entry
    show(f"adjusted by {entry.delta:+,}: {_change(entry)}", entry, as_json=as_json)


def retract(
    event_id: Annotated[str, typer.Argument(help="The event's id.")],
    reason: Reason,
    actor: Actor = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Remove the effect of an event from its lead's score. Nothing is deleted, and repeating it changes nothing."""
    request = pb.RetractEventRequest(event_id=event_id, reason=reason, actor=actor_of(actor))
    with Connection(base_port).scoring() as stub:
        answer = stub.RetractEvent(request, timeout=CALL_SECONDS)
    if answer.discarded:
        people = f"discarded: the event was parked and had no effect on {answer.lead_id}"
        show(people, answer, as_json=as_json)
    else:
        show(f"retracted from {answer.lead_id}: {_change(answer.entry)}", answer.entry, as_json=as_json)


def rebuild(
    lead_id: Annotated[str, typer.Argument(help="The lead's id.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="All leads.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="With --all: store nothing; exit with status 1 if a lead differs.")
    ] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Recompute one lead, or all leads, from their history and store the result."""
    if every == bool(lead_id) or (check and not every):
        raise CommandError("give either a lead or --all; --check needs --all")
    connection = Connection(base_port)
    if every:
        _rebuild_all(connection, check=check, as_json=as_json)
    else:
        _rebuild_one(connection, lead_id, as_json=as_json)


def _rebuild_one(connection: Connection, lead_id: str, *, as_json: bool) -> None:
    with connection.scoring() as stub:
        request = pb.RebuildLeadScoreRequest(lead_id=lead_id)
        answer = stub.RebuildLeadScore(request, timeout=CALL_SECONDS)
    points = counted(answer.lead_score.score, "point")
    people = f"rebuilt: {answer.score_before:,} → {points}" if answer.changed else f"unchanged: {points}"
    show(people, answer, as_json=as_json)


def _rebuild_all(connection: Connection, *, check: bool, as_json: bool) -> None:
    changed: list[str] = []
    answer = pb.RebuildLeadScoresResponse()
    try:
        with connection.scoring() as stub, bar("checking" if check else "rebuilding") as progress:
            for answer in stub.RebuildLeadScores(pb.RebuildLeadScoresRequest(check_only=check), timeout=STREAM_SECONDS):
                changed += answer.changed_lead_ids
                progress.update(answer.leads_checked, total=answer.leads_total)
    finally:  # report the changed leads even if the run fails
        for lead_id in changed:
            if as_json:
                print_json({"changed_lead_id": lead_id})
            else:
                show(lead_id, as_json=False)
    phrases = ("differs from its history", "differ from their history") if check else ("was rebuilt", "were rebuilt")
    people = f"{counted(answer.leads_checked, 'lead')} checked, {counted(answer.leads_changed, *phrases)}"
    show(people, answer, as_json=as_json)
    if check and answer.leads_changed:
        raise typer.Exit(1)


def _change(entry: pb.ScoreEntry) -> str:
    return f"{entry.score_before:,} → {counted(entry.score_after, 'point')}, {entry.stage_after}"
