"""With `LEADSCORE_STALE_READS`, lists, counts, exports and simulations read from a secondary, and nothing else does.

The servers run in this process, over a replica set of two members, and a listener hears what they send to which.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.message import Message
from leadscore.automation.v1 import automation_pb2 as automation_pb
from leadscore.automation.v1 import automation_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandStartedEvent

import automation_service.app
import ingest_service.app
import scoring_service.app
from automation_service.settings import AutomationSettings
from chaos.servers import Mongo
from ingest_service.settings import IngestSettings
from scoring_service.access import METHODS
from scoring_service.settings import ScoringSettings
from shared import mongo, wire
from shared.contracts.events import CONTRACT, digest_of
from shared.inbox import broker
from shared.inbox.collection import Inbox
from shared.mongo import Document
from shared.rpc.service import Service
from testkit.secret_keys import KEY
from testkit.serving import served
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.scoring.requests import Stub, adjusting, answers, at, model, publishing, retracting, simulating, span
from tests.shared.commands import Commands

NOW = wire.now().replace(microsecond=0)
MAY_BE_STALE = {
    "ListLeadScores": {"leads", "score_history", "model_publications"},
    "CountLeads": {"leads", "score_history"},
    "ListScoreEntries": {"score_history"},
    "ListEvents": {"events", "score_history"},
    "SimulateScoringModel": {"leads", "score_history", "scoring_partitions"},
    "CheckModelHealth": {"leads", "score_history"},
}
"""The methods of the scoring service that read from a secondary, and the collections that they read there."""
FROM_SECONDARIES = {"stale_reads": "secondaryPreferred"}
IN_ONE_SNAPSHOT = ("ListLeadScores", "CountLeads", "ListEvents")
"""Those whose pages need several queries."""
DATA = {"leads", "score_history", "events", "checkpoints", "automation_executions"}
"""The collections that grow with the number of leads and events."""
REQUESTS: list[Message] = [
    pb.ListLeadScoresRequest(),
    pb.CountLeadsRequest(
        minimum_scores=[0, 11], recent=span(days=1), idle=span(days=7), max_recent_event_counts=[1, 3]
    ),
    pb.ListScoreEntriesRequest(),
    pb.ListEventsRequest(),
    simulating(),
    pb.CheckModelHealthRequest(since_time=at(NOW), conversion_event_types=["signup"]),
    pb.GetLeadScoreRequest(lead_id="ada"),
    pb.GetLeadScoreRequest(lead_id="ada", as_of_time=at(NOW)),
    pb.BatchGetLeadScoresRequest(lead_ids=["ada", "bob"]),
    pb.ListInactiveLeadsRequest(inactive_since=at(NOW)),
    pb.PreviewLeadScoreRequest(lead_id="ada", events=[pb.HypotheticalEvent(event_type="signup")]),
    pb.ListScoreHistoryRequest(lead_id="ada"),
    pb.JudgeEventsRequest(lead_ids=["ada"], event_ids=["e1"]),
    pb.GetScoringBacklogRequest(),
    pb.GetScoringModelRequest(),
    pb.ListScoringModelsRequest(),
    pb.ListModelPublicationsRequest(),
    pb.DecayScoresRequest(),
    pb.ResetDecayRequest(to_date=str(NOW.date()), reason="a test", actor="eve"),
    pb.RebuildLeadScoreRequest(lead_id="ada"),
    pb.RebuildLeadScoresRequest(),
    pb.VerifyScoresRequest(),
    pb.ListParkedEventsRequest(),
    pb.RetryParkedEventsRequest(all=True),
    pb.DiscardParkedEventsRequest(all=True, reason="a test", actor="eve"),
    adjusting(delta=5),
    retracting(),
    pb.CreateScoringModelRequest(scoring_model=model()),
    publishing(version=2),
]
"""Requests of every method of the scoring service."""


class Sent(NamedTuple):
    """A command that named a collection, and the port of the member that it went to."""

    collection: str
    port: int
    has_preference: bool
    is_snapshot: bool


class Members(Commands):
    """Records which member each command goes to."""

    def __init__(self) -> None:
        super().__init__()
        self.named: list[Sent] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Records a command."""
        collection = event.command.get(event.command_name)
        if isinstance(collection, str):
            assert event.connection_id[1] is not None, "expected a port, not a socket"
            is_snapshot = event.command.get("readConcern", {}).get("level") == "snapshot"
            self.named.append(Sent(collection, event.connection_id[1], "$readPreference" in event.command, is_snapshot))


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongo]:
    """A primary and a secondary, which stay what they are however busy the machine is, because only one has a vote."""
    members = Mongo(tmp_path_factory.mktemp("members"), 2)
    with members.running():
        primary = members.primary()
        config = primary.command({"replSetGetConfig": 1})["config"]
        [other] = [each for each in config["members"] if each["host"] != f"127.0.0.1:{primary.port}"]
        other |= {"votes": 0, "priority": 0}
        primary.command({"replSetReconfig": config | {"version": config["version"] + 1}})
        yield members


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Members:
    """What the services of this process send."""
    heard = Members()
    monkeypatch.setattr(mongo, "AsyncMongoClient", partial(AsyncMongoClient, event_listeners=[heard]))
    return heard


