"""A whole system with authentication on: who may call what, who did what, and how soon a revocation is known."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from leadscore.automation.v1 import automation_pb2, automation_pb2_grpc
from leadscore.client.keys import with_key
from leadscore.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from pymongo import AsyncMongoClient, MongoClient

from shared import wire
from shared.access.keys import ApiKey, Limits, new_key
from shared.access.roles import Role
from testkit.system import System, running_system
from testkit.waiting import eventually

SERVERS = ("ingest", "scoring", "automation", "intelligence")


@dataclass
class Keys:
    """Makes keys as the admin service does."""

    texts: dict[str, str] = field(default_factory=dict)
    documents: list[dict[str, Any]] = field(default_factory=list)

    def make(self, name: str, *roles: Role, limits: Limits | None = None) -> str:
        """Makes a key, and returns its text."""
        new = new_key()
        self.texts[name] = new.text
        key = ApiKey(new.key_id, name, frozenset(roles), new.digest, wire.now(), "test", limits=limits or Limits())
        self.documents.append(key.to_document())
        return new.text

    def id_of(self, name: str) -> str:
        """Returns the id of a key."""
        return next(str(each["_id"]) for each in self.documents if each["name"] == name)


KEYS = Keys()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system with authentication on, and keys for all that the tests do."""
    directory: Path = tmp_path_factory.mktemp("system")
    (directory / "services.key").write_text(KEYS.make("services", Role.SERVICE))
    for name, role in (("website", Role.INGEST), ("crm", Role.READ), ("grace", Role.OPERATE), ("ada", Role.PUBLISH)):
        KEYS.make(name, role)
    KEYS.make("leaver", Role.INGEST, Role.READ)
    KEYS.make("import", Role.INGEST, limits=Limits(per_second=1, burst=3))
    settings = {
        "LEADSCORE_AUTHENTICATION": "on",
        "LEADSCORE_API_KEY_FILE": str(directory / "services.key"),
    }
    with running_system(directory, settings=settings) as system:
        with MongoClient[dict[str, Any]](system.mongo.uri) as client:
            client["leadscore"]["api_keys"].insert_many(KEYS.documents)
        yield system


@dataclass(frozen=True)
class Caller:
    """Calls the services with one key."""

    system: System
    key: str

    def ingest(self) -> "ingest_pb2_grpc.IngestServiceAsyncStub":
        """Returns a stub of the ingest service."""
        return ingest_pb2_grpc.IngestServiceStub(with_key(self.system.channel("ingest"), self.key))

    def scoring(self) -> "scoring_pb2_grpc.ScoringServiceAsyncStub":
        """Returns a stub of the scoring service."""
        return scoring_pb2_grpc.ScoringServiceStub(with_key(self.system.channel("scoring"), self.key))

    def automation(self) -> "automation_pb2_grpc.AutomationServiceAsyncStub":
        """Returns a stub of the automation service."""
        return automation_pb2_grpc.AutomationServiceStub(with_key(self.system.channel("automation"), self.key))

    def intelligence(self) -> "intelligence_pb2_grpc.IntelligenceServiceAsyncStub":
        """Returns a stub of the intelligence service."""
        return intelligence_pb2_grpc.IntelligenceServiceStub(with_key(self.system.channel("intelligence"), self.key))

    async def send(self, lead_id: str, event_id: str) -> None:
        """Sends an event."""
        now = wire.to_timestamp(wire.now())
        event = ingest_pb2.Event(event_id=event_id, lead_id=lead_id, event_type="demo_request", event_time=now)
        await self.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=30)

    async def score(self, lead_id: str) -> int:
        """Returns the score of a lead, 0 if it has none."""
        try:
            request = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id)
            answer = await self.intelligence().GetLeadIntelligence(request, timeout=30)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return 0
            raise
        return answer.lead_intelligence.score


@pytest.fixture
async def system(processes: System) -> AsyncIterator[System]:
    """The running system, whose servers know the keys."""

    async def keys_are_known() -> bool:
        return all([await _knows(Caller(processes, KEYS.texts["crm"]), server) for server in SERVERS])

    await eventually(keys_are_known, what="every server knows the keys")
    yield processes
    await processes.close_channels()


def caller(system: System, name: str) -> Caller:
    return Caller(system, KEYS.texts.get(name, ""))


