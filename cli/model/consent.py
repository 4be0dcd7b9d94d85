"""Asks before a publication fires many automations."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import typer
from leadscore.automation.v1 import automation_pb2
from leadscore.automation.v1.automation_pb2_grpc import AutomationServiceStub
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1.scoring_pb2_grpc import ScoringServiceStub

from cli.model.files import IN_FORCE, find_model
from cli.simulation.automations import executions_per_rule
from cli.terminal.connection import CommandError, Connection
from cli.terminal.options import STREAM_SECONDS
from cli.terminal.output import bar, is_terminal
from cli.terminal.pages import in_pages, listed

MAX_EXECUTIONS = 100
"""Executions that a publication may cause without asking."""
MAX_LEADS = 2**62

Differences = Iterable[Sequence[pb.LeadDifference]]
"""How leads would change, page by page."""


def require_consent(connection: Connection, version: int, *, rescores: bool) -> None:
    """Finds out how many automations publishing a version would fire, and asks if there are many.

    Raises:
        CommandError: There is nobody to ask.
        typer.Abort: The answer is no.
    """
    counts = _executions(connection, version, rescores=rescores)
    if counts.total() <= MAX_EXECUTIONS:
        return
    rules = ", ".join(f"{rule_id} {count:,}" for rule_id, count in counts.most_common())
    sentence = f"publishing version {version} would fire automations {counts.total():,} times ({rules})"
    if not is_terminal():
        raise CommandError(f"{sentence}: publish it with --yes if they should fire, or with --quiet so that none does")
    typer.confirm(f"{sentence}. Publish it? (--quiet publishes without firing any.)", abort=True, err=True)


def _executions(connection: Connection, version: int, *, rescores: bool) -> Counter[str]:
    with connection.automation() as rules:
        request = automation_pb2.ListAutomationRulesRequest()
        if not any(rule.enabled for rule in listed(rules.ListAutomationRules, request, "rules")):
            return Counter()
        with connection.scoring() as scoring:
            return _counted(rules, _rescored(scoring, version) if rescores else _moved(connection, scoring, version))


def _counted(rules: AutomationServiceStub, differences: Differences) -> Counter[str]:
    counts, leads = Counter[str](), 0
    with bar("counting which automations would fire") as progress:
        for page in differences:
            counts.update(executions_per_rule(rules, page))
            leads += len(page)
            progress.update(leads, note="leads that change")
    return counts


def _rescored(scoring: ScoringServiceStub, version: int) -> Differences:
    request = pb.SimulateScoringModelRequest(version=version)
    return (answer.differences for answer in scoring.SimulateScoringModel(request, timeout=STREAM_SECONDS))


def _moved(connection: Connection, scoring: ScoringServiceStub, version: int) -> Differences:
    """Yields the leads that a forward publication moves to another stage: their scores stay as they are."""
    before, after = (find_model(connection, source).stages for source in (IN_FORCE, str(version)))
    if list(before) == list(after):
        return
    request = pb.ListLeadScoresRequest(order=pb.LEAD_ORDER_LEAD_ID)
    for page in in_pages(scoring.ListLeadScores, request, "lead_scores", MAX_LEADS):
        yield list(_differences(page, after))


def _differences(leads: Iterable[pb.LeadScore], stages: Sequence[pb.Stage]) -> Iterator[pb.LeadDifference]:
    for lead in leads:
        below, *higher = stages
        stage = [below, *(each for each in higher if each.minimum_score <= lead.score)][-1].stage
        if stage != lead.stage:
            yield pb.LeadDifference(
                lead_id=lead.lead_id,
                score_before=lead.score,
                score_after=lead.score,
                stage_before=lead.stage,
                stage_after=stage,
                last_event_historical=lead.last_event_historical,
            )
