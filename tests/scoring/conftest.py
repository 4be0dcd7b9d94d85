"""A scoring service in this process, over a real database."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from leadscore.scoring.v1 import scoring_pb2_grpc

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.replay import engine
from scoring_service.domain.timeline import Mode, Publication
from scoring_service.servicer import ERRORS, ScoringServicer
from scoring_service.store import schema
from scoring_service.store.backlog import BacklogReader
from scoring_service.store.exports import ExportReader
from scoring_service.store.facts import FactReader
from scoring_service.store.inactive_leads import InactiveLeadReader
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.store.samples import SampleReader
from scoring_service.store.writes import LeadWriter
from scoring_service.usecases.backlog import BacklogReport
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.corrections import Corrections
from scoring_service.usecases.decay import DecayProgress, DecayRun
from scoring_service.usecases.drain import Drain
from scoring_service.usecases.export import Export
from scoring_service.usecases.health import CheckHealth
from scoring_service.usecases.inactive_leads import InactiveLeads
from scoring_service.usecases.lead_transaction import LeadTransaction
from scoring_service.usecases.preview import Previews
from scoring_service.usecases.publishing import Publishing, Rollout
from scoring_service.usecases.queries import Queries
from scoring_service.usecases.rebuild import Rebuild
from scoring_service.usecases.simulate import Simulate
from scoring_service.usecases.slow_lane import SlowLane
from scoring_service.usecases.verify import Verification, VerifyProgress
from shared import wire
from shared.contracts.events import CONTRACT as EVENTS
from shared.contracts.events import digest_of
from shared.contracts.score_changes import CONTRACT as CHANGES
from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database, Document
from testkit.serving import served
from tests.conftest import PARTITIONS
from tests.scoring.requests import Stub, Unreached

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENGINE = engine(Calendar(ZoneInfo("UTC")))


@dataclass
class FakeDoorbell:
    """Records the partitions that are rung."""

    partitions: set[int] = field(default_factory=set)

    def ring(self, partitions: Iterable[int]) -> None:
        """Records partitions."""
        self.partitions.update(partitions)


@dataclass
class Scoring:
    """The use cases of the service, and what its producers do."""

    database: Database
    events: Inbox
    changes: Inbox
    now: datetime = NOW
    doorbell: FakeDoorbell = field(default_factory=FakeDoorbell)

    def __post_init__(self) -> None:
        calendar = Calendar(ZoneInfo("UTC"))
        self.models = ModelStore(self.database, ENGINE)
        self.lead_writer = LeadWriter(self.database, self.models, self.events, self.changes, transaction_seconds=60)
        self.lead_reader = LeadReader(self.database, self.models, self.events)
        self.fact_reader = FactReader(self.database, self.events.partitions)
        self.leads = LeadTransaction(self.lead_writer, self.fact_reader, self.doorbell, calendar, self.clock)
        self.slow_lane = SlowLane(self.lead_writer, self.leads)
        self.drain = Drain(self.lead_writer, self.fact_reader, self.doorbell, calendar, self.clock, self.slow_lane)
        readers = self.lead_reader, self.fact_reader
        stores = Stores(*readers, *readers, self.lead_writer, self.doorbell, calendar, self.clock)
        self.cores = Cores(stores)
        self.decay = DecayRun(self.cores, PARTITIONS)
        self.queries = Queries(self.lead_reader, self.fact_reader, calendar, self.clock)
        self.previews = Previews(stores)
        self.export = Export(ExportReader(self.database, self.events.partitions))
        self.verification = Verification(self.cores)
        self.rebuild = Rebuild(self.cores)
        self.corrections = Corrections(self.lead_writer, self.leads, calendar, self.clock)
        self.publishing = Publishing(self.models, self.lead_reader, SampleReader(self.database), self.clock, PARTITIONS)
        self.rollout = Rollout(self.models, self.cores, PARTITIONS)
        self.simulate = Simulate(self.cores)
        self.check_health = CheckHealth(self.cores)
        self.parking = Parking(self.events)
        backlogs = BacklogReader(self.database, self.events)
        self.backlog = BacklogReport(backlogs, self.models, calendar, self.clock)
        self.inactive_leads = InactiveLeads(InactiveLeadReader(self.database), self.models, backlogs)

    def clock(self) -> datetime:
        """Returns the current time of the test."""
        return self.now

    async def put(self, *events: tuple[str, str, str, datetime], **properties: Any) -> None:
        """Puts events (event_id, lead_id, event_type, event_time) into the inbox, as ingest does."""
        rows = [
            {
                "_id": event_id,
                "lead_id": lead_id,
                "event_type": event_type,
                "event_time": event_time,
                "properties": properties,
                "digest": digest_of(properties),
                "source": "",
                **self.events.pending_row(lead_id, self.now),
            }
            for event_id, lead_id, event_type, event_time in events
        ]
        await self.events.rows.insert_many(rows)

    async def drain_all(self, limit: int = 500) -> int:
        """Drains every partition once, and heavy leads to the end; returns how many events were pending before."""
        found = await self.events.count_pending()
        for partition in range(PARTITIONS):
            await self.drain.step([partition], limit)
        while await self.slow_lane.turn():
            pass
        return found

    async def last_row_of_changes(self) -> Document:
        """Returns the row of the inbox of automation that was inserted last."""
        [row] = await self.changes.rows.find().sort("_id", -1).limit(1).to_list()
        return row

    async def run_decay(self, as_of: datetime) -> DecayProgress:
        """Runs decay and returns the summary."""
        return [progress async for progress in self.decay.run(as_of)][-1]

    async def publish(self, model: ScoringModel, mode: Mode) -> Publication:
        """Stores a model and puts it in force, without rolling it out."""
        base = (await self.publishing.model(0)).model.version
        version = (await self.publishing.create(model)).model.version
        return await self.publishing.publish(version, base, mode, "tester", "")

    async def verify(self) -> Sequence[str]:
        """Returns the violations that a verification finds, and checks that it ends with a summary."""
        found: list[VerifyProgress] = [progress async for progress in self.verification.run()]
        assert found[-1].done
        return [f"{each.invariant} {each.message}" for progress in found for each in progress.violations]


async def new_scoring(database: Database) -> Scoring:
    """Returns a scoring service over an empty database, in which the built-in model is in force."""
    await schema.migrate(database, partitions=PARTITIONS, time_zone="UTC", engine=ENGINE, now=days_ago(100))
    events = Inbox(database, EVENTS, partitions=PARTITIONS)
    changes = Inbox(database, CHANGES, partitions=PARTITIONS)
    await events.migrate()
    await changes.migrate()
    return Scoring(database, events, changes)


@contextlib.asynccontextmanager
async def served_scoring(scoring: Scoring) -> AsyncIterator[grpc.aio.Channel]:
    """Serves the use cases and yields a channel to the service."""
    servicer = ScoringServicer(
        scoring.queries,
        scoring.queries,
        scoring.previews,
        scoring.export,
        scoring.inactive_leads,
        scoring.decay,
        scoring.verification,
        scoring.rebuild,
        scoring.corrections,
        scoring.publishing,
        scoring.simulate,
        scoring.check_health,
        scoring.parking,
        scoring.backlog,
    )
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    ) as channel:
        yield channel


def days_ago(days: float) -> datetime:
    """Returns a time before NOW."""
    return NOW - timedelta(days=days)


@pytest.fixture
async def scoring(database: Database) -> Scoring:
    """A scoring service over an empty database."""
    return await new_scoring(database)


@pytest.fixture
async def stub(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    """A stub of the service over its real use cases."""
    monkeypatch.setattr(wire, "now", scoring.clock)
    async with served_scoring(scoring) as channel:
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


@pytest.fixture
async def strict() -> AsyncIterator[Stub]:
    """A stub of a service that rejects requests before it reaches any use case."""
    nothing: Any = Unreached()
    servicer = ScoringServicer(*[nothing] * 14)
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    ) as channel:
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes streams report progress after every two leads."""
    for module in ("decay", "scan"):
        monkeypatch.setattr(f"scoring_service.usecases.{module}.PAGE_LEADS", 2)
    monkeypatch.setattr("scoring_service.usecases.scan.PAGE_EVENTS", 2)
