"""What reached the golden leads. Each story is about one thing that a release could get wrong."""

from dataclasses import replace
from datetime import timedelta

from scoring_service.domain.model import Decay, Limit, Period, Rule, RuleGroup, ScoringModel, Stage
from scoring_service.store.schema import built_in
from tests.golden.documents import Document


def models() -> dict[str, ScoringModel]:
    """Returns the models of the stories by name."""
    base = built_in()
    campaign = replace(
        base,
        display_name="Campaign",
        score_ceiling=100,
        groups=(RuleGroup("content", 60), RuleGroup("web", 25, "content")),
        rules=(
            Rule("page_view", ("page_view",), 5, limits=(Limit(Period.DAY, max_times=2),), group_id="web"),
            Rule("download", ("download",), 10, limits=(Limit(Period.THIRTY_DAYS, max_points=25),), group_id="content"),
            Rule("signup", ("signup",), 20, limits=(Limit(Period.EVER, max_times=1),)),
            Rule("demo_request", ("demo_request",), 50),
            Rule("unsubscribe", ("unsubscribe",), -40),
        ),
        decay=Decay(timedelta(days=3), half_life=timedelta(days=10), floor=5),
    )
    generous = replace(base, display_name="Generous", rules=tuple(replace(r, points=2 * r.points) for r in base.rules))
    forgiving = replace(
        base,
        display_name="Forgiving",
        score_floor=-100,
        stages=(Stage("disqualified", -100), *base.stages),
        decay=Decay(timedelta(days=7), percent_per_day=5, toward_zero=True),
    )
    return {"built_in": base, "campaign": campaign, "generous": generous, "forgiving": forgiving}


def stories() -> dict[str, Document]:
    """Returns all stories by name."""
    return {
        "in_order": story(
            "Events in order, an event type without a rule, and attributes.",
            record(
                event("e1", "page_view", "2026-03-01T09:00:00+00:00"),
                event("e2", "identify", "2026-03-01T09:01:00+00:00", company="Acme", size=40),
                event("e3", "webinar_joined", "2026-03-01T09:02:00+00:00"),
            ),
            record(event("e4", "identify", "2026-03-01T10:00:00+00:00", size=45)),
            record(event("e5", "demo_request", "2026-03-02T10:00:00+00:00"), through="2026-03-02"),
        ),
        "late_events": story(
            "Two late events between an event and the decay that followed it; one RECALCULATION settles the rest.",
            record(event("e1", "contract_signed", "2026-03-01T09:00:00+00:00")),
            record(through="2026-03-20"),
            record(
                event("e3", "signup", "2026-03-12T12:00:00+00:00"),
                event("e2", "download", "2026-03-03T12:00:00+00:00"),
                through="2026-03-20",
            ),
            record(event("e4", "page_view", "2026-03-20T08:00:00+00:00"), through="2026-03-20"),
        ),
        "limits": story(
            "Limits per day, per 30 days and for ever; a late event uses up the limit of a later one.",
            record(*(event(f"v{n}", "page_view", f"2026-03-01T0{n}:00:00+00:00") for n in range(1, 5))),
            record(*(event(f"d{n}", "download", f"2026-03-0{n}T12:00:00+00:00") for n in range(2, 6))),
            record(
                event("s1", "signup", "2026-03-06T12:00:00+00:00"), event("s2", "signup", "2026-03-07T12:00:00+00:00")
            ),
            record(event("v0", "page_view", "2026-03-01T00:30:00+00:00")),
            record(event("d9", "download", "2026-04-03T12:00:00+00:00")),
            models=["campaign"],
        ),
        "groups": story(
            "A group inside a group: the caps of both bound what their rules give together.",
            record(
                *(event(f"v{day}", "page_view", f"2026-03-{day:02}T09:00:00+00:00") for day in range(1, 8)),
                *(event(f"w{day}", "page_view", f"2026-03-{day:02}T10:00:00+00:00") for day in range(1, 8)),
            ),
            record(*(event(f"d{day:02}", "download", f"2026-03-{day:02}T12:00:00+00:00") for day in range(1, 8))),
            record(event("x1", "download", "2026-04-20T12:00:00+00:00"), through="2026-04-21"),
            models=["campaign"],
        ),
        "floor_and_ceiling": story(
            "The floor and the ceiling cut what events do, also when a late one moves the cut.",
            record(event("e1", "unsubscribe", "2026-03-01T09:00:00+00:00")),
            record(
                event("e2", "demo_request", "2026-03-02T09:00:00+00:00"),
                event("e3", "demo_request", "2026-03-02T10:00:00+00:00"),
                event("e4", "demo_request", "2026-03-02T11:00:00+00:00"),
            ),
            record(event("e6", "unsubscribe", "2026-03-03T09:00:00+00:00")),
            record(event("e5", "demo_request", "2026-03-02T12:00:00+00:00")),
            models=["campaign"],
        ),
        "decay_over_months": story(
            "Two runs over four months of inactivity, 5 % a day rounded down, then a new event.",
            record(event("e1", "contract_signed", "2026-01-05T15:30:00+00:00")),
            record(event("e2", "contract_signed", "2026-01-06T15:30:00+00:00")),
            record(through="2026-02-01"),
            record(through="2026-05-01"),
            record(event("e3", "page_view", "2026-05-02T09:00:00+00:00"), through="2026-05-02"),
        ),
        "half_life": story(
            "Decay by a half-life, down to the floor of decay.",
            record(event("e1", "demo_request", "2026-03-01T09:00:00+00:00")),
            record(through="2026-03-06"),
            record(through="2026-03-20"),
            record(through="2026-06-01"),
            models=["campaign"],
        ),
        "toward_zero": story(
            "A negative score decays up to zero; a late event raises it from where decay had taken it.",
            record(*(event(f"e{n}", "unsubscribe", f"2026-03-01T0{n}:00:00+00:00") for n in range(1, 4))),
            record(through="2026-03-12"),
            record(event("e4", "signup", "2026-03-10T12:00:00+00:00"), through="2026-03-12"),
            record(through="2026-03-25"),
            record(through="2026-06-01"),
            models=["forgiving"],
        ),
        "rescore": story(
            "A model published from now on, then one published for all time.",
            record(event("e1", "signup", "2026-03-01T09:00:00+00:00")),
            record(event("e2", "signup", "2026-03-11T09:00:00+00:00"), published=2),
            record(event("e3", "page_view", "2026-03-09T09:00:00+00:00")),
            record(event("e4", "page_view", "2026-03-21T09:00:00+00:00"), published=3),
            record(through="2026-03-31"),
            models=["built_in", "generous", "campaign"],
            publications=[
                publication(1, "rescore", "1970-01-01T00:00:00+00:00"),
                publication(2, "forward", "2026-03-10T00:00:00+00:00"),
                publication(3, "rescore", "2026-03-20T00:00:00+00:00"),
            ],
        ),
        "retraction": story(
            "A retraction before decay, and a second one of the event that the ceiling had cut.",
            record(*(event(f"e{n}", "demo_request", f"2026-03-0{n}T09:00:00+00:00") for n in range(1, 4))),
            retract("e1", through="2026-03-05"),
            record(through="2026-03-12"),
            retract("e3", through="2026-03-12"),
            models=["campaign"],
        ),
        "adjustment_with_target": story(
            "An adjustment to a target, one by points in the past, and events around both.",
            record(event("e1", "demo_request", "2026-03-01T09:00:00+00:00")),
            record(adjustment("a1", "2026-03-02T09:00:00+00:00", -20, target=30)),
            record(adjustment("a2", "2026-03-01T12:00:00+00:00", 15)),
            record(event("e2", "page_view", "2026-03-02T08:00:00+00:00"), through="2026-03-15"),
        ),
        "daylight_saving": story(
            "Vienna puts its clocks forward on 29 March and back on 25 October, so these days have 23 and 25 hours.",
            record(event("e1", "demo_request", "2026-03-26T22:30:00+00:00"), through="2026-03-28"),
            *(record(through=f"2026-03-{day}") for day in (29, 30, 31)),
            record(event("v1", "page_view", "2026-10-24T21:59:59+00:00"), through="2026-10-24"),
            record(
                event("v2", "page_view", "2026-10-24T22:00:00+00:00"),
                event("w2", "page_view", "2026-10-25T12:00:00+00:00"),
                event("v3", "page_view", "2026-10-25T22:59:59+00:00"),
                event("v4", "page_view", "2026-10-25T23:00:00+00:00"),
                through="2026-10-26",
            ),
            time_zone="Europe/Vienna",
            models=["campaign"],
        ),
        "deferred_ticks": story(
            "Events that lie weeks apart arrive before decay has run at all; then one run applies all ticks.",
            record(
                event("e1", "contract_signed", "2026-01-01T09:00:00+00:00"),
                event("e2", "page_view", "2026-01-15T09:00:00+00:00"),
                event("e3", "unsubscribe", "2026-01-30T09:00:00+00:00"),
            ),
            record(through="2026-02-10"),
        ),
    }


