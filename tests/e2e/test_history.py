"""What fires automations and what does not, on the whole system: history, decay, inactivity, and events one by one."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

import pymongo
import pytest
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2

from shared import wire
from testkit.receiver import SECRET, answering, receiving
from testkit.system import System, running_system
from testkit.traffic import all_scored, send
from testkit.waiting import eventually

DAY = timedelta(days=1)
KINDS = ("page_view", "signup", "demo_request", "contract_signed")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {"LEADSCORE_REFUSED_DELIVERY_SCHEDULE": "0.3"}
    with running_system(tmp_path_factory.mktemp("history"), settings=settings) as system:
        yield system


def event(event_id: str, lead_id: str, kind: str, time: datetime, **fields: Any) -> ingest_pb2.Event:
    return ingest_pb2.Event(
        event_id=event_id, lead_id=lead_id, event_type=kind, event_time=wire.to_timestamp(time), **fields
    )


async def create(system: System, rule_id: str, *, url: str = "", **fields: Any) -> None:
    rule = pb.AutomationRule(rule_id=rule_id, enabled=True, **fields)
    if url:
        rule.actions.add(action_id="crm").webhook.MergeFrom(pb.Webhook(url=url, secrets=[SECRET]))
    await system.automation().CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=rule), timeout=30)


async def executions(system: System, *rule_ids: str) -> list[tuple[str, str, str]]:
    """Returns rule, lead and event of the executions of some rules."""
    found = []
    for rule_id in rule_ids:
        request = pb.ListAutomationExecutionsRequest(rule_id=rule_id, page_size=500)
        page = await system.automation().ListAutomationExecutions(request, timeout=30)
        found += [(each.rule_id, each.lead_id, each.event_id) for each in page.executions]
    return sorted(found)


async def settled(system: System) -> None:
    """Waits until all events are scored, and rules are evaluated at all changes."""
    await all_scored(system)

    async def none_pending() -> bool:
        backlog = await system.automation().GetAutomationBacklog(pb.GetAutomationBacklogRequest(), timeout=30)
        return backlog.pending_changes == 0

    await eventually(none_pending, what="rules are evaluated at all changes")


async def daily_run(system: System) -> None:
    """Runs decay, and waits for the search for inactive leads that follows the first run of a date."""
    async for answer in system.scoring().DecayScores(scoring_pb2.DecayScoresRequest(), timeout=60):
        date = answer.through_date
    async with pymongo.AsyncMongoClient[dict[str, Any]](system.mongo.uri) as client:
        searches = client.get_default_database("leadscore")["automation_searches"]

        async def is_done() -> bool:
            return await searches.find_one({"date_bucket": date, "is_done": True}) is not None

        await eventually(is_done, within=90, what=f"inactive leads are searched after the run of {date}")
    await settled(system)


RULES: Collection[str] = ("entered", "received", "silent")


async def test_a_year_of_history_fires_nothing_and_one_live_event_fires_once(system: System) -> None:
    """Also: a lead without points that has been inactive for less than the grace is found by the daily run."""
    await create(system, "entered", trigger={"stage_entered": {"stages": ["hot", "qualified"]}})
    await create(system, "received", trigger={"event_received": {"event_type": "demo_request"}})
    await create(system, "silent", trigger={"inactive": {"days": 3}})
    now = wire.now()
    imported = [
        event(f"h-{lead}-{day}", f"lead-{lead}", KINDS[(lead + day) % 4], now - day * DAY, historical=True)
        for lead in range(40)
        for day in range(5, 365, 24)
    ]
    await send(system, imported)
    await settled(system)
    await send(system, [event("z", "zero", "unheard_of", now - 4 * DAY), event("f", "fresh", "unheard_of", now)])
    await settled(system)
    assert await executions(system, *RULES) == []
    await daily_run(system)
    assert await executions(system, *RULES) == [("silent", "zero", "")]
    await send(system, [event("live", "lead-2", "demo_request", now, properties={"product": "CRM"})])
    await settled(system)
    assert await executions(system, *RULES) == [("received", "lead-2", "live"), ("silent", "zero", "")]
    await system.close_channels()


async def test_two_requests_on_a_day_are_two_webhooks_with_their_properties(system: System) -> None:
    async with receiving() as receiver:
        await create(
            system,
            "twice",
            url=receiver.url("/twice"),
            per=pb.PER_EVENT,
            trigger={"event_received": {"event_type": "asked"}},
        )
        now = wire.now()
        await send(system, [event("tw-1", "yves", "asked", now, properties={"product": "CRM"})])
        await settled(system)
        await send(system, [event("tw-2", "yves", "asked", now, properties={"product": "ERP"})])

        async def both_have_arrived() -> bool:
            return len(receiver.bodies()) == 2

        await eventually(both_have_arrived, what="both webhooks arrive")
        receiver.verify(SECRET)
        found = [json.loads(request.body)["data"]["event"] for request in receiver.requests]
    assert [(each["event_id"], each["properties"]["product"]) for each in found] == [("tw-1", "CRM"), ("tw-2", "ERP")]
    await system.close_channels()


async def test_what_was_refused_is_tried_again_and_all_of_it_is_sent_again_on_request(system: System) -> None:
    async with receiving() as receiver:
        receiver.behaviour = answering(401)
        await create(
            system, "refused", url=receiver.url("/refused"), trigger={"event_received": {"event_type": "knocked"}}
        )
        await send(system, [event(f"k-{each}", f"knocker-{each}", "knocked", wire.now()) for each in range(7)])
        request = pb.ListAutomationExecutionsRequest(rule_id="refused", state=pb.EXECUTION_STATE_FAILED)

        async def all_failed() -> bool:
            return len((await system.automation().ListAutomationExecutions(request, timeout=30)).executions) == 7

        await eventually(all_failed, what="all deliveries have failed")
        assert len(receiver.requests) == 14, "each is tried again once, by the schedule for refusals"
        receiver.behaviour = answering(200)
        retry = pb.RetryAutomationExecutionsRequest(rule_id="refused", state=pb.EXECUTION_STATE_FAILED, page_size=5)
        first = await system.automation().RetryAutomationExecutions(retry, timeout=30)
        retry.page_token = first.next_page_token
        second = await system.automation().RetryAutomationExecutions(retry, timeout=30)
        assert [each.retried_count for each in (first, second)] == [5, 2]
        assert (second.next_page_token, second.skipped_count) == ("", 0)

        async def all_delivered() -> bool:
            request.state = pb.EXECUTION_STATE_DELIVERED
            return len((await system.automation().ListAutomationExecutions(request, timeout=30)).executions) == 7

        await eventually(all_delivered, what="all deliveries have arrived")
    await system.close_channels()


async def rescore(system: System, version: int, *, quiet: bool) -> None:
    """Publishes a model for all events, and waits until it has reached every lead and every rule."""
    in_force = (await system.scoring().GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)).scoring_model
    request = scoring_pb2.PublishScoringModelRequest(
        version=version,
        base_version=in_force.version,
        mode=scoring_pb2.PUBLICATION_MODE_RESCORE,
        actor="tester",
        quiet=quiet,
    )
    await system.scoring().PublishScoringModel(request, timeout=30)

    async def is_rolled_out() -> bool:
        request = scoring_pb2.ListModelPublicationsRequest(page_size=1)
        [last] = (await system.scoring().ListModelPublications(request, timeout=30)).publications
        return last.quiet == quiet and not last.leads_left

    await eventually(is_rolled_out, within=60, what=f"version {version} has reached every lead")
    await settled(system)


async def test_a_quiet_rescore_fires_nothing_and_a_loud_one_nothing_for_history(system: System) -> None:
    await create(system, "rescored", trigger={"stage_entered": {"stages": ["hot"]}})
    now = wire.now()
    await send(system, [event(f"r-{lead}", f"r-{lead}", "page_view", now) for lead in ("live-1", "live-2")])
    await send(system, [event("r-h", "r-history", "page_view", now, historical=True)])
    await settled(system)
    in_force = (await system.scoring().GetScoringModel(scoring_pb2.GetScoringModelRequest(), timeout=30)).scoring_model
    heavier = scoring_pb2.ScoringModel()
    heavier.CopyFrom(in_force)
    next(rule for rule in heavier.rules if "page_view" in rule.event_types).points = 40
    request = scoring_pb2.CreateScoringModelRequest(scoring_model=heavier)
    created = (await system.scoring().CreateScoringModel(request, timeout=30)).scoring_model
    await rescore(system, created.version, quiet=True)
    score = await system.scoring().GetLeadScore(scoring_pb2.GetLeadScoreRequest(lead_id="r-live-1"), timeout=30)
    assert score.lead_score.stage == "hot"
    assert await executions(system, "rescored") == []
    await rescore(system, in_force.version, quiet=True)
    await rescore(system, created.version, quiet=False)
    assert {lead_id for _, lead_id, _ in await executions(system, "rescored") if lead_id.startswith("r-")} == {
        "r-live-1",
        "r-live-2",
    }
    await system.close_channels()
