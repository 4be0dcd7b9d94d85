"""CountLeads counts every lead once, in the group that a look at the lead itself would put it in."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.lead_counts import CountQuery, LeadGroup
from scoring_service.store import documents, lead_counts, schema
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.queries import Queries
from shared import mongo
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from shared.indexes import create_indexes
from shared.mongo import Database, Document
from shared.partitions import Partitions
from testkit.serving import refusal
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import Stub, at

HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)
UNUSED: Any = None
ONE = Partitions(1)


@dataclass(frozen=True)
class Lead:
    """A score, and the ages of events, each with whether it was retracted."""

    score: int
    events: Sequence[tuple[timedelta, bool]]

    @property
    def kept(self) -> list[timedelta]:
        """The ages of the events that were not retracted."""
        return [age for age, is_retracted in self.events if not is_retracted]

    def group(self, query: CountQuery) -> LeadGroup:
        """Returns the group of the lead by definition."""
        minimum_score = max((each for each in query.minimum_scores if each <= self.score), default=-7)
        limit = query.max_recent_events[query.minimum_scores.index(minimum_score)]
        return LeadGroup(
            minimum_score,
            recent_events=min(limit, sum(timedelta() <= age < query.recent for age in self.kept)),
            is_idle=not self.kept or min(self.kept) > query.idle,
        )

    def row(self, lead_id: str) -> Document:
        """Returns the fields of its row that matter."""
        last = NOW - min(self.kept) if self.kept else documents.NEVER
        return {"_id": lead_id, "score": self.score, "last_event_time": last}

    def entries(self, lead_id: str) -> list[Document]:
        """Returns the fields of its history that matter."""
        entries = []
        for age, is_retracted in self.events:
            kinds = ["EVENT", "RETRACTION"] if is_retracted else ["EVENT"]
            entries += [{"kind": kind, "event_time": NOW - age, "record_time": NOW} for kind in kinds]
        entries.append({"kind": "DECAY", "event_time": NOW, "record_time": NOW})
        of = {"lead_id": lead_id, "partition": ONE.of(lead_id)}
        return [{**of, "sequence": number, **each} for number, each in enumerate(entries)]


spans = st.sampled_from([timedelta(), HOUR, 24 * HOUR, 24 * HOUR + timedelta(microseconds=400), 168 * HOUR])
ages = st.builds(lambda span, more: span + more * MILLISECOND, spans, st.sampled_from((-1, 0, 1, -999_999, 999_999)))
leads = st.builds(
    Lead,
    st.integers(-10, 40),
    st.lists(st.tuples(ages.map(lambda age: age // MILLISECOND * MILLISECOND), st.booleans()), max_size=4),
)
limits = st.integers(0, 3)
queries = st.builds(
    lambda ranges, first, recent, idle: CountQuery(
        (-7, *sorted(ranges)), recent, idle, (first, *(ranges[score] for score in sorted(ranges)))
    ),
    st.dictionaries(st.integers(-5, 45), limits),
    limits,
    spans,
    spans,
)


async def connected(uri: str) -> Database:
    """Opens an empty database with the indexes of leads."""
    database = await mongo.connect(uri)
    await create_indexes(database, {name: schema.INDEXES[name] for name in ("leads", "score_history")})
    return database


async def counted(database: Database, pipeline: Sequence[Lead], query: CountQuery) -> Counter[LeadGroup]:
    """Stores leads in place of all others, and counts them."""
    for name in ("leads", "score_history"):
        await database[name].delete_many({})
    rows = [lead.row(f"l{number}") for number, lead in enumerate(pipeline)]
    entries = [entry for number, lead in enumerate(pipeline) for entry in lead.entries(f"l{number}")]
    if rows:
        await database["leads"].insert_many(rows)
        await database["score_history"].insert_many(entries)
    inbox = Inbox(database, CONTRACT, partitions=ONE.count)
    as_of, groups = await Queries(LeadReader(database, UNUSED, inbox), UNUSED, UNUSED, lambda: NOW).counts(query)
    assert as_of == NOW
    return groups


def test_any_leads_are_counted_exactly(database_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lead_counts, "PAGE_LEADS", 3)
    with asyncio.Runner() as runner:
        database = runner.run(connected(database_uri))

        @given(st.lists(leads, max_size=12), queries)
        def check(pipeline: list[Lead], query: CountQuery) -> None:
            groups = runner.run(counted(database, pipeline, query))
            assert groups == Counter(lead.group(query) for lead in pipeline)

        try:
            check()
        finally:
            runner.run(database.client.drop_database(database.name))
            runner.run(database.client.close())


async def test_counts_are_those_of_the_leads_as_they_are_listed(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(
        ("e1", "ada", "signup", days_ago(0.5)),
        ("e2", "ada", "page_view", days_ago(0.25)),
        ("e3", "bob", "signup", days_ago(3)),
        ("e4", "cyd", "signup", days_ago(8)),
        ("e5", "dan", "page_view", days_ago(0.5)),
        ("e6", "eve", "demo_request", days_ago(0.5)),
    )
    await scoring.drain_all()
    await scoring.corrections.retract("e5", "a bot", "tester")
    request = pb.CountLeadsRequest(minimum_scores=[0, 11, 31], recent=timedelta(days=1), idle=timedelta(days=7))
    others = {(11, 0, False): 1, (11, 0, True): 1, (0, 0, True): 1, (31, 1, False): 1}
    for limits, ada in (([], (11, 2, False)), ([0, 1, 1], (11, 1, False))):
        request.max_recent_event_counts[:] = limits
        response = await stub.CountLeads(request)
        assert response.as_of_time == at(NOW)
        groups = {(each.minimum_score, each.recent_event_count, each.idle): each.lead_count for each in response.groups}
        assert groups == {ada: 1, **others}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (pb.CountLeadsRequest(), "minimum_scores"),
        (pb.CountLeadsRequest(minimum_scores=range(201)), "minimum_scores"),
        (pb.CountLeadsRequest(minimum_scores=[1, 1]), "minimum_scores"),
        (pb.CountLeadsRequest(minimum_scores=[2, 1]), "minimum_scores"),
        (pb.CountLeadsRequest(minimum_scores=[1, 2], max_recent_event_counts=[1]), "max_recent_event_counts"),
        (pb.CountLeadsRequest(minimum_scores=[1], max_recent_event_counts=[-1]), "max_recent_event_counts"),
        (pb.CountLeadsRequest(minimum_scores=[1], recent=Duration(seconds=-1)), "recent"),
        (pb.CountLeadsRequest(minimum_scores=[1], idle=timedelta(days=3_651)), "idle"),
        (pb.CountLeadsRequest(minimum_scores=[1], idle=Duration(seconds=2**62)), "idle"),
    ],
)
async def test_an_invalid_grouping_is_refused(strict: Stub, wrong: pb.CountLeadsRequest, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await strict.CountLeads(wrong)
    code, reason, fields = refusal(caught.value)
    assert (code, reason, fields) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", [field])
