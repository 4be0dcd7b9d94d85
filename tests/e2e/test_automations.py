"""One execution per lead, rule and date, delivered at least once with one id and body, whichever process is killed."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import bson
import pytest
import redis.asyncio
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2
from pymongo import MongoClient

from chaos import armed, crash_points
from cli.local.embedded import free_port
from shared import wire
from shared.secrets import new_key
from testkit.receiver import SECRET, Receiver, answering, receiving
from testkit.secret_keys import KEY
from testkit.system import SERVERS, WORKERS, System, running_system
from testkit.traffic import all_scored, send
from testkit.waiting import eventually

POINTS = [name for name, point in crash_points.POINTS.items() if point.process == "automation-worker"]
SETTINGS = {"LEADSCORE_DELIVERY_SCHEDULE": ",".join(["0.3"] * 1000)}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("automations"), settings=SETTINGS) as system:
        yield system


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def demo_requests(prefix: str, leads: int) -> list[ingest_pb2.Event]:
    """Returns one event for each of some leads, with enough points to make the lead hot."""
    now = wire.to_timestamp(wire.now())
    return [
        ingest_pb2.Event(
            event_id=f"{prefix}-{number}", lead_id=f"{prefix}-{number}", event_type="demo_request", event_time=now
        )
        for number in range(leads)
    ]


async def create_rule(system: System, rule_id: str, receiver: Receiver, path: str = "") -> None:
    """Creates a rule that notifies the receiver of hot leads, at a path if given."""
    rule = pb.AutomationRule(rule_id=rule_id, enabled=True)
    rule.conditions.stages.append("hot")
    action = rule.actions.add(action_id="crm")
    action.webhook.url = receiver.url(path or f"/{rule_id}")
    action.webhook.secrets.append(SECRET)
    await system.automation().CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=rule), timeout=30)


async def delete_rule(system: System, rule_id: str) -> None:
    await system.automation().DeleteAutomationRule(pb.DeleteAutomationRuleRequest(rule_id=rule_id), timeout=30)


async def executions(system: System, rule_id: str) -> list[pb.AutomationExecution]:
    """Returns all executions of a rule."""
    found: list[pb.AutomationExecution] = []
    token = ""
    while True:
        request = pb.ListAutomationExecutionsRequest(rule_id=rule_id, page_size=500, page_token=token)
        page = await system.automation().ListAutomationExecutions(request, timeout=30)
        found += page.executions
        token = page.next_page_token
        if not token:
            return found


async def all_delivered(system: System, rule_id: str, leads: Sequence[str]) -> None:
    """Waits until each lead has its execution and each execution is delivered, then checks I8."""

    async def delivered() -> bool:
        found = await executions(system, rule_id)
        return len(found) >= len(leads) and all(each.state == pb.EXECUTION_STATE_DELIVERED for each in found)

    # A worker that was killed blocks its claims for up to 40 s.
    await eventually(delivered, within=120, what=f"{len(leads)} executions of {rule_id} are delivered")
    assert sorted(each.lead_id for each in await executions(system, rule_id)) == sorted(leads)


async def check_requests(system: System, rule_id: str, receiver: Receiver) -> None:
    """Checks I9: each execution was delivered with one id and one body, and all signatures are valid."""
    receiver.verify(SECRET)
    ids = {delivery.delivery_id for each in await executions(system, rule_id) for delivery in each.deliveries}
    bodies = receiver.bodies()
    assert set(bodies) == ids
    assert {len(each) for each in bodies.values()} == {1}


@pytest.mark.parametrize("point", POINTS)
async def test_kill_the_worker_at_a_point(processes: System, receiver: Receiver, point: str) -> None:
    rule_id = f"at-{POINTS.index(point)}"
    await create_rule(processes, rule_id, receiver)
    processes.stop("automation-worker")
    # A short claim, so that the test does not wait long for the claim of the killed worker to expire.
    settings = {crash_points.AT: point, armed.CLAIM: "1"}
    processes.start("automation-worker", module="chaos.armed", settings=settings)
    events = demo_requests(rule_id, 5)
    await send(processes, events)

    async def has_died() -> bool:
        return processes.has_ended("automation-worker")

    await eventually(has_died, what=f"the worker dies: {point}")
    processes.start("automation-worker")
    await all_delivered(processes, rule_id, [event.lead_id for event in events])
    await check_requests(processes, rule_id, receiver)
    await delete_rule(processes, rule_id)
    await processes.close_channels()


async def test_kills_at_random_redis_flushed_and_the_receiver_down(processes: System, receiver: Receiver) -> None:
    await create_rule(processes, "random", receiver)
    events = demo_requests("random", 600)
    chance = random.Random(7)
    receiver.behaviour = answering(503, retry_after="0")
    sending = asyncio.create_task(send(processes, events, batch=20))
    for number in range(5):
        await asyncio.sleep(chance.uniform(0.2, 1.0))  # the time of the fault, not a wait of the test
        processes.kill("automation-worker")
        processes.start("automation-worker")
        async with redis.asyncio.Redis.from_url(processes.redis.url) as client:
            await client.flushall()
        if number == 2:
            receiver.behaviour = answering(200, seconds=0.02)
    await sending
    await all_scored(processes)
    await all_delivered(processes, "random", [event.lead_id for event in events])
    await check_requests(processes, "random", receiver)
    await delete_rule(processes, "random")
    await processes.close_channels()


@pytest.mark.parametrize("how", ["fails", "is closed"])
async def test_a_receiver_gets_every_delivery_after_an_outage(processes: System, how: str) -> None:
    receiver, rule_id = Receiver(port=free_port()), f"down-{how}".replace(" ", "-")
    async with contextlib.AsyncExitStack() as running:
        if how == "fails":
            receiver = await running.enter_async_context(receiving(port=receiver.port))
            receiver.behaviour = answering(500)
        await create_rule(processes, rule_id, receiver)
        events = demo_requests(rule_id, 50)
        await send(processes, events)

        async def all_are_tried() -> bool:
            found = await executions(processes, rule_id)
            return len(found) == 50 and all(each.deliveries[0].attempts for each in found)

        await eventually(all_are_tried, what="all are tried in vain")
        if how == "is closed":
            receiver = await running.enter_async_context(receiving(port=receiver.port))
        receiver.behaviour = answering(200)
        await all_delivered(processes, rule_id, [event.lead_id for event in events])
        await check_requests(processes, rule_id, receiver)
    await delete_rule(processes, rule_id)
    await processes.close_channels()


async def test_a_receiver_that_is_gone_disables_its_rule_until_an_operator_enables_it(
    processes: System, receiver: Receiver
) -> None:
    receiver.behaviour = answering(410)
    await create_rule(processes, "gone", receiver)
    await send(processes, demo_requests("gone", 1))
    automation = processes.automation()

    async def is_disabled() -> bool:
        rule = (await automation.GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="gone"), timeout=30)).rule
        return not rule.enabled and "answered 410" in rule.disable_reason

    await eventually(is_disabled, what="the rule is disabled")
    [found] = await executions(processes, "gone")
    receiver.behaviour = answering(200)
    update = pb.UpdateAutomationRuleRequest(rule=pb.AutomationRule(rule_id="gone", enabled=True))
    update.update_mask.paths.append("enabled")
    assert (await automation.UpdateAutomationRule(update, timeout=30)).rule.disable_reason == ""
    retry = pb.RetryAutomationExecutionRequest(execution_id=found.execution_id)
    await automation.RetryAutomationExecution(retry, timeout=30)
    await all_delivered(processes, "gone", ["gone-0"])
    await check_requests(processes, "gone", receiver)
    await delete_rule(processes, "gone")
    await processes.close_channels()


async def test_a_worker_without_the_key_delivers_nothing_until_it_has_it(processes: System, receiver: Receiver) -> None:
    await create_rule(processes, "locked", receiver)
    processes.stop("automation-worker")
    processes.start("automation-worker", settings={"LEADSCORE_SECRET_KEYS": new_key()})
    await send(processes, demo_requests("locked", 1))

    async def is_tried() -> bool:
        return any(each.deliveries[0].attempts for each in await executions(processes, "locked"))

    await eventually(is_tried, what="the delivery is tried")
    [found] = await executions(processes, "locked")
    assert found.state == pb.EXECUTION_STATE_PENDING
    assert "no key in LEADSCORE_SECRET_KEYS" in found.deliveries[0].attempts[0].error
    assert receiver.requests == []
    processes.stop("automation-worker")
    processes.start("automation-worker", settings={"LEADSCORE_SECRET_KEYS": f"{new_key()},{KEY}"})
    await all_delivered(processes, "locked", ["locked-0"])
    await check_requests(processes, "locked", receiver)
    processes.stop("automation-worker")
    processes.start("automation-worker")
    await delete_rule(processes, "locked")
    await processes.close_channels()


async def test_no_secret_is_in_any_log_answer_or_collection(processes: System, receiver: Receiver) -> None:
    path = "/T0aB1cD2eF3g"
    receiver.behaviour = answering(404, f"no {path} here".encode())
    await create_rule(processes, "quoted", receiver, path)
    await send(processes, demo_requests("quoted", 1))

    async def is_tried() -> bool:
        return any(each.deliveries[0].attempts for each in await executions(processes, "quoted"))

    await eventually(is_tried, what="the receiver has answered")
    [tried] = await executions(processes, "quoted")
    assert tried.deliveries[0].attempts[0].answer == "no … here"
    rule = (await processes.automation().GetAutomationRule(pb.GetAutomationRuleRequest(rule_id="quoted"))).rule
    assert rule.actions[0].webhook == pb.Webhook(url=receiver.url(""))
    logs = {name: processes.log(name).encode() for name in (*SERVERS, *WORKERS, "migrate")}
    assert b'"event": "delivery"' in logs["automation-worker"]
    for place, found in (logs | stored_in(processes)).items():
        for secret in (SECRET, SECRET.removeprefix("whsec_"), path[1:], KEY):
            assert secret.encode() not in found, f"expected no secret in {place}"
    await delete_rule(processes, "quoted")
    await processes.close_channels()


def stored_in(system: System) -> dict[str, bytes]:
    """Returns what MongoDB stores, by collection."""
    with MongoClient[dict[str, Any]](system.mongo.uri) as client:
        database = client["leadscore"]
        names = database.list_collection_names(filter={"type": "collection"})
        return {name: b"".join(map(bson.encode, database[name].find())) for name in names}