def story(
    about: str,
    *steps: Document,
    time_zone: str = "UTC",
    models: list[str] | None = None,
    publications: list[Document] | None = None,
) -> Document:
    """Returns a story; without publications, its first model holds for all time."""
    return {
        "about": about,
        "time_zone": time_zone,
        "models": models or ["built_in"],
        "publications": publications or [publication(1, "rescore", "1970-01-01T00:00:00+00:00")],
        "steps": list(steps),
    }


def publication(number: int, mode: str, publish_time: str) -> Document:
    """Returns the publication of the model of its number."""
    version = {"version": number, "base_version": number - 1}
    return {"number": number, **version, "mode": mode, "publish_time": publish_time}


def record(*facts: Document, through: str | None = None, published: int | None = None) -> Document:
    """Facts arrive together, after decay has run through a date and so many models have been published."""
    step: Document = {"through": through, "facts": list(facts)}
    return step if published is None else {"published": published, **step}


def retract(event_id: str, *, through: str) -> Document:
    """Someone retracts an event."""
    return {"through": through, "retract": event_id}


def event(event_id: str, event_type: str, event_time: str, **properties: str | int) -> Document:
    """Returns an event."""
    document: Document = {"event_id": event_id, "event_type": event_type, "event_time": event_time}
    return document | {"properties": properties} if properties else document


def adjustment(request_id: str, event_time: str, points: int, *, target: int | None = None) -> Document:
    """Returns an adjustment."""
    document: Document = {"event_id": f"adjustment:{request_id}", "event_time": event_time, "points": points}
    document |= {"reason": "a trade fair", "actor": "ops@example.com"}
    return document if target is None else document | {"target": target}
