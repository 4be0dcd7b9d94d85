"""A running system forgets a person: no collection, no key in Redis and no log of a process names them afterwards."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import redis.asyncio
from bson import json_util
from leadscore.admin.v1 import admin_pb2
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2

from admin_service.domain.personal_data import COLLECTIONS, OTHERS, unclassified
from shared import mongo, wire
from shared.mongo import Database
from testkit.receiver import SECRET, receiving
from testkit.serving import refusal
from testkit.system import System
from testkit.traffic import all_scored, send
from testkit.waiting import eventually

LEAD = "ada@example.com"
NEEDLES = ("ada@example", "ada lovelace", "+44 20 7946", "ockham")


@pytest.fixture
async def database(system: System) -> AsyncIterator[Database]:
    opened = await mongo.connect(system.mongo.uri)
    yield opened
    await opened.client.close()


async def test_a_system_forgets_a_person(system: System, database: Database) -> None:
    async with receiving() as receiver:
        await live(system, receiver.url())
        await eventually(lambda: executed(database), within=60, what="the execution for Ada is delivered")
    found = await documents(database)
    for name, rows in found.items():
        without = {path for row in rows for path in unclassified(row, {**COLLECTIONS, **OTHERS}[name])}
        assert not without, f"give these fields of {name} a class in personal_data.py: {without}"
    assert traces(found)
    sums = await totals(database)

    erased = await system.admin().EraseLead(
        admin_pb2.EraseLeadRequest(lead_id=LEAD, request_id=f"forget {LEAD}", actor="Charles"), timeout=30
    )
    assert erased.erasure.event_count == 2
    assert traces(await documents(database)) == []
    assert await totals(database) == sums
    assert await keys_in_redis(system) == []
    logs = {name: [needle for needle in NEEDLES if needle in system.log(name).lower()] for name in system.pids()}
    assert not any(logs.values()), logs
    request = scoring_pb2.VerifyScoresRequest()
    verified = [each async for each in system.scoring().VerifyScores(request, timeout=60)]
    assert not [violation for each in verified for violation in each.violations]

    again = ingest_pb2.IngestEventRequest(event=event("signup", "again", name="Ada Lovelace"))

    async def refused() -> bool:
        try:
            await system.ingest().IngestEvent(again, timeout=30)
        except grpc.aio.AioRpcError as error:
            return refusal(error)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "LEAD_ERASED")
        return False

    await eventually(refused, what="further events of Ada are refused")

    async def done() -> bool:
        return await database["erasures"].count_documents({"state": "done"}) == 1

    await eventually(done, within=90, what="what was accepted before the servers knew is erased")
    assert traces(await documents(database)) == []


async def live(system: System, url: str) -> None:
    """Lets the person, and somebody else, become hot, and tells a receiver."""
    rule = automation_pb2.AutomationRule(rule_id="forgetting", enabled=True)
    rule.conditions.stages.append("hot")
    action = rule.actions.add(action_id="crm")
    action.webhook.url = url
    action.webhook.secrets.append(SECRET)
    await system.automation().CreateAutomationRule(automation_pb2.CreateAutomationRuleRequest(rule=rule), timeout=30)
    events = [event("identify", name="Ada Lovelace", phone="+44 20 7946 0000"), event("demo_request", page="/ockham")]
    await send(system, [*events, other()])
    await all_scored(system)
    adjust = scoring_pb2.AdjustLeadScoreRequest(
        lead_id=LEAD, delta=1, reason="Ada Lovelace called", actor="Charles", request_id=f"call-{LEAD}"
    )
    await system.scoring().AdjustLeadScore(adjust, timeout=30)


def event(kind: str, suffix: str = "", **properties: Any) -> ingest_pb2.Event:
    """Returns an event of the person."""
    return ingest_pb2.Event(
        event_id=f"{LEAD}:{kind}{suffix}",
        lead_id=LEAD,
        event_type=kind,
        event_time=wire.to_timestamp(wire.now()),
        properties=wire.to_struct(properties),
        source="ockham.example",
    )


def other() -> ingest_pb2.Event:
    """Returns an event of somebody else."""
    found = event("demo_request", plan="pro")
    found.event_id, found.lead_id, found.source = "other-1", "other", "website"
    return found


async def executed(database: Database) -> bool:
    return await database["automation_executions"].count_documents({"lead_id": LEAD, "state": "delivered"}) == 1


async def totals(database: Database) -> list[dict[str, Any]]:
    """Returns the number of entries and the sum of the points of each kind."""
    group = {"_id": "$kind", "count": {"$sum": 1}, "delta": {"$sum": "$delta"}}
    stages: list[dict[str, Any]] = [{"$group": group}, {"$sort": {"_id": 1}}]
    return await (await database["score_history"].aggregate(stages)).to_list()


async def documents(database: Database) -> dict[str, list[dict[str, Any]]]:
    names = await database.list_collection_names()
    return {name: await database[name].find().to_list() for name in names}


def traces(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Returns the documents that name the person; JSON shows binary values in base64, so bodies are read apart."""
    return [
        f"{name}: {text}"
        for name, rows in found.items()
        for row in rows
        for text in [f"{json_util.dumps(row, ensure_ascii=False)} {bodies(row)!r}".lower()]
        if any(needle in text for needle in NEEDLES)
    ]


def bodies(row: dict[str, Any]) -> bytes:
    return b"".join(each.get("body", b"") for each in row.get("deliveries", ()))


async def keys_in_redis(system: System) -> list[str]:
    """Returns the keys and list items in Redis that name the person."""
    async with redis.asyncio.from_url(system.redis.url) as client:
        texts = [key.decode() async for key in client.scan_iter()]
        for key in list(texts):
            if await client.type(key) == b"list":
                texts += map(str, await client.lrange(key, 0, -1))
    return [text for text in texts if any(needle in text.lower() for needle in NEEDLES)]
