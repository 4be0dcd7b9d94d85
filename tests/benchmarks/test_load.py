"""The events that benchmarks send."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.harness.load import FUNNEL_LEADS, Funnel, funnel_sizes, load
from shared import wire


def test_the_parts_of_a_load_have_all_events_and_share_no_lead() -> None:
    sent = load("x", 1_000, 50)
    parts = [sent.part(number, 4) for number in range(4)]
    assert len({event.event_id for part in parts for event in part}) == 1_000
    leads = [{event.lead_id for event in part} for part in parts]
    assert sum(map(len, leads)) == len(set().union(*leads)) == 50


def test_each_part_of_a_load_is_in_order_of_time() -> None:
    for number in range(4):
        times = [event.event_time for event in load("x", 100, 10).part(number, 4)]
        assert times == sorted(times)


def test_the_events_of_a_load_all_happen_shortly_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    now = wire.now()
    monkeypatch.setattr(wire, "now", lambda: now)
    # Or those of the next load would come late, and be folded again with what came before.
    times = [event.event_time for number in range(4) for event in load("x", 20_000, 10).part(number, 4)]
    assert max(times) - min(times) < timedelta(seconds=2)
    assert timedelta(0) <= now - max(times) < timedelta(seconds=2)


def test_a_load_again_has_new_events_of_the_same_leads() -> None:
    first = load("x", 200, 5)
    again = first.again()
    events, others = first.part(0, 1), again.part(0, 1)
    assert not {event.event_id for event in events} & {event.event_id for event in others}
    assert {event.lead_id for event in events} == {event.lead_id for event in others}


def test_a_made_up_funnel_has_the_shape_of_the_real_one() -> None:
    sizes = funnel_sizes(FUNNEL_LEADS)
    assert 145_000 < sum(sizes) < 165_000
    assert (sizes[0], sizes[FUNNEL_LEADS // 2], sizes[-1]) == (3, 10, 174)


def test_a_funnel_is_shuffled_and_every_client_sends_a_part_of_it() -> None:
    funnel = Funnel("f", leads=40)
    events = funnel.all()
    assert [event.event_time for event in events] != sorted(event.event_time for event in events)
    assert Counter(event.event_id for number in range(4) for event in funnel.part(number, 4)) == Counter(
        event.event_id for event in events
    )


def test_a_funnel_reads_a_file(tmp_path: Path) -> None:
    row = {
        "lead_id": "a",
        "event_id": "a-1",
        "event_type": "A_SUBMITTED",
        "occurred_at": "2011-10-01T10:00:00.123Z",
        "properties": {"seq": 0},
    }
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (event,) = Funnel("run", path=path).all()
    assert (event.event_id, event.lead_id, event.event_time.microsecond) == ("run-a-1", "run-a", 123_000)
