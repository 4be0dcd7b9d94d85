"""What is historical, or published quietly, is in no transition of a change, so no automation can fire for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.lead import Transition
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Mode
from tests.examples import examples
from tests.scoring.conftest import Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.strategies import START
from tests.scoring.test_worlds import Live, lasts
from tests.scoring.worlds import Act, Adjusted, Published, Scored, models, scripts

DAY = timedelta(days=1)
KIND = {0: "page_view", 20: "signup", 50: "demo_request", 100: "contract_signed"}


def event(number: int, points: int, days: float, *, historical: bool = False) -> Event:
    return Event(f"e{number}", KIND[points], START + days * DAY, {}, historical)


def transitions(live: Live) -> list[tuple[list[int], list[str]]]:
    """Returns the scores and the event ids of the transitions of the last update."""
    found = live.stored.updates[-1].transitions
    return [([point.score for point in each.path], [event.event_id for event in each.events]) for each in found]


def built_in() -> Live:
    return Live({1: replace(BUILT_IN, version=1)})


def decay(live: Live, days: int) -> None:
    live.finish(START.date() + days * DAY)


def test_history_moves_a_lead_quietly_and_the_next_live_event_is_seen_from_there() -> None:
    live = built_in()
    live.do(Scored([event(1, 50, 0, historical=True), event(2, 20, 1, historical=True)]))
    assert (live.lead.state.score, transitions(live)) == (70, [])
    live.do(Scored([event(3, 20, 2)]))
    assert transitions(live) == [([70, 90], ["e3"])]


def test_the_decay_of_history_is_quiet_until_a_live_event_came() -> None:
    live = built_in()
    live.do(Scored([event(1, 100, 0, historical=True)]))
    decay(live, 9)
    assert (live.lead.state.score < 100, transitions(live)) == (True, [])
    live.do(Scored([event(2, 20, 9.5)]))
    before = live.lead.state.score
    decay(live, 19)
    [(scores, ids)] = transitions(live)
    assert (scores[0], ids, scores[-1] < before) == (before, [], True)


def test_late_history_is_quiet_although_the_last_event_is_live() -> None:
    live = built_in()
    live.do(Scored([event(1, 20, 10)]))
    live.do(Scored([event(2, 50, 0, historical=True)]))
    assert transitions(live) == []
    decay(live, 18)
    assert len(transitions(live)) == 1, "the inactivity follows a live event"


def test_ticks_that_were_deferred_in_history_are_quiet_after_a_live_event() -> None:
    """A year of history is imported before decay has ever run, and the lead comes back."""
    live = built_in()
    live.do(Scored([event(1, 100, 0, historical=True), event(2, 50, 30, historical=True)]))
    live.do(Scored([event(3, 20, 60)]))
    decay(live, 61)
    assert (live.lead.state.score < 170, transitions(live)) == (True, [])


def test_a_late_live_event_is_seen_without_the_deferred_ticks_of_history() -> None:
    live = built_in()
    live.do(Scored([event(1, 100, 0, historical=True), event(2, 50, 30)]))
    live.through = START.date() + 31 * DAY
    live.do(Scored([event(3, 20, 29)]))
    assert transitions(live) == [([live.lead.state.score], ["e3"])]


def test_a_quiet_publication_is_quiet_and_a_retraction_only_of_history() -> None:
    double = replace(BUILT_IN, rules=tuple(replace(each, points=2 * each.points) for each in BUILT_IN.rules))
    for quiet in (True, False):
        live = built_in()
        live.do(Scored([event(1, 20, 0), event(2, 20, 1)]))
        live.do(Published(Mode.RESCORE, double, DAY, at_once=False))
        live.publications[-1] = replace(live.publications[-1], quiet=quiet)
        live.finish(None)
        assert transitions(live) == ([] if quiet else [([40, 80], [])])


@given(models(), scripts(), lasts)
@examples(150)
def test_without_history_the_transitions_are_the_whole_path(
    model: ScoringModel, script: list[Act], last: date | None
) -> None:
    live = Live({1: replace(model, version=1)})
    for act in script:
        live.do(act)
    live.finish(last)
    for update in live.stored.updates:
        joined = [point for transition in update.transitions for point in transition.path]
        assert list(_without_repeats(joined)) in ([], list(update.path)) or len(update.path) == 1
        assert len(update.path) == 1 or joined
    seen = [each.event_id for update in live.stored.updates for part in update.transitions for each in part.events]
    assert sorted(seen) == sorted({each.event_id for act in script if isinstance(act, Scored) for each in act.events})


@given(models(), scripts(), lasts, st.randoms(use_true_random=False))
@examples(150)
def test_what_is_historical_is_in_no_transition(
    model: ScoringModel, script: list[Act], last: date | None, chance: object
) -> None:
    """Law 9. History changes neither score nor stage; only events of one kind are recorded together."""
    marked = [_marked(act, historical=chance.random() < 0.5) for act in script]  # type: ignore[attr-defined]
    live, plain = Live({1: replace(model, version=1)}), Live({1: replace(model, version=1)})
    for act, unmarked in zip([*marked, Scored([])], [*script, Scored([])], strict=True):
        live.do(act)
        plain.do(unmarked)
        assert live.lead.state.score == plain.lead.state.score
        _check_last_update(live, act)
    live.finish(last)
    _check_last_update(live, Scored([]))


@given(models(), scripts(), lasts)
@examples(150)
def test_a_lead_of_history_alone_has_no_transition(model: ScoringModel, script: list[Act], last: date | None) -> None:
    """Whatever decays it, publishes a model or retracts its events; only adjustments are seen."""
    live = Live({1: replace(model, version=1)})
    for act in script:
        if not isinstance(act, Adjusted):
            live.do(_marked(act, historical=True))
    live.finish(last)
    assert not any(update.transitions for update in live.stored.updates)


def _check_last_update(live: Live, act: Act) -> None:
    found = live.stored.updates[-1].transitions if live.stored.updates else ()
    asleep = live.lead.state.last_event_historical
    by_events = [each for each in found if each.events]
    assert not any(event.historical for each in by_events for event in each.events)
    if isinstance(act, Scored) and act.events and not act.events[0].historical:
        assert sorted(event.event_id for each in by_events for event in each.events) == sorted(
            event.event_id for event in act.events
        )
    if isinstance(act, Scored) and asleep and (not act.events or act.events[0].historical):
        assert _of_live_inactivity(live, found) or not found


def _of_live_inactivity(live: Live, found: Sequence[Transition]) -> bool:
    """Returns whether the lead was awake before the update, so that its ticks and publications were live."""
    return bool(found) and not live.stored.updates[-1].before.state.last_event_historical


def _marked(act: Act, *, historical: bool) -> Act:
    if not isinstance(act, Scored):
        return act
    return Scored([each._replace(historical=historical) for each in act.events])


def _without_repeats(points: Sequence[object]) -> list[object]:
    return [points[0], *(after for before, after in pairwise(points) if after != before)] if points else []


async def test_a_lead_gets_live_and_historical_events_in_separate_changes(scoring: Scoring) -> None:
    """They are pending together; those that were accepted first come first."""
    await scoring.put(("e1", "ada", "demo_request", days_ago(2)))
    scoring.now += timedelta(seconds=1)
    await scoring.put(("e2", "ada", "signup", days_ago(20)), ("e3", "ada", "signup", days_ago(1)))
    await scoring.database["events"].update_many({"_id": {"$in": ["e2", "e3"]}}, {"$set": {"historical": True}})
    scoring.now += timedelta(seconds=1)
    await scoring.put(("e4", "ada", "contract_signed", days_ago(0.5)))
    while await scoring.drain_all():
        pass
    rows = await scoring.changes.rows.find().sort("_id").to_list()
    changes = [change for row in rows for change in row["changes"]]
    assert [[each["scores"] for each in change["transitions"]] for change in changes] == [[[0, 50]], [], [[90, 190]]]
    [sent] = changes[0]["transitions"][0]["events"]
    assert (sent["event_id"], sent["event_type"], sent["properties"]) == ("e1", "demo_request", {})
    assert await scoring.verify() == []


async def test_a_rebuild_reports_no_change(scoring: Scoring) -> None:
    await scoring.put(("e1", "ada", "demo_request", days_ago(2)))
    await scoring.drain_all()
    await scoring.database["leads"].update_one({"_id": "ada"}, {"$set": {"score": 3}})
    before = await scoring.changes.count_pending()
    assert (await scoring.rebuild.one("ada")).changed
    assert await scoring.changes.count_pending() == before


def test_an_adjustment_is_seen_although_the_lead_has_only_history() -> None:
    live = built_in()
    live.do(Scored([event(1, 20, 0, historical=True)]))
    live.do(Adjusted(1, START + DAY, 30, None))
    assert transitions(live) == [([20, 50], [])]
