"""Asks before a publication fires many automations."""

from collections import Counter

import typer
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.simulation.automations import executions_per_rule
from cli.terminal.connection import CommandError, Connection
from cli.terminal.options import STREAM_SECONDS
from cli.terminal.output import bar, is_terminal
from cli.terminal.pages import listed

MAX_EXECUTIONS = 100
"""Executions that a publication may cause without a question."""


def require_consent(connection: Connection, version: int) -> None:
    """Simulates publishing a version for all events, and asks if it would cause many executions.

    Raises:
        CommandError: There is nobody to ask.
        typer.Abort: The answer is no.
    """
    counts = _executions(connection, version)
    if counts.total() <= MAX_EXECUTIONS:
        return
    rules = ", ".join(f"{rule_id} {count:,}" for rule_id, count in counts.most_common())
    sentence = f"publishing version {version} would fire automations {counts.total():,} times ({rules})"
    if not is_terminal():
        raise CommandError(f"{sentence}: publish it with --yes if they should fire, or with --quiet so that none does")
    typer.confirm(f"{sentence}. Publish it? (--quiet publishes without firing any.)", abort=True, err=True)


def _executions(connection: Connection, version: int) -> Counter[str]:
    counts = Counter[str]()
    with connection.automation() as rules:
        request = automation_pb2.ListAutomationRulesRequest()
        if not any(rule.enabled for rule in listed(rules.ListAutomationRules, request, "rules")):
            return counts
        with connection.scoring() as scoring, bar("counting which automations would fire") as progress:
            asked = pb.SimulateScoringModelRequest(version=version)
            for answer in scoring.SimulateScoringModel(asked, timeout=STREAM_SECONDS):
                counts.update(executions_per_rule(rules, answer.differences))
                progress.update(answer.leads_checked, total=answer.leads_total)
    return counts
