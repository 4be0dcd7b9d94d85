"""Finds the problems of a system, each with advice on how to fix it, and a verdict on the whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum

from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.operations.health import Health
from cli.terminal.counts import age, counted
from shared import wire

MAX_DECAY_DAYS = 1
"""Decay runs once a day, shortly after midnight; before the run it is one day behind."""
MAX_DUE = timedelta(minutes=1)
"""Deliveries that have been due for longer are behind."""
MAX_ROLLOUT = timedelta(minutes=10)
"""A rollout that has taken longer needs attention."""


class Level(IntEnum):
    """The severity of a problem; the numbers are the exit statuses."""

    OK = 0
    BEHIND = 1
    """Something is behind or parked and needs attention."""
    DOWN = 2
    """A process is not serving, or does not answer."""


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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs attention: its subject in a word or two, what is wrong, and what to do about it."""

    level: Level
    subject: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a system: all its problems."""

    problems: Sequence[Problem]

    @property
    def level(self) -> Level:
        """The level of the worst problem."""
        return max((each.level for each in self.problems), default=Level.OK)

    @property
    def line(self) -> str:
        """The verdict on one line: `ok`, `behind: …` or `down: …`, with the subjects of that level."""
        worst = dict.fromkeys(each.subject for each in self.problems if each.level is self.level)
        return f"{self.level.name.lower()}: {', '.join(worst)}" if worst else "ok"


def judge(status: Status) -> Verdict:
    """Returns the verdict on a system, the worst problems first."""
    problems = [*_down(status)]
    if status.scoring is not None:
        problems += _scoring(status.scoring, status.time)
        problems += _decay(status.scoring.decayed_through, status.time.date())
        problems += _rollout(status.scoring, status.time)
    if status.automation is not None:
        problems += _automation(status.automation, status.time)
    return Verdict(sorted(problems, key=lambda each: -each.level))


def _down(status: Status) -> Iterator[Problem]:
    for service, health in status.services.items():
        if health is Health.NOT_SERVING:
            text, advice = "reports that it is not serving", "check MongoDB and the services that it depends on"
        elif health is not Health.SERVING:
            text, advice = "does not answer", "start it with `leadscore up`, or give its port with --base-port"
        elif service in status.failures:
            text, advice = f"is serving, but a call failed: {status.failures[service]}", "check its log"
        else:
            continue
        yield Problem(Level.DOWN, service, f"the {service} service {text}", advice)
    for worker in status.workers:
        if worker.health is not Health.SERVING:
            subject = f"{worker.service} worker"
            text = f"the {subject} on port {worker.port} is not serving: its loops have been stuck for 10 s"
            yield Problem(Level.DOWN, subject, text, "check its log, then restart it")


def _scoring(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Problem]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        events = counted(stopped.failed_events, "event")
        text = f"a scoring worker has stopped because {events} failed with {stopped.error}"
        yield Problem(Level.BEHIND, "scoring", text, "fix the cause; the worker then resumes by itself")
    if backlog.partitions_behind:
        behind = counted(len(backlog.partitions_behind), "scoring partition is", "scoring partitions are")
        text = f"{behind} behind, the oldest event has waited for {age(backlog.oldest_accept_time, now)}"
        advice = "check that scoring workers run, or start more; look for `drain failed` in their logs"
        yield Problem(Level.BEHIND, "scoring", text, advice)
    if backlog.parked_events:
        events = counted(backlog.parked_events, "event is parked and has", "events are parked and have")
        text = f"{events} not been scored"
        yield _parked("parked events", text)


def _decay(decayed: scoring_pb2.DecayedThrough, today: date) -> Iterator[Problem]:
    if decayed.days_behind > MAX_DECAY_DAYS:
        text = f"decay is {counted(decayed.days_behind, 'day')} behind"
        yield Problem(Level.BEHIND, "decay", text, "run `leadscore decay`, and schedule it daily with cron")
    if decayed.earliest_date != decayed.latest_date:
        others = f"through {decayed.earliest_date}" if decayed.earliest_date else "not at all"
        text = f"decay is applied through {decayed.latest_date} in some partitions, {others} in others"
        advice = "a decay run or reset is in progress, or was interrupted: if none is running, run it again"
        yield Problem(Level.BEHIND, "decay", text, advice)
    # In some time zones it is already tomorrow.
    if decayed.latest_date and date.fromisoformat(decayed.latest_date) > today + timedelta(days=1):
        text = f"decay is applied through {decayed.latest_date}, which lies in the future"
        yield Problem(Level.BEHIND, "decay", text, "undo it with `leadscore decay reset`")


def _rollout(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Problem]:
    rollout = backlog.rollout
    if backlog.HasField("rollout") and now - wire.to_time(rollout.publish_time) > MAX_ROLLOUT:
        text = f"the rollout of model version {rollout.version} has been running for {age(rollout.publish_time, now)}"
        advice = "check that scoring workers run; look for `rollout failed` and `leads not updated` in their logs"
        yield Problem(Level.BEHIND, "rollout", text, advice)


def _automation(backlog: automation_pb2.GetAutomationBacklogResponse, now: datetime) -> Iterator[Problem]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        changes = counted(stopped.failed_changes, "change")
        text = f"an automation worker has stopped because {changes} failed with {stopped.error}"
        yield Problem(Level.BEHIND, "automation", text, "fix the cause; the worker then resumes by itself")
    if backlog.partitions_behind:
        behind = counted(len(backlog.partitions_behind), "automation partition is", "automation partitions are")
        text = f"{behind} behind, the oldest change has waited for {age(backlog.oldest_change_time, now)}"
        advice = "check that automation workers run, or start more; look for `drain failed` in their logs"
        yield Problem(Level.BEHIND, "automation", text, advice)
    if backlog.HasField("hold"):
        hold = backlog.hold
        text = f"deliveries are on hold for {age(hold.hold_time, now)}, by {hold.actor}: {hold.reason}"
        yield Problem(Level.BEHIND, "deliveries", text, "deliver or cancel them with `leadscore deliveries release`")
    elif backlog.HasField("oldest_due_time") and now - wire.to_time(backlog.oldest_due_time) > MAX_DUE:
        deliveries = counted(backlog.due_deliveries, "delivery is", "deliveries are")
        text = f"{deliveries} due, the oldest for {age(backlog.oldest_due_time, now)}"
        yield Problem(Level.BEHIND, "deliveries", text, "check that automation workers run, or start more")
    if backlog.parked_changes:
        changes = counted(backlog.parked_changes, "change is parked and was", "changes are parked and were")
        text = f"{changes} not evaluated by any rule"
        yield _parked("parked changes", text)


def _parked(subject: str, text: str) -> Problem:
    advice = "see the reasons with `leadscore parked list`, then use `leadscore parked retry` or `discard`"
    return Problem(Level.BEHIND, subject, text, advice)