async def test_services_call_each_other_with_a_key_of_their_own(system: System) -> None:
    rule = automation_pb2.AutomationRule(rule_id="call-hot", enabled=True)
    rule.conditions.stages.append("hot")
    request = automation_pb2.CreateAutomationRuleRequest(rule=rule)
    await caller(system, "ada").automation().CreateAutomationRule(request, timeout=30)
    await caller(system, "website").send("lead-1", "event-1")

    async def is_scored() -> bool:
        return await caller(system, "crm").score("lead-1") == 50

    async def has_fired() -> bool:
        asked = automation_pb2.ListAutomationExecutionsRequest(lead_id="lead-1")
        found = await caller(system, "crm").automation().ListAutomationExecutions(asked, timeout=30)
        return [each.rule_id for each in found.executions] == ["call-hot"]

    await eventually(is_scored, what="intelligence reads the score from the scoring service")
    await eventually(has_fired, what="the rule fires, for which the worker asks intelligence")


async def test_nobody_calls_without_a_key_or_with_the_wrong_role(system: System) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await caller(system, "nobody").send("lead-2", "event-2")
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await caller(system, "crm").send("lead-2", "event-2")
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.value.details() == "IngestEvent needs a caller with the role ingest"
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await caller(system, "website").score("lead-1")
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_the_actor_is_the_name_of_the_key_and_the_audit_log_knows_it(system: System) -> None:
    await caller(system, "website").send("lead-3", "event-3")
    asked = scoring_pb2.ListScoreHistoryRequest(lead_id="lead-3")

    async def history() -> list[tuple[int, str]]:
        found = await caller(system, "crm").scoring().ListScoreHistory(asked, timeout=30)
        return [(each.delta, each.actor) for each in found.entries]

    async def is_scored() -> bool:
        with contextlib.suppress(grpc.aio.AioRpcError):
            return await history() == [(50, "")]
        return False

    await eventually(is_scored, what="the lead has a score")
    adjustment = scoring_pb2.AdjustLeadScoreRequest(
        lead_id="lead-3", delta=7, reason="met at a fair", actor="mallory", request_id="adjustment-3"
    )
    await caller(system, "grace").scoring().AdjustLeadScore(adjustment, timeout=30)
    assert await history() == [(50, ""), (7, "grace")]
    async with AsyncMongoClient[dict[str, Any]](system.mongo.uri) as client:
        row = await client["leadscore"]["audit_log"].find_one({"object": "lead lead-3"})
    assert row
    assert (row["actor"], row["key_id"], row["outcome"]) == ("grace", KEYS.id_of("grace"), "OK")
    assert (row["service"], row["method"], row["address"]) == ("scoring", "AdjustLeadScore", "127.0.0.1")


async def test_a_key_sends_no_more_than_its_limit(system: System) -> None:
    sender = caller(system, "import")
    for number in range(3):
        await sender.send("lead-4", f"burst-{number}")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await asyncio.gather(*(sender.send("lead-4", f"more-{number}") for number in range(20)))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "1 events per second" in str(error.value.details())


async def test_a_revoked_key_is_refused_everywhere(system: System) -> None:
    leaver = caller(system, "leaver")
    await leaver.send("lead-5", "event-5")
    assert all([await _knows(leaver, server) for server in SERVERS])
    async with AsyncMongoClient[dict[str, Any]](system.mongo.uri) as client:
        revocation = {"$set": {"revoked_at": wire.now()}}
        await client["leadscore"]["api_keys"].update_one({"_id": KEYS.id_of("leaver")}, revocation)

    async def is_refused() -> bool:
        return not any([await _knows(leaver, server) for server in SERVERS])

    await eventually(is_refused, what="every server refuses the key")


async def _knows(who: Caller, server: str) -> bool:
    """Returns whether a server knows a key, by whatever else it answers to a call."""
    calls: dict[str, Any] = {
        "ingest": lambda: who.ingest().BatchIngestEvents(ingest_pb2.BatchIngestEventsRequest(), timeout=30),
        "scoring": lambda: who.scoring().GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30),
        "automation": lambda: who.automation().ListAutomationRules(
            automation_pb2.ListAutomationRulesRequest(), timeout=30
        ),
        "intelligence": lambda: who.intelligence().GetPipelineSummary(
            intelligence_pb2.GetPipelineSummaryRequest(), timeout=30
        ),
    }
    try:
        await calls[server]()
    except grpc.aio.AioRpcError as error:
        return error.code() is not grpc.StatusCode.UNAUTHENTICATED
    return True