@pytest.fixture
def settings(replica_set: Mongo, redis_url: str) -> dict[str, Any]:
    """The settings of every service."""
    return {"mongo_uri": replica_set.product_uri, "redis_url": redis_url, "partitions": PARTITIONS}


@contextlib.asynccontextmanager
async def serving(
    app: ModuleType, run: Coroutine[Any, Any, None], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[grpc.aio.Channel]:
    """Runs a server as its composition root composes it, on a port of its own, and yields a channel to it."""
    composed: asyncio.Future[Service] = asyncio.get_running_loop().create_future()

    async def serve(service: Service, _: object) -> None:
        composed.set_result(service)
        await asyncio.Event().wait()

    monkeypatch.setattr(app, "serve", serve)
    running = asyncio.create_task(run)
    try:
        either: list[asyncio.Future[Any]] = [running, composed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        service = await composed
        async with served(service.errors, service.register) as channel:
            yield channel
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def has_secondary(members: Mongo) -> bool:
    _, [secondary] = members.primary_and_secondaries()
    return bool(secondary.command({"hello": 1}).get("secondary"))


async def score_events(settings: ScoringSettings) -> None:
    """Scores an event of each of two leads, with a worker."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client):
        inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
        await inbox.rows.insert_many([_row(inbox, "e1", "ada"), _row(inbox, "e2", "bob")])
        connected = broker.connect(settings.redis_url.get_secret_value())
        async with scoring_service.app.open_worker(settings, connected) as drainer:
            await drainer.drain(range(PARTITIONS))
            await eventually(lambda: _is_scored(inbox), what="the worker scores the events")


async def test_only_what_may_be_stale_is_read_from_a_secondary(
    replica_set: Mongo, commands: Members, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: has_secondary(replica_set), what="a secondary")
    primary, [secondary] = replica_set.primary_and_secondaries()
    scoring = ScoringSettings(**settings | FROM_SECONDARIES | {"helpers": 0})
    await ingest_service.app.run_migration(IngestSettings(**settings))
    await scoring_service.app.run_migration(scoring)
    await score_events(scoring)
    assert {(each.port, each.has_preference) for each in commands.named} == {(primary.port, False)}, "by a worker"

    async with serving(scoring_service.app, scoring_service.app.run_server(scoring), monkeypatch) as channel:
        stub = scoring_pb2_grpc.ScoringServiceStub(channel)
        await eventually(lambda: _are_listed(stub), what="the secondary knows of both leads")
        asked = {}
        for request in REQUESTS:
            method = type(request).__name__.removesuffix("Request")
            commands.named.clear()
            assert await answers(stub, method, request), f"expected an answer of {method}"
            asked[method] = list(commands.named)
    assert asked.keys() == METHODS.roles.keys()
    elsewhere = {
        method: {each.collection for each in sent if each.port == secondary.port} for method, sent in asked.items()
    }
    assert {method: found for method, found in elsewhere.items() if found} == MAY_BE_STALE
    assert {each.port == secondary.port for sent in asked.values() for each in sent if each.has_preference} == {True}
    for method in MAY_BE_STALE:
        assert not {each for each in asked[method] if each.port == primary.port and each.collection in DATA}, method
    for method in IN_ONE_SNAPSHOT:
        assert all(each.is_snapshot for each in asked[method] if each.collection in DATA), method


async def test_only_the_list_of_executions_is_read_from_a_secondary(
    replica_set: Mongo, commands: Members, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: has_secondary(replica_set), what="a secondary")
    _, [secondary] = replica_set.primary_and_secondaries()
    automation = AutomationSettings(**settings | FROM_SECONDARIES | {"secret_keys": KEY})
    await scoring_service.app.run_migration(ScoringSettings(**settings))
    await automation_service.app.run_migration(automation)
    async with serving(automation_service.app, automation_service.app.run_server(automation), monkeypatch) as channel:
        stub = automation_pb2_grpc.AutomationServiceStub(channel)
        await stub.ListAutomationExecutions(automation_pb.ListAutomationExecutionsRequest())
        [listed] = [each for each in commands.named if each.port == secondary.port]
        assert listed.collection == "automation_executions"
        commands.named.clear()
        await stub.GetAutomationBacklog(automation_pb.GetAutomationBacklogRequest())
        await stub.ListAutomationRules(automation_pb.ListAutomationRulesRequest())
        await stub.ListParkedChanges(automation_pb.ListParkedChangesRequest())
        await stub.RetryAutomationExecutions(
            automation_pb.RetryAutomationExecutionsRequest(state=automation_pb.EXECUTION_STATE_FAILED)
        )
        assert "automation_executions" in {each.collection for each in commands.named}
        assert not [each for each in commands.named if each.has_preference or each.port == secondary.port]


async def _are_listed(stub: Stub) -> bool:
    return len((await stub.ListLeadScores(pb.ListLeadScoresRequest())).lead_scores) == 2


async def _is_scored(inbox: Inbox) -> bool:
    return await inbox.rows.count_documents({"state": CONTRACT.done}) == 2


def _row(inbox: Inbox, event_id: str, lead_id: str) -> Document:
    event = {"event_type": "signup", "event_time": NOW, "properties": {}, "digest": digest_of({}), "source": ""}
    return {"_id": event_id, "lead_id": lead_id, **event, **inbox.pending_row(lead_id, NOW)}
