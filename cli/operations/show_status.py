"""Views of the status of a system: a page for people, JSON for programs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from google.protobuf.message import Message
from leadscore.automation.v1 import automation_pb2 as automation
from leadscore.scoring.v1 import scoring_pb2 as scoring
from rich.console import Group, RenderableType
from rich.text import Text

from cli.operations.health import Health
from cli.operations.problems import Status
from cli.terminal.counts import age, counted
from cli.terminal.findings import STYLES, Finding, outcome, verdict, worst
from cli.terminal.output import to_json as message_to_json
from cli.terminal.pieces import grid, heading, moment, plain

_UNKNOWN = Text("unknown", "dim")
MAX_SHOWN = 5
"""Maximum number of partitions or leads on the page; the JSON has all of them."""


def page(status: Status, problems: Sequence[Finding]) -> RenderableType:
    """Returns the status as one page, which ends with the verdict."""
    return Group(
        heading("health"),
        _health(status),
        heading("scoring"),
        _scoring(status) if status.scoring else _UNKNOWN,
        heading("automation"),
        _automation(status.automation, status.time) if status.automation else _UNKNOWN,
        *_problems(problems),
        Text(),
        plain(verdict(problems), STYLES[worst(problems)]),
    )


def to_json(status: Status, problems: Sequence[Finding]) -> dict[str, object]:
    """Returns the status as one JSON object; what is unknown is null."""
    return {
        **outcome(problems),
        "problems": [each.to_json() for each in problems],
        "services": {service: health.value for service, health in status.services.items()},
        "workers": [
            {"service": each.service, "port": each.port, "health": each.health.value} for each in status.workers
        ],
        "scoring": _message_json(status.scoring),
        "automation": _message_json(status.automation),
        "model_version": status.model.version if status.model else None,
        "leads_left": status.leads_left,
    }


def _message_json(message: Message | None) -> dict[str, object] | None:
    return None if message is None else message_to_json(message)


def _health(status: Status) -> RenderableType:
    facts = grid()
    for service, health in status.services.items():
        facts.add_row(service, _health_text(health))
    for worker in status.workers:
        facts.add_row(f"{worker.service} worker", Text.assemble(_health_text(worker.health), f" on port {worker.port}"))
    if not status.workers:
        facts.add_row("workers", Text("none found on this machine; if the backlog grows, none are running", "dim"))
    return facts


def _health_text(health: Health) -> Text:
    return Text(health.value, "green" if health is Health.SERVING else "red")


def _scoring(status: Status) -> RenderableType:
    backlog, facts = status.scoring or scoring.GetScoringBacklogResponse(), grid()
    facts.add_row("pending events", _backlog(backlog.pending_events, backlog, "oldest_accept_time", status.time))
    for behind in backlog.partitions_behind[:MAX_SHOWN]:
        text = f"{behind.pending_events:,}, the oldest for {age(behind.oldest_accept_time, status.time)}"
        facts.add_row(f"  partition {behind.partition}", text)
    if backlog.partitions_behind:
        for lead in backlog.heaviest_leads[:MAX_SHOWN]:
            facts.add_row(
                "  heavy lead", Text.assemble(plain(lead.lead_id), f" with {counted(lead.pending_events, 'event')}")
            )
    if isolated := sum(each.event_count for each in backlog.isolated_events):
        limit = max(each.attempts for each in backlog.isolated_events)
        facts.add_row("isolated events", f"{isolated:,}, with up to {counted(limit, 'failed attempt')}; parked after 5")
    facts.add_row("parked", f"{backlog.parked_events:,}, and {backlog.discarded_events:,} discarded")
    facts.add_row("decayed through", _decayed(backlog.decayed_through))
    facts.add_row("model", _model(status) if status.model else _UNKNOWN)
    return facts


def _decayed(decayed: scoring.DecayedThrough) -> str:
    earliest, latest = decayed.earliest_date or "never", decayed.latest_date or "never"
    through = earliest if earliest == latest else f"{earliest} to {latest}"
    if not decayed.days_behind:
        return through
    return f"{through}, {counted(decayed.days_behind, 'day')} behind today"


def _model(status: Status) -> Text:
    model = status.model or scoring.ScoringModel()
    name = f", {model.display_name}" if model.display_name else ""
    text = plain(f"version {model.version}{name}")
    if status.scoring is not None and status.scoring.HasField("rollout"):
        left = "leads are left" if status.leads_left is None else f"about {counted(status.leads_left, 'lead')} left"
        text.append(f"; rollout since {moment(status.scoring.rollout.publish_time)}, {left}")
    return text


def _automation(backlog: automation.GetAutomationBacklogResponse, now: datetime) -> RenderableType:
    facts = grid()
    facts.add_row("pending changes", _backlog(backlog.pending_changes, backlog, "oldest_change_time", now))
    for behind in backlog.partitions_behind[:MAX_SHOWN]:
        facts.add_row(f"  partition {behind.partition}", f"the oldest for {age(behind.oldest_change_time, now)}")
    facts.add_row("parked", f"{backlog.parked_changes:,}")
    facts.add_row("due deliveries", _backlog(backlog.due_deliveries, backlog, "oldest_due_time", now))
    facts.add_row("failed executions", f"{backlog.failed_executions:,}")
    return facts


def _backlog(count: int, backlog: Message, oldest: str, now: datetime) -> str:
    return (
        f"{count:,}, the oldest for {age(getattr(backlog, oldest), now)}" if backlog.HasField(oldest) else f"{count:,}"
    )


def _problems(problems: Sequence[Finding]) -> Iterator[RenderableType]:
    if problems:
        yield heading("problems")
    for problem in problems:
        yield Text.assemble("• ", plain(problem.text), ": ", plain(problem.advice))
