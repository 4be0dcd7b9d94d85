"""`leadscore lead`, `history`, `top` and `summary`: what the services know about leads."""

from collections.abc import Sequence
from typing import Annotated

import typer
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceStub
from leadscore.scoring.v1 import scoring_pb2

from cli.leads import show
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.options import AsJson, BasePort, LeadId, Limit, as_of
from cli.terminal.output import ERR, say
from cli.terminal.output import show as print_view
from cli.terminal.pages import listed


def lead(
    lead_id: LeadId,
    at: Annotated[
        str,
        typer.Option("--as-of", help="Show its state at a date (its end in UTC) or a time, 2026-01-31T12:00Z."),
    ] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show a lead: score, stage, velocity, risk, next action, and the reasons.

    Without --as-of, it also draws the score after each entry of the history, and names the rules that would change the
    score most (see `leadscore what-if`).
    """
    connection = Connection(base_port)
    request = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id, as_of_time=as_of(at) if at else None)
    with connection.intelligence() as stub:
        insight = stub.GetLeadIntelligence(request, timeout=CALL_SECONDS).lead_intelligence
        is_bare = as_json or at
        effects = () if is_bare else _rule_effects(stub, lead_id)
    # The history has the scores as they were recorded, which differ from those as of a time if events came late.
    entries = [] if is_bare else _entries(connection, lead_id, 1000)[::-1]
    print_view(show.card(insight, entries, effects), insight, as_json=as_json)


def history(lead_id: LeadId, limit: Limit = 50, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Show the newest entries of a lead's history, oldest first: each change of the score and its cause."""
    entries = _entries(Connection(base_port), lead_id, limit)[::-1]
    print_view(show.history_table(entries), *entries, as_json=as_json)


def top(
    stage: Annotated[str, typer.Option(help="Only leads in this stage.")] = "",
    order: Annotated[str, typer.Option(help="`score` or `recent`.")] = "score",
    limit: Limit = 20,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List the leads with the highest scores, or the latest activity."""
    orders = {
        "score": intelligence_pb2.TOP_ORDER_SCORE,
        "recent": intelligence_pb2.TOP_ORDER_LAST_EVENT_TIME,
    }
    if order not in orders:
        raise CommandError(f"--order is {order!r}, must be score or recent")
    with Connection(base_port).intelligence() as stub:
        request = intelligence_pb2.ListTopLeadsRequest(stage=stage, order=orders[order])
        insights = listed(stub.ListTopLeads, request, "lead_intelligence", limit + 1)
    print_view(show.top_table(insights[:limit]), *insights[:limit], as_json=as_json)
    if len(insights) > limit:
        say(f"there are more than {counted(limit, 'lead')}: raise --limit, or see `leadscore export leads --help`")


def summary(base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Count all leads by stage, risk, next action and score."""
    with Connection(base_port).intelligence() as stub, ERR.status("counting"):
        answer = stub.GetPipelineSummary(intelligence_pb2.GetPipelineSummaryRequest(), timeout=CALL_SECONDS)
    print_view(show.summary_view(answer), answer, as_json=as_json)


def _rule_effects(stub: IntelligenceServiceStub, lead_id: str) -> Sequence[intelligence_pb2.EventEffect]:
    request = intelligence_pb2.PreviewLeadIntelligenceRequest(lead_id=lead_id)
    return stub.PreviewLeadIntelligence(request, timeout=CALL_SECONDS).rule_effects


def _entries(connection: Connection, lead_id: str, limit: int) -> list[scoring_pb2.ScoreEntry]:
    with connection.scoring() as stub:
        request = scoring_pb2.ListScoreHistoryRequest(lead_id=lead_id, newest_first=True)
        return listed(stub.ListScoreHistory, request, "entries", limit)
