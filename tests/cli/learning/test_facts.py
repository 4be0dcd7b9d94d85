"""What is known about leads at their landmark, and what is left out."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning import sample
from cli.learning.checks import attribute_notes
from cli.learning.facts import Facts, Limits
from cli.learning.histories import Seen, histories
from cli.learning.kinds import Kind
from shared import wire
from shared.outcomes import Outcome
from tests.cli.learning.leads import BEGAN, DAY, QUESTION, collected, facts_of, identified, made, with_outcomes


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
    question = replace(QUESTION, train_before=BEGAN + 50 * DAY)
    found = collected(leads, question)
    assert (found.leads, found.excluded_by_time) == (0, 1)
    assert found.left_out == {Outcome.DECIDED_BEFORE: 1, Outcome.CENSORED: 1}
    later = collected(leads, question, later=True)
    assert (later.leads, later.excluded_by_time) == (1, 2)


def sums_of(facts: Facts) -> dict[Kind, int]:
    return dict(zip(facts.kinds, np.asarray(facts.counts().sum(axis=0)).ravel().tolist(), strict=True))


def test_events_are_told_apart_by_a_property() -> None:
    values = [*(float(amount) for amount in range(1, 9)), "big", None, True] * 20
    leads = [
        [Seen("apply", BEGAN + number * DAY, {"amount": value}), Seen("lost", BEGAN + (number + 9) * DAY, {})]
        for number, value in enumerate(values)
    ]
    assert sums_of(facts_of(leads, splits={"apply": "amount"})) == {
        Kind("apply"): 20,
        Kind("apply", "amount", equals="big"): 20,
        Kind("apply", "amount", equals=True): 20,
        Kind("apply", "amount", less_than=3): 40,
        Kind("apply", "amount", at_least=3, less_than=5): 40,
        Kind("apply", "amount", at_least=5, less_than=7): 40,
        Kind("apply", "amount", at_least=7): 40,
    }


def test_attributes_are_those_at_the_landmark() -> None:
    attributes = [{"company": {"seats": "5"}, "role": "x", "tags": ["a", "B"], "ok": True, "name": "x" * 300}] * 25
    leads = [
        [
            *each,
            Seen("identify", each[0].time + DAY, {"plan": "pro", "company": {"name": "A"}, "role": None}),
            Seen("identify", each[0].time + 8 * DAY, {"plan": "late"}),
        ]
        for each in identified(attributes)
    ]
    found = sums_of(facts_of(with_outcomes(leads, [0.0] * 25)))
    assert found == {
        Kind("", "company.name", equals="A"): 25,
        Kind("", "ok", equals=True): 25,
        Kind("", "plan", equals="pro"): 25,
        Kind("", "tags", word="a"): 25,
        Kind("", "tags", word="b"): 25,
    }


def test_an_attribute_with_many_values_gives_few_kinds() -> None:
    attributes = [{"title": f"Engineer {number}", "plan": "free"} for number in range(10_000)]
    found = collected(with_outcomes(identified(attributes), [0.0] * 10_000))
    facts = Facts.of(found)
    assert len(facts.kinds) <= 32
    assert Kind("", "title", word="engineer") in facts.kinds
    assert list(attribute_notes(found.sample())) == [
        "attribute 'plan' is the same for all leads, so it tells nothing",
        (
            "attribute 'title' has 10,000 different texts: only the 10 most frequent ones and the 20 most frequent "
            "words are tried"
        ),
    ]


def test_retracted_events_are_left_out() -> None:
    def entry(lead_id: str, event_id: str, days: float, kind: pb.EntryKind = pb.ENTRY_KIND_EVENT) -> pb.ScoreEntry:
        time = wire.to_timestamp(BEGAN + days * DAY)
        return pb.ScoreEntry(
            lead_id=lead_id,
            event_id=event_id,
            event_type=event_id,
            event_time=time,
            kind=kind,
            properties=wire.to_struct({"a": 1}),
        )

    entries = [
        entry("ada", "late", 3),
        entry("ada", "mistake", 2),
        entry("ada", "early", 1),
        entry("ada", "retraction:mistake", 2, pb.ENTRY_KIND_RETRACTION),
        entry("bob", "only", 0),
    ]
    found = list(histories(entries, {"only"}))
    assert [(lead_id, [seen.event_type for seen in events]) for lead_id, events in found] == [
        ("ada", ["early", "late"]),
        ("bob", ["only"]),
    ]
    assert [seen.properties for _, events in found for seen in events] == [{}, {}, {"a": 1}]


def test_what_was_recorded_later_was_not_known() -> None:
    entries = [
        pb.ScoreEntry(
            lead_id="ada",
            event_id=name,
            event_type=name,
            kind=pb.ENTRY_KIND_EVENT,
            event_time=wire.to_timestamp(BEGAN + day * DAY),
            record_time=wire.to_timestamp(BEGAN + recorded * DAY),
        )
        for name, day, recorded in (("signup", 0, 0), ("visit", 1, 9), ("lost", 10, 10))
    ]
    for as_known, expected in ((True, {"signup"}), (False, {"signup", "visit"})):
        [(_, events)] = histories(entries, as_known=as_known)
        assert {kind.event_type for kind in facts_of([events]).kinds} == expected


def test_limits_count_as_the_engine_does() -> None:
    times = [0, 1, 2, 30, 31, 50, 51]
    leads = [[Seen("visit", BEGAN + hours * timedelta(hours=1), {}) for hours in times]]
    facts = facts_of(with_outcomes(leads, [0.0]))
    counted = {
        limits: int((facts.within(facts.codes, limits) >= 0).sum())
        for limits in (Limits(3), Limits(30, 1), Limits(4, 2))
    }
    assert counted == {Limits(3): 3, Limits(30, 1): 3, Limits(4, 2): 4}


def test_days_begin_in_the_time_zone() -> None:
    leads = with_outcomes([[Seen("visit", BEGAN + hours * timedelta(hours=1), {}) for hours in (22, 23)]], [0.0])
    days = [
        len(set(facts_of(leads, time_zone=zone).days.tolist())) for zone in (ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"))
    ]
    assert days == [1, 2]


def test_of_many_leads_a_sample_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MAX_EACH", 100)
    leads = made(2_000)
    found = collected(leads)
    facts = Facts.of(found)
    assert facts.leads == 200
    assert facts.weights.sum() == 2_000
    assert facts.weights[facts.converted].sum() == found.found[True]
    others = collected(leads, seed=1).sample()
    assert {lead.began for lead in others} != {lead.began for lead in found.sample()}
