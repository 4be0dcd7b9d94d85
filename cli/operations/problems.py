"""Finds the problems of a system, each with advice on how to fix it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.operations.health import Health
from cli.terminal.counts import age, counted
from cli.terminal.findings import Finding, Level
from shared import wire

MAX_DECAY_DAYS = 1
"""Decay runs once a day, shortly after midnight; before the run it is one day behind."""
MAX_DUE = timedelta(minutes=1)
"""Deliveries that have been due for longer are behind."""
MAX_ROLLOUT = timedelta(minutes=10)
"""A rollout that has taken longer needs attention."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker on this machine: its service, the port on which it reports its health, and its health."""

    service: str
    port: int
    health: Health


@dataclass(frozen=True, slots=True)
class Status:
    """What the services reported about themselves at a time.

    `failures` maps each service that is serving but failed to answer to its error. What was not reported is None.
    """

    time: datetime
    services: Mapping[str, Health]
    workers: Sequence[Worker]
    failures: Mapping[str, str]
    scoring: scoring_pb2.GetScoringBacklogResponse | None = None
    model: scoring_pb2.ScoringModel | None = None
    leads_left: int | None = None
    automation: automation_pb2.GetAutomationBacklogResponse | None = None


def judge(status: Status) -> list[Finding]:
    """Returns the problems of a system, the worst first."""
    problems = [*_down(status)]
    if status.scoring is not None:
        problems += _scoring(status.scoring, status.time)
        problems += _decay(status.scoring.decayed_through, status.time.date())
        problems += _rollout(status.scoring, status.time)
    if status.automation is not None:
        problems += _automation(status.automation, status.time)
    return sorted(problems, key=lambda each: -each.level)


def _down(status: Status) -> Iterator[Finding]:
    for service, health in status.services.items():
        if health is Health.NOT_SERVING:
            text, advice = "reports that it is not serving", "check MongoDB and the services that it depends on"
        elif health is not Health.SERVING:
            text, advice = "does not answer", "start it with `leadscore up`, or give its port with --base-port"
        elif service in status.failures:
            text, advice = f"is serving, but a call failed: {status.failures[service]}", "check its log"
        else:
            continue
        yield Finding(Level.CRITICAL, service, f"the {service} service {text}", advice)
    for worker in status.workers:
        if worker.health is not Health.SERVING:
            subject = f"{worker.service} worker"
            text = f"the {subject} on port {worker.port} is not serving: its loops have been stuck for 10 s"
            yield Finding(Level.CRITICAL, subject, text, "check its log, then restart it")


def _scoring(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Finding]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        events = counted(stopped.failed_events, "event")
        text = f"a scoring worker has stopped because {events} failed with {stopped.error}"
        yield Finding(Level.WARNING, "scoring", text, "fix the cause; the worker then resumes by itself")
    if backlog.partitions_behind:
        behind = counted(len(backlog.partitions_behind), "scoring partition is", "scoring partitions are")
        text = f"{behind} behind, the oldest event has waited for {age(backlog.oldest_accept_time, now)}"
        advice = "check that scoring workers run, or start more; look for `drain failed` in their logs"
        yield Finding(Level.WARNING, "scoring", text, advice)
    if backlog.parked_events:
        events = counted(backlog.parked_events, "event is parked and has", "events are parked and have")
        text = f"{events} not been scored"
        yield _parked("parked events", text)


def _decay(decayed: scoring_pb2.DecayedThrough, today: date) -> Iterator[Finding]:
    if decayed.days_behind > MAX_DECAY_DAYS:
        text = f"decay is {counted(decayed.days_behind, 'day')} behind"
        yield Finding(Level.WARNING, "decay", text, "run `leadscore decay`, and schedule it daily with cron")
    if decayed.earliest_date != decayed.latest_date:
        others = f"through {decayed.earliest_date}" if decayed.earliest_date else "not at all"
        text = f"decay is applied through {decayed.latest_date} in some partitions, {others} in others"
        advice = "a decay run or reset is in progress, or was interrupted: if none is running, run it again"
        yield Finding(Level.WARNING, "decay", text, advice)
    # In some time zones it is already tomorrow.
    if decayed.latest_date and date.fromisoformat(decayed.latest_date) > today + timedelta(days=1):
        text = f"decay is applied through {decayed.latest_date}, which lies in the future"
        yield Finding(Level.WARNING, "decay", text, "undo it with `leadscore decay reset`")


def _rollout(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Finding]:
    rollout = backlog.rollout
    if backlog.HasField("rollout") and now - wire.to_time(rollout.publish_time) > MAX_ROLLOUT:
        text = f"the rollout of model version {rollout.version} has been running for {age(rollout.publish_time, now)}"
        advice = "check that scoring workers run; look for `rollout failed` and `leads not updated` in their logs"
        yield Finding(Level.WARNING, "rollout", text, advice)


def _automation(backlog: automation_pb2.GetAutomationBacklogResponse, now: datetime) -> Iterator[Finding]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        changes = counted(stopped.failed_changes, "change")
        text = f"an automation worker has stopped because {changes} failed with {stopped.error}"
        yield Finding(Level.WARNING, "automation", text, "fix the cause; the worker then resumes by itself")
    if backlog.partitions_behind:
        behind = counted(len(backlog.partitions_behind), "automation partition is", "automation partitions are")
        text = f"{behind} behind, the oldest change has waited for {age(backlog.oldest_change_time, now)}"
        advice = "check that automation workers run, or start more; look for `drain failed` in their logs"
        yield Finding(Level.WARNING, "automation", text, advice)
    if backlog.HasField("hold"):
        hold = backlog.hold
        text = f"deliveries are on hold for {age(hold.hold_time, now)}, by {hold.actor}: {hold.reason}"
        yield Finding(Level.WARNING, "deliveries", text, "deliver or cancel them with `leadscore deliveries release`")
    elif backlog.HasField("oldest_due_time") and now - wire.to_time(backlog.oldest_due_time) > MAX_DUE:
        deliveries = counted(backlog.due_deliveries, "delivery is", "deliveries are")
        text = f"{deliveries} due, the oldest for {age(backlog.oldest_due_time, now)}"
        yield Finding(Level.WARNING, "deliveries", text, "check that automation workers run, or start more")
    if backlog.parked_changes:
        changes = counted(backlog.parked_changes, "change is parked and was", "changes are parked and were")
        text = f"{changes} not evaluated by any rule"
        yield _parked("parked changes", text)


def _parked(subject: str, text: str) -> Finding:
    advice = "see the reasons with `leadscore parked list`, then use `leadscore parked retry` or `discard`"
    return Finding(Level.WARNING, subject, text, advice)
