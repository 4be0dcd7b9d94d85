"""A scorecard finds the points that made the data, and says when there is nothing to find."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.facts import Collector, Facts, Kind, named
from cli.learning.fitted import fitted_model
from cli.learning.histories import Seen, histories
from cli.learning.scorecard import Card, Limits, NothingToLearn, Scorecard, fit
from scoring_service import model_codec
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import Event
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Mode, Publication, Timeline
from shared import wire
from shared.outcomes import Outcome, Question
from tests.cli.fake_scoring import built_in

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUESTION = Question(frozenset({"won"}), frozenset({"lost"}), (7 * DAY,), None, None)
TRUE_POINTS = {"signup": 3, "demo_request": 10, "page_view": 1, "unsubscribe": -6, "download": 5}
BERLIN = ZoneInfo("Europe/Berlin")


def made(leads: int, points: Mapping[str, int] = TRUE_POINTS, seed: int = 1) -> list[list[Seen]]:
    """Returns leads, one an hour, that convert by points: each event happens for half of them, on the first day."""
    chance, found = np.random.default_rng(seed), []
    for number in range(leads):
        began = BEGAN + number * timedelta(hours=1)
        names = [name for name in points if chance.random() < 0.5]
        odds = 0.2 * (sum(points[name] for name in names) - 6)
        converts = chance.random() < 1 / (1 + np.exp(-odds))
        events = [Seen("first", began, {}), *(Seen(name, began + 3 * timedelta(hours=1), {}) for name in names)]
        found.append([*events, Seen("won" if converts else "lost", began + 10 * DAY, {})])
    return found


def collected(
    leads: list[list[Seen]], question: Question = QUESTION, splits: Mapping[str, str] | None = None
) -> Collector:
    collector = Collector(question, leads[-1][-1].time, UTC, splits or {})
    for each in leads:
        collector.add(each)
    return collector


def facts_of(leads: list[list[Seen]]) -> Facts:
    return collected(leads).facts()


def points_of(scorecard: Scorecard) -> dict[str, int]:
    return {card.kind.event_type: card.points for card in scorecard.cards}


def test_the_points_that_made_the_data_are_recovered_within_one() -> None:
    found = fit(facts_of(made(20_000)), max_rules=30, seed=0, signs={})
    points = points_of(found)
    assert set(points) == set(TRUE_POINTS), "the event that all leads have tells nothing"
    scale = 10 / max(map(abs, points.values()))
    for name, true in TRUE_POINTS.items():
        assert points[name] * scale == pytest.approx(true, abs=1), name
    assert found.exact_auc - found.auc <= 0.001


def test_the_same_data_give_the_same_scorecard() -> None:
    first, second = (fit(facts_of(made(2_000)), max_rules=30, seed=7, signs={}) for _ in range(2))
    assert first.cards == second.cards


def test_the_heaviest_rules_are_kept() -> None:
    found = fit(facts_of(made(5_000)), max_rules=2, seed=0, signs={})
    assert set(points_of(found)) == {"demo_request", "unsubscribe"}


def test_a_sign_is_kept_to() -> None:
    found = fit(facts_of(made(5_000)), max_rules=30, seed=0, signs={"unsubscribe": 1, "demo_request": -1})
    points = points_of(found)
    assert points.get("unsubscribe", 0) >= 0
    assert points.get("demo_request", 0) <= 0


def test_noise_gives_no_rules_that_look_good() -> None:
    leads = made(3_000, dict.fromkeys(TRUE_POINTS, 0))
    try:
        found = fit(facts_of(leads), max_rules=30, seed=0, signs={})
    except NothingToLearn:
        return
    assert found.auc < 0.55


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        (("lost", "lost"), "only 0 of 100 leads with a known outcome converted"),
        (("won", "won"), "only 0 of 100 leads with a known outcome did not convert"),
    ],
)
def test_one_outcome_alone_teaches_nothing(types: tuple[str, str], sentence: str) -> None:
    began = [BEGAN + number * DAY for number in range(100)]
    leads = [
        [Seen("signup", time, {}), Seen(types[number % 2], time + 9 * DAY, {})] for number, time in enumerate(began)
    ]
    with pytest.raises(NothingToLearn, match=sentence):
        fit(facts_of(leads), max_rules=30, seed=0, signs={})


def test_leads_without_anything_different_teach_nothing() -> None:
    leads = [
        [
            Seen("signup", BEGAN + number * DAY, {}),
            Seen("won" if number % 3 else "lost", BEGAN + (number + 9) * DAY, {}),
        ]
        for number in range(200)
    ]
    with pytest.raises(NothingToLearn, match="no kind of event tells the leads apart"):
        fit(facts_of(leads), max_rules=30, seed=0, signs={})


def test_only_what_happened_before_the_landmark_is_learnt() -> None:
    late = [
        Seen("signup", BEGAN, {}),
        Seen("download", BEGAN + 7 * DAY, {}),
        Seen("won", BEGAN + 8 * DAY, {}),
    ]
    assert facts_of([late]).kinds == (Kind("signup"),)


def test_leads_that_cannot_be_learnt_from_are_counted() -> None:
    signup = Seen("signup", BEGAN, {})
    leads = [
        [signup, Seen("won", BEGAN + DAY, {})],
        [signup],
        [],
        [Seen("signup", BEGAN + 50 * DAY, {}), Seen("won", BEGAN + 60 * DAY, {})],
    ]
    found = collected(leads, replace(QUESTION, train_before=BEGAN + 50 * DAY))
    assert (found.leads, found.began_later) == (0, 1)
    assert found.left_out == {Outcome.DECIDED_BEFORE: 1, Outcome.CENSORED: 1}


def test_events_are_told_apart_by_a_property() -> None:
    amounts = [float(amount) for amount in range(1, 9)]
    values = [*amounts, "big", "big", None, True]
    leads = [
        [Seen("apply", BEGAN + number * DAY, {"amount": value}), Seen("lost", BEGAN + (number + 9) * DAY, {})]
        for number, value in enumerate(values)
    ]
    facts = collected(leads, splits=named(["apply:amount"])).facts()
    sums = dict(zip(facts.kinds, np.asarray(facts.counts.sum(axis=0)).ravel().tolist(), strict=True))
    assert sums == {
        Kind("apply"): 2,
        Kind("apply", "amount", text="big"): 2,
        Kind("apply", "amount", less_than=2.75): 2,
        Kind("apply", "amount", at_least=2.75, less_than=4.5): 2,
        Kind("apply", "amount", at_least=4.5, less_than=6.25): 2,
        Kind("apply", "amount", at_least=6.25): 2,
    }


@pytest.mark.parametrize("name", ["amount", ":amount", "apply:"])
def test_a_property_needs_the_type_of_its_events(name: str) -> None:
    with pytest.raises(ValueError, match="is not TYPE:PROPERTY"):
        named([name])


def test_retracted_events_are_left_out() -> None:
    def entry(lead_id: str, event_id: str, days: float, kind: pb.EntryKind = pb.ENTRY_KIND_EVENT) -> pb.ScoreEntry:
        time = wire.to_timestamp(BEGAN + days * DAY)
        return pb.ScoreEntry(lead_id=lead_id, event_id=event_id, event_type=event_id, event_time=time, kind=kind)

    entries = [
        entry("ada", "late", 3),
        entry("ada", "mistake", 2),
        entry("ada", "early", 1),
        entry("ada", "retraction:mistake", 2, pb.ENTRY_KIND_RETRACTION),
        entry("bob", "only", 0),
    ]
    assert [[seen.event_type for seen in events] for events in histories(entries)] == [["early", "late"], ["only"]]


def test_the_engine_gives_the_scores_that_were_fitted() -> None:
    """A lead has the same score by the published model as by the scorecard, whatever the order of its events."""
    cards = (
        Card(Kind("apply", "amount", less_than=5.0), Limits(3), -4),
        Card(Kind("apply"), Limits(1), 2),
        Card(Kind("view page"), Limits(30, days=True), 3),
        Card(Kind("call"), Limits(10), -1),
    )
    model = fitted_model(Scorecard(cards, np.array([-5.0, 0, 1, 9]), 4, 2, 0.7, 0.7), built_in(), "fitted")
    read = model_codec.read_model(model, 1)
    timeline = Timeline([Publication(1, 1, 0, Mode.RESCORE, BEGAN)], lambda _: read)
    chance = np.random.default_rng(3)
    for _ in range(50):
        events = [
            Seen(
                str(chance.choice(["apply", "view page", "call"])),
                BEGAN + hours * timedelta(hours=1),
                {"amount": amount},
            )
            for hours, amount in zip(
                sorted(chance.integers(0, 160, 40).tolist()), chance.integers(0, 9, 40).tolist(), strict=True
            )
        ]
        collector = Collector(QUESTION, BEGAN + 30 * DAY, BERLIN, {})
        facts = [Event(str(number), each.event_type, each.time, each.properties) for number, each in enumerate(events)]
        state = fold(timeline, Calendar(BERLIN), timeline.judge_all(facts), None)
        assert state.score == sum(_points(card, events, collector) for card in cards)


def _points(card: Card, events: list[Seen], collector: Collector) -> int:
    def is_special(seen: Seen) -> bool:
        return seen.event_type == "apply" and seen.properties["amount"] < 5

    mine = [
        seen
        for seen in events
        if seen.event_type == card.kind.event_type and is_special(seen) is bool(card.kind.property)
    ]
    times = {seen.time.astimezone(collector.time_zone).date() for seen in mine} if card.limits.days else mine
    return card.points * min(card.limits.times, len(times))


def test_a_fitted_model_is_valid_whatever_it_is_fitted_to() -> None:
    kinds = [Kind("Ä/ß", "x", text=""), Kind("Ä/ß"), Kind("…"), Kind("a" * 256), Kind("a" * 255 + "b")]
    cards = tuple(Card(kind, Limits(1), -1) for kind in kinds)
    base = built_in()
    for number in range(5):
        base.stages.add(stage=f"s{number}", minimum_score=50 + number)
    model = fitted_model(Scorecard(cards, np.zeros(3), 3, 1, 0.6, 0.6), base, "fitted")
    read = model_codec.read_model(model, 1)
    assert len({rule.rule_id for rule in read.rules}) == len(kinds)
    assert [stage.minimum_score for stage in read.stages] == [-5, 0, 1, 2, 3, 4, 5]
