"""Complete lists of all leads and all entries, over the real use cases and a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.store import exports
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import Stub, adjusting, at, listing


async def entries_of(
    stub: Stub, meanwhile: Callable[[int], Awaitable[None]] | None = None, **query: Any
) -> list[pb.ScoreEntry]:
    """Returns all entries, page by page; `meanwhile` runs after each page, with its number."""
    return [entry async for page in entry_pages(stub, meanwhile, **query) for entry in page.entries]


async def entry_pages(
    stub: Stub, meanwhile: Callable[[int], Awaitable[None]] | None = None, **query: Any
) -> AsyncIterator[pb.ListScoreEntriesResponse]:
    """Yields the pages of a list of all entries."""
    request = pb.ListScoreEntriesRequest(**query)
    for number in range(100):
        page = await stub.ListScoreEntries(request)
        yield page
        if meanwhile:
            await meanwhile(number)
        request.page_token = page.next_page_token
        if not request.page_token:
            return
    raise AssertionError("expected the tokens to come to an end")


def by_partition(scoring: Scoring) -> Callable[[tuple[str, int]], tuple[int, str, int]]:
    """Returns the key by which entries, each given as lead and sequence, are ordered."""
    return lambda entry: (scoring.events.partition_of(entry[0]), *entry)


async def seed(scoring: Scoring, stub: Stub) -> None:
    """Three leads with events, and an adjustment of the second."""
    for lead in "abc":
        await scoring.put(
            *((f"{lead}{day}", lead, "page_view", days_ago(day)) for day in (3, 2, 1)), url=f"/{lead}", visits=2
        )
    await scoring.drain_all()
    await stub.AdjustLeadScore(adjusting(lead_id="b", delta=7))


async def test_entries_of_all_leads_are_listed_lead_by_lead(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring, stub)
    entries = [(lead, sequence) for lead in "abc" for sequence in range(1, 5 if lead == "b" else 4)]
    expected = sorted(entries, key=by_partition(scoring))
    for size in (1, 2, 3, 10, 0):
        found = await entries_of(stub, page_size=size)
        assert [(each.lead_id, each.sequence) for each in found] == expected, f"pages of {size}"
    whole = await stub.ListScoreHistory(pb.ListScoreHistoryRequest(lead_id="b"))
    own = [entry for entry in await entries_of(stub) if entry.lead_id == "b"]
    assert dict(own[0].properties) == {"url": "/b", "visits": 2.0}, "expected an export to have the properties"
    for entry in own:
        entry.ClearField("properties")
    assert own == list(whole.entries), "expected the same entries as in the history of the lead"


async def test_entries_are_filtered_by_kind_and_event_time(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring, stub)
    for query, expected in (
        ({"kinds": [pb.ENTRY_KIND_ADJUSTMENT]}, ["adjustment:r1"]),
        ({"kinds": [pb.ENTRY_KIND_EVENT], "from_time": at(days_ago(1))}, ["a1", "b1", "c1"]),
        ({"until_time": at(days_ago(2))}, ["a3", "b3", "c3"]),
        ({"from_time": at(days_ago(2)), "until_time": at(days_ago(1))}, ["a2", "b2", "c2"]),
    ):
        for size in (1, 0):
            found = await entries_of(stub, page_size=size, **query)
            assert sorted(each.event_id for each in found) == expected, f"{query}, pages of {size}"


async def test_an_export_has_every_entry_that_existed_when_it_began(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring, stub)
    at_start = {(each.lead_id, each.sequence) for each in await entries_of(stub)}

    async def write(number: int) -> None:
        # Before and after the place that the export has reached, with late events and new leads.
        await scoring.put(
            *((f"new-{number}-{lead}", lead, "signup", days_ago(2.5)) for lead in ("0", "a", "bb", "c", f"z{number}"))
        )
        await scoring.drain_all()

    found = [(each.lead_id, each.sequence) for each in await entries_of(stub, write, page_size=2)]
    assert found == sorted(set(found), key=by_partition(scoring)), "expected each entry once, in order"
    assert at_start <= set(found), "expected every entry that existed at the start"


async def test_a_list_of_leads_by_id_has_every_lead_that_existed_when_it_began(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring, stub)
    request, found = listing(order=pb.LEAD_ORDER_LEAD_ID, page_size=1), list[str]()
    for number in range(4):
        page = await stub.ListLeadScores(request)
        found += [each.lead_id for each in page.lead_scores]
        # A lead that has been listed, one that will be, and a new one on either side.
        new = (("a", "signup"), ("c", "demo_request"), (f"0{number}", "signup"), (f"b{number}", "signup"))
        await scoring.put(*((f"{number}-{lead}", lead, kind, NOW) for lead, kind in new))
        await scoring.drain_all()
        request.page_token = page.next_page_token
    request.page_size = 100
    found += [each.lead_id for each in (await stub.ListLeadScores(request)).lead_scores]
    assert set("abc") <= set(found), "expected the leads that existed at the start"
    assert found == sorted(set(found)), "expected each lead once, in order"


async def test_leads_are_filtered_by_the_time_of_their_last_event(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(3)), ("e2", "bob", "signup", days_ago(1)))
    await scoring.drain_all()
    for since, expected in ((days_ago(1), ["bob"]), (days_ago(3), ["ada", "bob"]), (NOW, [])):
        for order in (pb.LEAD_ORDER_LEAD_ID, pb.LEAD_ORDER_SCORE):
            page = await stub.ListLeadScores(listing(order=order, active_since=at(since)))
            assert [each.lead_id for each in page.lead_scores] == expected, f"active since {since}"


async def test_pages_are_cut_where_events_are_large(
    scoring: Scoring, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_BYTES", 1_500)
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(9 - n)) for n in range(6)), text="x" * 500)
    await scoring.drain_all()
    pages = [page async for page in entry_pages(stub)]
    assert [each.event_id for page in pages for each in page.entries] == [f"e{n}" for n in range(6)]
    assert len(pages) == 6, "expected a page per event: two do not fit"


async def test_all_accepted_events_are_listed_by_id_whatever_became_of_them(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(2)), ("e3", "bob", "signup", days_ago(1)), plan="pro", seats=3)
    await scoring.drain_all()
    await scoring.put(("e2", "cy", "signup", NOW), ("e4", "dee", "signup", NOW), plan="free")
    await scoring.events.rows.update_one({"_id": "e4"}, {"$set": {"state": "parked", "attempts": 5}})
    for size in (1, 3, 0):
        request, found = pb.ListEventsRequest(page_size=size), list[pb.AcceptedEvent]()
        while not found or request.page_token:
            page = await stub.ListEvents(request)
            found += page.events
            request.page_token = page.next_page_token
        assert [each.event_id for each in found] == ["e1", "e2", "e3", "e4"], f"pages of {size}"
        states = [pb.EventState.Name(each.state).removeprefix("EVENT_STATE_") for each in found]
        assert states == ["SCORED", "PENDING", "SCORED", "PARKED"]
        assert [each.properties["plan"] for each in found] == ["pro", "free", "pro", "free"], (
            "expected the properties, wherever they are stored"
        )
    assert (found[0].lead_id, found[0].event_time, found[0].properties["seats"]) == ("ada", at(days_ago(2)), 3)
    within = await stub.ListEvents(pb.ListEventsRequest(from_time=at(days_ago(2)), until_time=at(days_ago(1))))
    assert [each.event_id for each in within.events] == ["e1"]


async def test_the_list_of_events_has_every_event_that_was_accepted_before(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"m{number}", "ada", "signup", days_ago(1)) for number in range(6)))
    request, found = pb.ListEventsRequest(page_size=2), list[str]()
    for number in range(20):
        page = await stub.ListEvents(request)
        found += [each.event_id for each in page.events]
        await scoring.put((f"a{number}", "ada", "signup", NOW), (f"m3-{number}", "bob", "signup", NOW))
        await scoring.drain_all()
        request.page_token = page.next_page_token
        if not request.page_token or number > 8:
            break
    request.page_size = 1_000
    found += [each.event_id for each in (await stub.ListEvents(request)).events] if request.page_token else []
    assert {f"m{number}" for number in range(6)} <= set(found), "expected the events that were accepted before"
    assert found == sorted(set(found)), "expected each event once, in order"
