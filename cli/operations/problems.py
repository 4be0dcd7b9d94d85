"""What is wrong with a system, each thing with what to do about it, and the verdict on all of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum

from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.automation.v1 import automation_pb2
from leadscore.scoring.v1 import scoring_pb2

from cli.operations.health import Health
from shared import wire

MAX_DECAY_DAYS = 1
"""Decay runs once a day, shortly after midnight: until then it is a day behind."""
MAX_DUE = timedelta(minutes=1)
"""Deliveries that have been due for longer are behind."""
MAX_ROLLOUT = timedelta(minutes=10)
"""A rollout that has taken longer needs a look."""


class Level(IntEnum):
    """How bad it is; the numbers are exit statuses."""

    OK = 0
    BEHIND = 1
    """Something is behind, or parked, and needs a look."""
    DOWN = 2
    """A process does not serve, or does not answer."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker on this machine: the service that it works for, the port at which it tells its health, and that."""

    service: str
    port: int
    health: Health


@dataclass(frozen=True, slots=True)
class Status:
    """What the services said of themselves at a time.

    `failures` are the services that serve and yet could not answer, and why. What a service did not tell is None.
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
    """Something that needs a look: in a word or two what it is about, what is wrong, and what to do."""

    level: Level
    subject: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on a system."""

    problems: Sequence[Problem]

    @property
    def level(self) -> Level:
        """How bad the worst of it is."""
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
            text, advice = f"serves, but failed: {status.failures[service]}", "look into its log"
        else:
            continue
        yield Problem(Level.DOWN, service, f"the {service} service {text}", advice)
    for worker in status.workers:
        if worker.health is not Health.SERVING:
            subject = f"{worker.service} worker"
            text = f"the {subject} at port {worker.port} does not serve: its loops have not turned for 10 s"
            yield Problem(Level.DOWN, subject, text, "look into its log, then restart it")


def _scoring(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Problem]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        text = f"a scoring worker has stopped, because {stopped.failed_events:,} events failed with {stopped.error}"
        yield Problem(Level.BEHIND, "scoring", text, "mend the cause; the worker then goes on by itself")
    if backlog.partitions_behind:
        text = (
            f"{_count(backlog.partitions_behind, 'scoring partition')} behind, "
            f"the oldest event has waited for {age(backlog.oldest_accept_time, now)}"
        )
        advice = "see that scoring workers run, and start more; look for `drain failed` in their logs"
        yield Problem(Level.BEHIND, "scoring", text, advice)
    if backlog.parked_events:
        text = f"{backlog.parked_events:,} events are parked and not scored"
        yield _parked("parked events", text)


def _decay(decayed: scoring_pb2.DecayedThrough, today: date) -> Iterator[Problem]:
    if decayed.days_behind > MAX_DECAY_DAYS:
        text = f"decay is {decayed.days_behind:,} days behind"
        yield Problem(Level.BEHIND, "decay", text, "run `leadscore decay`, and let cron run it every day")
    if decayed.earliest_date != decayed.latest_date:
        others = f"through {decayed.earliest_date}" if decayed.earliest_date else "not at all"
        text = f"decay is applied through {decayed.latest_date} in some partitions, {others} in others"
        advice = "a run or a reset is under way, or died: if none is running, run it again"
        yield Problem(Level.BEHIND, "decay", text, advice)
    # Somewhere on earth it is tomorrow already.
    if decayed.latest_date and date.fromisoformat(decayed.latest_date) > today + timedelta(days=1):
        text = f"decay is applied through {decayed.latest_date}, which lies in the future"
        yield Problem(Level.BEHIND, "decay", text, "take it back with `leadscore decay reset`")


def _rollout(backlog: scoring_pb2.GetScoringBacklogResponse, now: datetime) -> Iterator[Problem]:
    rollout = backlog.rollout
    if backlog.HasField("rollout") and now - wire.to_time(rollout.publish_time) > MAX_ROLLOUT:
        text = f"version {rollout.version} of the model has been rolled out for {age(rollout.publish_time, now)}"
        advice = "see that scoring workers run; look for `rollout failed` and `leads not updated` in their logs"
        yield Problem(Level.BEHIND, "rollout", text, advice)


def _automation(backlog: automation_pb2.GetAutomationBacklogResponse, now: datetime) -> Iterator[Problem]:
    if backlog.HasField("stopped_drain"):
        stopped = backlog.stopped_drain
        text = (
            f"an automation worker has stopped, because {stopped.failed_changes:,} changes failed with {stopped.error}"
        )
        yield Problem(Level.BEHIND, "automation", text, "mend the cause; the worker then goes on by itself")
    if backlog.partitions_behind:
        text = (
            f"{_count(backlog.partitions_behind, 'automation partition')} behind, "
            f"the oldest change has waited for {age(backlog.oldest_change_time, now)}"
        )
        advice = "see that automation workers run, and start more; look for `drain failed` in their logs"
        yield Problem(Level.BEHIND, "automation", text, advice)
    if backlog.HasField("oldest_due_time") and now - wire.to_time(backlog.oldest_due_time) > MAX_DUE:
        text = f"{backlog.due_deliveries:,} deliveries are due, the oldest for {age(backlog.oldest_due_time, now)}"
        yield Problem(Level.BEHIND, "deliveries", text, "see that automation workers run, and start more")
    if backlog.parked_changes:
        text = f"{backlog.parked_changes:,} changes are parked, and rules are not evaluated at them"
        yield _parked("parked changes", text)


def _parked(subject: str, text: str) -> Problem:
    advice = "see why with `leadscore parked list`, then `leadscore parked retry` or `leadscore parked discard` them"
    return Problem(Level.BEHIND, subject, text, advice)


def _count(partitions: Sequence[object], noun: str) -> str:
    return f"1 {noun} is" if len(partitions) == 1 else f"{len(partitions):,} {noun}s are"


def age(time: Timestamp, now: datetime) -> str:
    """Returns how long ago a time is, in its largest unit, such as `3 min`."""
    seconds = max(0, int((now - wire.to_time(time)).total_seconds()))
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
