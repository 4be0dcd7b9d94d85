"""Creates rows of every kind before the inputs are sent, so that requests find something."""

from dataclasses import replace
from typing import Any

from leadscore.admin.v1 import admin_pb2
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import AsyncMongoClient

from shared import wire
from shared.access.keys import ApiKey
from shared.access.roles import Role
from testkit.system import System
from testkit.traffic import all_scored, make_events, send
from testkit.waiting import eventually

CALL_SECONDS = 60
"""The deadline of a call in seconds."""


async def prepare(system: System) -> None:
    """Deletes all rules, then creates the leads and rules that `likely` names."""
    stub = system.automation()
    while rules := (
        await stub.ListAutomationRules(automation_pb2.ListAutomationRulesRequest(page_size=500), timeout=30)
    ).rules:
        for rule in rules:
            await stub.DeleteAutomationRule(
                automation_pb2.DeleteAutomationRuleRequest(rule_id=rule.rule_id), timeout=CALL_SECONDS
            )
    for number in range(3):
        rule = automation_pb2.AutomationRule(rule_id=f"rule-{number}", enabled=True)
        rule.conditions.minimum_score = 0
        await stub.CreateAutomationRule(automation_pb2.CreateAutomationRuleRequest(rule=rule), timeout=CALL_SECONDS)
    await send(system, make_events(200, leads=3, seed=7))
    await all_scored(system)
    await wait_for_executions(system, "lead-0")


async def publish_model(system: System) -> None:
    """Publishes a second model, so that lists of models and publications have two pages."""
    stub = system.scoring()
    in_force = (await stub.GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)).scoring_model
    await stub.CreateScoringModel(scoring_pb2.CreateScoringModelRequest(scoring_model=in_force), timeout=30)
    request = scoring_pb2.PublishScoringModelRequest(
        version=in_force.version,
        base_version=in_force.version,
        mode=scoring_pb2.PUBLICATION_MODE_FORWARD,
        actor="tester",
    )
    await stub.PublishScoringModel(request, timeout=30)


async def plant_failures(system: System) -> None:
    """Parks two events and two changes, and fails two executions, so that their lists have two pages."""
    parked = {"state": "parked", "attempts": 5, "reason": "planted", "reason_code": "FAILED", "park_time": wire.now()}
    async with AsyncMongoClient[dict[str, Any]](system.mongo.uri, tz_aware=True) as client:
        for name in ("events", "score_changes"):
            rows = client["leadscore"][name]
            for row in await rows.find({}).limit(2).to_list():
                planted = {**row, **parked, "_id": f"parked-{row['_id']}"}
                await rows.replace_one({"_id": planted["_id"]}, planted, upsert=True)
        executions = client["leadscore"]["automation_executions"]
        for row in await executions.find({}).limit(2).to_list():
            await executions.update_one({"_id": row["_id"]}, {"$set": {"state": "failed"}})


async def plant_keys_and_records(system: System) -> None:
    """Stores two keys, two audit records and two erasures, so that their lists have two pages."""
    for lead in ("planted-0", "planted-1"):
        event = ingest_pb2.Event(
            event_id=lead, lead_id=lead, event_type="signup", event_time=wire.to_timestamp(wire.now())
        )
        await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=CALL_SECONDS)
        request = admin_pb2.EraseLeadRequest(lead_id=lead, request_id=lead, actor="tester")
        await system.admin().EraseLead(request, timeout=CALL_SECONDS)
    key = ApiKey("aaaaaaaaaaaa", "planted", frozenset({Role.READ}), b"", wire.now(), "tester")
    record = {"_id": "0", "at": wire.now(), "actor": "tester", "service": "scoring", "method": "AdjustLeadScore"}
    async with AsyncMongoClient[dict[str, Any]](system.mongo.uri, tz_aware=True) as client:
        database = client["leadscore"]
        for each in (key, replace(key, key_id="aaaaaaaaaaab")):
            await database["api_keys"].replace_one({"_id": each.key_id}, each.to_document(), upsert=True)
        for each_id in ("0", "1"):
            await database["audit_log"].replace_one({"_id": each_id}, record | {"_id": each_id}, upsert=True)


async def wait_for_executions(system: System, lead: str) -> None:
    """Waits until every rule has an execution for a lead."""

    async def each_rule() -> bool:
        requests = [
            automation_pb2.ListAutomationExecutionsRequest(lead_id=lead, rule_id=f"rule-{number}")
            for number in range(3)
        ]
        stub = system.automation()
        found = [await stub.ListAutomationExecutions(request, timeout=CALL_SECONDS) for request in requests]
        return all(each.executions for each in found)

    await eventually(each_rule, what=f"each rule is executed for {lead}")
