"""Whatever is sent, every answer is a foreseen one, and whatever was accepted harms nothing that follows.

`LEADSCORE_FUZZ_INPUTS` is how many inputs are made up, half of them bytes and half messages; naughty strings and forged
page tokens come on top.
"""

import asyncio
import base64
import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import AsyncMongoClient

from automation_service.domain.execution import Key
from scoring_service.model_codec import write_model
from scoring_service.store import built_in
from shared import wire
from testkit.receiver import SECRET
from testkit.system import SERVERS, WORKERS, System
from testkit.traffic import all_scored, make_events, scores, send, violations
from testkit.waiting import eventually
from tests.e2e import fuzz
from tests.e2e.naughty import NAUGHTY

INPUTS = int(os.environ.get("LEADSCORE_FUZZ_INPUTS", "4000"))
MANY_PLACES = 10
"""A message with more places for a string is a structure such as a model."""
ROUND = 1000
"""Inputs that are made up at once."""
IN_FLIGHT = 50
CALL_SECONDS = 20
"""A call that takes longer hangs."""
FORESEEN = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
WALKS = (
    "DecayScores",
    "VerifyScores",
    "GetPipelineSummary",
    "RebuildLeadScores",
    "SimulateScoringModel",
    "PublishScoringModel",
)
"""They go through all leads, so they get few inputs."""
MODEL = write_model(built_in())
ENDLESS = ("WatchLeads",)
"""They stream until the caller ends them."""
FILES = (ingest_pb2, scoring_pb2, automation_pb2, intelligence_pb2)
METHODS: tuple[MethodDescriptor, ...] = tuple(
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
)
LISTS = tuple(method for method in METHODS if "page_token" in method.input_type.fields_by_name)
PLACES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, float("nan"), float("inf"), 2**31, 2**63, 10**400, "", "a", "\x00", "\ud800", "a" * 5000,
    "2026-01-01", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "$gt", {"$gt": ""}, {}, [], [[[]]],
)  # fmt: skip
"""JSON values that no service puts into a page token, and some that it may."""


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes that are sent to a method."""

    method: MethodDescriptor
    data: bytes

    def __str__(self) -> str:
        try:
            shown = str(GetMessageClass(self.method.input_type).FromString(self.data))
        except DecodeError:
            shown = "(no message)"
        return f"{self.method.full_name}\n{shown[:1000]}\n{self.data[:1000]!r}"


async def test_bytes(system: System) -> None:
    await _prepare(system)
    await _withstands(system, "bytes", _made_up(INPUTS // 2, _mangled))


async def test_messages(system: System) -> None:
    await _prepare(system)
    await _withstands(system, "messages", _made_up(INPUTS // 2, _varied))


async def test_naughty_strings_in_every_field(system: System) -> None:
    def inputs() -> Iterator[Input]:
        for method in METHODS:
            places = list(fuzz.string_places(method.input_type))
            # Every string in every place of every message would take minutes: each place gets its share of them.
            shares = 50 if method.name in WALKS else 20 if len(places) > MANY_PLACES else 4
            for index, place in enumerate(places):
                for text in NAUGHTY[index % shares :: shares]:
                    message = _likely(method)
                    fuzz.put(message, place, text)
                    yield Input(method, message.SerializeToString())

    await _prepare(system)
    await _withstands(system, "naughty", inputs())


async def test_forged_page_tokens(system: System) -> None:
    def forged(token: str) -> Iterator[bytes]:
        digest, *place = json.loads(base64.urlsafe_b64decode(token))
        for index in range(len(place) + 1):
            yield json.dumps([digest, *place[:index]]).encode()
            for value in PLACES:
                yield json.dumps([digest, *place[:index], value, *place[index + 1 :]]).encode()

    await _prepare(system)
    await _publish(system)
    await _park(system)
    inputs = []
    for method in LISTS:
        orders = method.input_type.fields_by_name.get("order")
        for order in orders.enum_type.values_by_number if orders and orders.enum_type else (None,):
            request: Any = _likely(method)
            request.page_size = 1
            if order:
                request.order = order
            page: Any = GetMessageClass(method.output_type).FromString(
                await _call(system, Input(method, request.SerializeToString()))
            )
            assert page.next_page_token, f"{method.full_name} has one page only"
            for content in forged(page.next_page_token):
                request.page_token = base64.urlsafe_b64encode(content).decode()
                inputs.append(Input(method, request.SerializeToString()))
    await _withstands(system, "tokens", inputs)


def _made_up(count: int, make: Callable[[MethodDescriptor, int, int], Iterable[bytes]]) -> Iterator[Input]:
    """Yields inputs for all methods in turns; `make` makes so many, by a seed."""
    usual = [method for method in METHODS if method.input_type.fields and method.name not in WALKS]
    few = [method for method in METHODS if method not in usual]
    for number, start in enumerate(range(0, count, ROUND)):
        share = max(1, min(ROUND, count - start) // len(usual))
        inputs = [Input(method, data) for method in usual for data in make(method, share, number)]
        inputs += [Input(method, data) for method in few for data in make(method, max(1, share // 20), number)]
        random.Random(number).shuffle(inputs)
        yield from inputs


def _mangled(method: MethodDescriptor, count: int, seed: int) -> Iterator[bytes]:
    chance = random.Random(f"{method.full_name} {seed}")
    for _ in range(count):
        data = bytearray(_likely(method).SerializeToString())
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(7):
                case 0:
                    data = bytearray(chance.randbytes(chance.randrange(200)))
                case 1:
                    data[at : at + 1] = chance.randbytes(1)
                case 2:
                    del data[at : at + chance.randrange(1, 5)]
                case 3:
                    data[at:at] = data[chance.randrange(len(data) + 1) :]
                case 4:
                    data[at:at] = chance.choice([b"\xff", b"\x00", b"\xed\xa0\x80", b"\xff" * 10, b"\x0b" * 200])
                case 5:
                    data += bytes([chance.randrange(1, 8) << 3 | 2, 3]) + b"\xed\xa0\x80"  # a lone surrogate
                case _ if chance.random() < 0.02:
                    data += bytes(chance.choice([1 << 16, 1 << 21]))
        yield bytes(data)


def _varied(method: MethodDescriptor, count: int, seed: int) -> Iterator[bytes]:
    """Yields made-up messages, half of them laid over one that is likely to be accepted."""
    ids = [f"{kind}-{seed}-{number}" for kind in ("lead", "event", "rule") for number in range(3)]
    words = (*ids, "lead-0", "rule-0", "page_view", "demo_request", "identify", "hot", "enabled", "conditions", "")
    strategy = st.tuples(st.booleans(), fuzz.messages(method.input_type, words))
    for over, message in fuzz.drawn(strategy, count, seed):
        whole: Any = _likely(method) if over else type(message)()
        whole.MergeFrom(message)
        yield whole.SerializeToString()


_numbers = itertools.count()
_EXECUTION_ID = Key("lead-0", "rule-0", f"{wire.now():%Y-%m-%d}").execution_id


def _likely(method: MethodDescriptor) -> Any:
    """Returns a message that its method is likely to accept, with ids of its own where it creates something."""
    number = next(_numbers)
    likely = LIKELY.get(method.name)
    if likely is None:
        needs_lead = "lead_id" in method.input_type.fields_by_name and method.name != "ListAutomationExecutions"
        likely = {"lead_id": "lead-0"} if needs_lead else {}
    fields = likely(number) if callable(likely) else likely
    return GetMessageClass(method.input_type)(**fields)


def _likely_event(number: int) -> ingest_pb2.Event:
    return ingest_pb2.Event(
        event_id=f"likely-{number}",
        lead_id=f"lead-{number % 50}",
        event_type=("page_view", "identify")[number % 2],
        event_time=wire.to_timestamp(wire.now()),
    )


def _likely_rule(rule_id: str) -> automation_pb2.AutomationRule:
    webhook = automation_pb2.Webhook(url=f"http://127.0.0.1:9/{rule_id}", secrets=[SECRET])
    return automation_pb2.AutomationRule(
        rule_id=rule_id,
        display_name="A rule",
        enabled=True,
        conditions=automation_pb2.Conditions(minimum_score=1000),
        actions=[automation_pb2.Action(action_id="crm", webhook=webhook)],
    )


LIKELY: dict[str, dict[str, Any] | Callable[[int], dict[str, Any]]] = {
    "IngestEvent": lambda number: {"event": _likely_event(number)},
    "BatchIngestEvents": lambda number: {"events": [_likely_event(number)]},
    "CreateAutomationRule": lambda number: {"rule": _likely_rule(f"likely-{number}")},
    "UpdateAutomationRule": {"rule": _likely_rule("rule-0")},
    "GetAutomationRule": lambda number: {"rule_id": f"rule-{1 + number % 2}"},
    "DeleteAutomationRule": lambda number: {"rule_id": f"rule-{1 + number % 2}"},
    "CreateScoringModel": {"scoring_model": MODEL},
    "SimulateScoringModel": {"draft": MODEL},
    "PublishScoringModel": {"version": 1, "base_version": 1, "actor": "tester"},
    "AdjustLeadScore": lambda number: {
        "lead_id": "lead-0", "request_id": f"likely-{number}", "delta": 1, "reason": "because", "actor": "tester",
    },
    "RetractEvent": lambda number: {"event_id": f"likely-{number // 2}", "reason": "because", "actor": "tester"},
    "TestAutomationRule": lambda number: {"rule": _likely_rule(f"likely-{number}"), "lead_id": "lead-0"},
    "GetAutomationExecution": {"execution_id": _EXECUTION_ID},
    "RetryAutomationExecution": {"execution_id": _EXECUTION_ID},
    "WatchLeads": {"lead_ids": ["lead-1"]},
    "RetryParkedEvents": {"event_ids": ["likely-1"]},
    "RetryParkedChanges": {"change_ids": ["lead-0:1"]},
    "BatchGetLeadScores": {"lead_ids": ["lead-1"]},
    "BatchGetLeadIntelligence": {"lead_ids": ["lead-1"]},
}  # fmt: skip


async def _withstands(system: System, name: str, inputs: Iterable[Input]) -> None:
    """Sends inputs; checks that the answers are foreseen, and that what was accepted harms nothing."""
    logged = {process: len(system.log(process)) for process in (*SERVERS, *WORKERS)}
    failures = await _unforeseen(system, inputs)
    shown = "\n\n".join(failures)
    print(shown)  # noqa: T201 (lest a harm hides its cause)
    await _all_is_well(system, name)
    assert not failures, shown
    for process, length in logged.items():
        lines = system.log(process)[length:].splitlines()
        errors = [line[:3000] for line in lines if '"level": "error"' in line or "Traceback" in line]
        assert not errors, f"{process}: {errors[0]}"


async def _unforeseen(system: System, inputs: Iterable[Input]) -> list[str]:
    """Sends inputs, many at a time; returns one input for each method and code that was not foreseen."""
    answers: Counter[str] = Counter()
    failures: dict[tuple[str, grpc.StatusCode], str] = {}
    waiting = iter(inputs)

    async def client() -> None:
        for each in waiting:
            code, details = grpc.StatusCode.OK, ""
            try:
                await _call(system, each)
            except grpc.aio.AioRpcError as error:
                code, details = error.code(), error.details() or ""
            answers[code.name] += 1
            if code not in FORESEEN:
                failures.setdefault((each.method.name, code), f"{code.name} {details}: {each}")

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    print(dict(answers))  # noqa: T201 (shown when the test fails, or with -s)
    return list(failures.values())


async def _call(system: System, each: Input) -> bytes:
    """Returns what a method answers, the last message of a stream."""
    service = each.method.containing_service
    channel: Any = system.channel(service.full_name.split(".")[1])  # bytes in, bytes out, which grpc's types lack
    path = f"/{service.full_name}/{each.method.name}"
    if not each.method.server_streaming:
        return bytes(await channel.unary_unary(path)(each.data, timeout=CALL_SECONDS))
    last = b""
    call = channel.unary_stream(path)(each.data, timeout=CALL_SECONDS)
    async for answer in call:
        last = answer
        if each.method.name in ENDLESS:
            call.cancel()
            break
    return last


async def _prepare(system: System) -> None:
    """Deletes all rules and gives the leads and rules that `_likely` names."""
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
    await _executed(system, "lead-0")


async def _publish(system: System) -> None:
    """Sees to it that there is more than one model, and more than one publication."""
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


async def _park(system: System) -> None:
    """Sees to it that there is more than one parked event, and more than one parked change."""
    parked = {"state": "parked", "attempts": 5, "reason": "planted", "reason_code": "FAILED", "park_time": wire.now()}
    async with AsyncMongoClient[dict[str, Any]](system.mongo.uri, tz_aware=True) as client:
        for name in ("events", "score_changes"):
            rows = client["leadscore"][name]
            for row in await rows.find({}).limit(2).to_list():
                planted = {**row, **parked, "_id": f"parked-{row['_id']}"}
                await rows.replace_one({"_id": planted["_id"]}, planted, upsert=True)


async def _executed(system: System, lead: str) -> None:
    async def each_rule() -> bool:
        requests = [
            automation_pb2.ListAutomationExecutionsRequest(lead_id=lead, rule_id=f"rule-{number}")
            for number in range(3)
        ]
        stub = system.automation()
        found = [await stub.ListAutomationExecutions(request, timeout=CALL_SECONDS) for request in requests]
        return all(each.executions for each in found)

    await eventually(each_rule, what=f"each rule is executed for {lead}")


async def _all_is_well(system: System, name: str) -> None:
    """Checks that what was accepted is scored, readable and consistent, and that ordinary work goes on."""
    system.wait_until_serving(*SERVERS)
    await all_scored(system, within=120)
    assert await violations(system) == []
    await _prepare(system)
    events = make_events(300, leads=9, seed=11, prefix=f"{name}-")
    assert await send(system, events) == {ingest_pb2.OUTCOME_ACCEPTED: 300}
    await all_scored(system, within=60)
    await _executed(system, f"{name}-lead-0")
    leads = list(await scores(system))
    assert {event.lead_id for event in events} <= set(leads)
    for start in range(0, len(leads), 500):
        request = intelligence_pb2.BatchGetLeadIntelligenceRequest(lead_ids=leads[start : start + 500])
        found = await system.intelligence().BatchGetLeadIntelligence(request, timeout=CALL_SECONDS)
        assert list(found.missing_lead_ids) == []
