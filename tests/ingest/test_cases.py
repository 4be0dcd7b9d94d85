"""Events as they come from outside, in `cases`, and what the ingest service makes of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.ingest.v1 import ingest_pb2 as pb

from ingest_service.domain.event import MAX_EVENTS
from ingest_service.servicer import IngestServicer
from ingest_service.usecases.ingest import Ingest
from shared import wire
from shared.group_commit import GroupCommit
from shared.lead_ids import LeadIds
from tests.ingest.fakes import FakeDoorbell, FakeEventStore, nothing_refused

NOW = datetime(2026, 11, 27, 10, 20, tzinfo=UTC)
CASES = Path(__file__).parent / "cases"

ACCEPTED, DUPLICATE, REJECTED = pb.OUTCOME_ACCEPTED, pb.OUTCOME_DUPLICATE, pb.OUTCOME_REJECTED


def events_of(case: str) -> list[pb.Event]:
    return [_event(json.loads(line)) for line in (CASES / f"{case}.ndjson").read_text().splitlines()]


async def outcomes_of(events: list[pb.Event], store: FakeEventStore, lead_ids: str = "") -> list[pb.EventOutcome]:
    group = GroupCommit(store.put, limit=MAX_EVENTS, seconds=5)
    servicer = IngestServicer(Ingest(store, group, FakeDoorbell(), lambda: NOW, nothing_refused))
    request = pb.BatchIngestEventsRequest(events=events)
    LeadIds(lead_ids).apply(request)
    answer = await servicer.BatchIngestEvents(request, None)  # type: ignore[arg-type]
    return list(answer.outcomes)


def _event(row: dict[str, Any]) -> pb.Event:
    times: dict[str, Any] = {name: _timestamp(row.pop(name)) for name in ("event_time", "sent_time") if name in row}
    return pb.Event(**row, **times)


def _timestamp(text: str) -> Timestamp:
    return wire.to_timestamp(datetime.fromisoformat(text))


async def test_clocks_that_are_wrong() -> None:
    events = events_of("clocks")
    outcomes = await outcomes_of(events, store := FakeEventStore())
    refused = {each.event_id for each in outcomes if each.outcome == REJECTED}
    assert refused == {"ck-3", "ck-4", "ck-6", "ck-7", "ck-16"}, "expected a refusal of times ahead and in 1970"
    assert {each.field for each in outcomes if each.outcome == REJECTED} == {"event_time"}
    corrected = store.events["ck-2"]
    assert (corrected.event_time, corrected.original_time) == (
        datetime(2026, 11, 27, 9, tzinfo=UTC),
        datetime(2026, 11, 28, 9, tzinfo=UTC),
    )


async def test_a_message_that_is_delivered_again() -> None:
    events = events_of("redelivery")
    outcomes = await outcomes_of(events, FakeEventStore())
    found = [(each.event_id, each.outcome) for each in outcomes]
    again = ("ajs-next-1764-01", DUPLICATE)
    assert found == [(again[0], ACCEPTED), again, ("ajs-next-1764-02", ACCEPTED), *[again] * 4]


async def test_properties_that_are_long_or_many() -> None:
    events = events_of("oversized")
    outcomes = await outcomes_of(events, store := FakeEventStore())
    assert [each.outcome for each in outcomes] == [ACCEPTED] * 5, "expected the points of all of them to count"
    assert not any(each.HasField("shortening") for each in outcomes)
    for sent in events:
        assert store.events[sent.event_id].properties == wire.to_dict(sent.properties), "expected them to be whole"


async def test_an_event_with_one_changed_field() -> None:
    first, *_ = events_of("redelivery")
    changed = pb.Event()
    changed.CopyFrom(first)
    changed.properties["form"] = "trial"
    _, conflict = await outcomes_of([first, changed], FakeEventStore())
    assert (conflict.outcome, conflict.reason) == (REJECTED, pb.ERROR_REASON_EVENT_ID_CONFLICT)
    assert conflict.differing_fields == ["properties"]


async def test_spellings_of_one_person_are_warned_of() -> None:
    outcomes = await outcomes_of(events_of("same_person"), FakeEventStore())
    assert {each.outcome for each in outcomes} == {ACCEPTED}
    warnings = {each.event_id: each.warning.partition(",")[0] for each in outcomes if each.warning}
    assert warnings == {
        "same-2": "lead_id: ends with U+0020",
        "same-5": "lead_id: has letters that are not composed (Unicode NFC)",
        "same-6": "lead_id: contains U+200B",
        "same-9": "lead_id: begins with U+FEFF",
        "sp-1": "lead_id: begins with U+0020",
        "sp-2": "event_type: begins with U+0020",
    }


async def test_spellings_of_one_person_are_one_lead_on_request() -> None:
    await outcomes_of(events_of("same_person"), store := FakeEventStore(), "trim,nfc,email")
    assert {event.lead_id for event in store.events.values()} == {
        "jose.garcia@example.com",
        "josé@example.com",
        "zoë@example.com",
        "zoë\u200b@example.com",  # only what is around an id is removed
        "\U0001f984-lead",
        "maria@example.com",
        "pia.space",
    }
