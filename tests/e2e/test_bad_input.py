"""Every response to bad input has an expected status, and accepted input never breaks later requests.

`FUZZ_INPUTS` is the number of generated inputs, half of them bytes and half messages. Naughty strings and
forged page tokens come on top.
"""

import asyncio
import base64
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2

from testkit.system import SERVERS, WORKERS, System, running_system
from testkit.traffic import all_scored, make_events, scores, send, violations
from tests.e2e import fuzz
from tests.e2e.inputs import (
    CURSOR_VALUES,
    ENDLESS,
    LISTS,
    MANY_PATHS,
    METHODS,
    WALKS,
    Input,
    generated,
    likely,
    mangled,
    varied,
)
from tests.e2e.naughty import NAUGHTY
from tests.e2e.prepared import (
    CALL_SECONDS,
    plant_failures,
    plant_keys_and_records,
    prepare,
    publish_model,
    wait_for_executions,
)

INPUTS = int(os.environ.get("FUZZ_INPUTS", "4000"))
# Many of the calls change the same lead, one after the other. Of 50 in flight, some waited until their deadline.
IN_FLIGHT = 16
# Calls that answer with progress, such as DecayScores, walk all leads while others are in flight.
WALK_SECONDS = 120
EXPECTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system that gives calls as much time as these tests do, so that only a call that hangs is cut off."""
    settings = {"LEADSCORE_CALL_SECONDS": str(CALL_SECONDS)}
    with running_system(tmp_path_factory.mktemp("system"), settings=settings) as system:
        yield system


async def test_bytes(system: System) -> None:
    await prepare(system)
    await send_all(system, "bytes", generated(INPUTS // 2, mangled))


async def test_messages(system: System) -> None:
    await prepare(system)
    await send_all(system, "messages", generated(INPUTS // 2, varied))


async def test_naughty_strings_in_every_field(system: System) -> None:
    def inputs() -> Iterator[Input]:
        for method in METHODS:
            paths = list(fuzz.string_places(method.input_type))
            # All strings in all fields would take minutes, so each field gets its share of the strings.
            shares = 50 if method.name in WALKS else 20 if len(paths) > MANY_PATHS else 4
            for index, path in enumerate(paths):
                for text in NAUGHTY[index % shares :: shares]:
                    message = likely(method)
                    fuzz.put(message, path, text)
                    yield Input(method, message.SerializeToString())

    await prepare(system)
    await send_all(system, "naughty", inputs())


async def test_forged_page_tokens(system: System) -> None:
    def forged(token: str) -> Iterator[bytes]:
        digest, *cursor = json.loads(base64.urlsafe_b64decode(token))
        for index in range(len(cursor) + 1):
            yield json.dumps([digest, *cursor[:index]]).encode()
            for value in CURSOR_VALUES:
                yield json.dumps([digest, *cursor[:index], value, *cursor[index + 1 :]]).encode()

    await prepare(system)
    await publish_model(system)
    await plant_failures(system)
    await plant_keys_and_records(system)
    inputs = []
    for method in LISTS:
        orders = method.input_type.fields_by_name.get("order")
        for order in orders.enum_type.values_by_number if orders and orders.enum_type else (None,):
            request: Any = likely(method)
            request.page_size = 1
            if order:
                request.order = order
            page: Any = GetMessageClass(method.output_type).FromString(
                await call(system, Input(method, request.SerializeToString()))
            )
            assert page.next_page_token, f"{method.full_name} has one page only"
            for content in forged(page.next_page_token):
                request.page_token = base64.urlsafe_b64encode(content).decode()
                inputs.append(Input(method, request.SerializeToString()))
    await send_all(system, "tokens", inputs)


async def send_all(system: System, name: str, inputs: Iterable[Input]) -> None:
    """Sends inputs; checks that every status is expected and that the system still works afterwards."""
    logged = {process: len(system.log(process)) for process in (*SERVERS, *WORKERS)}
    failures = await unexpected(system, inputs)
    shown = "\n\n".join(failures)
    print(shown)  # noqa: T201 (in case the next check fails and hides the cause)
    await check_health(system, name)
    assert not failures, shown
    for process, length in logged.items():
        lines = system.log(process)[length:].splitlines()
        errors = [line[:3000] for line in lines if '"level": "error"' in line or "Traceback" in line]
        assert not errors, f"{process}: {errors[0]}"


async def unexpected(system: System, inputs: Iterable[Input]) -> list[str]:
    """Sends inputs concurrently; returns one input for each method and unexpected status."""
    answers: Counter[str] = Counter()
    failures: dict[tuple[str, grpc.StatusCode], str] = {}
    waiting = iter(inputs)

    async def client() -> None:
        for each in waiting:
            code, details = grpc.StatusCode.OK, ""
            try:
                await call(system, each)
            except grpc.aio.AioRpcError as error:
                code, details = error.code(), error.details() or ""
            answers[code.name] += 1
            if code not in EXPECTED:
                failures.setdefault((each.method.name, code), f"{code.name} {details}: {each}")

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
    print(dict(answers))  # noqa: T201 (shown when the test fails, or with -s)
    return list(failures.values())


async def call(system: System, each: Input) -> bytes:
    """Returns the response of a method; of a stream, its last message."""
    service = each.method.containing_service
    channel: Any = system.channel(service.full_name.split(".")[1])  # grpc's types do not cover calls with raw bytes
    path = f"/{service.full_name}/{each.method.name}"
    if not each.method.server_streaming:
        return bytes(await channel.unary_unary(path)(each.data, timeout=CALL_SECONDS))
    last = b""
    call = channel.unary_stream(path)(each.data, timeout=WALK_SECONDS)
    async for answer in call:
        last = answer
        if each.method.name in ENDLESS:
            call.cancel()
            break
    return last


async def check_health(system: System, name: str) -> None:
    """Checks that all accepted events are scored, readable and consistent, and that new events are processed."""
    system.wait_until_serving(*SERVERS)
    await all_scored(system, within=120)
    assert await violations(system) == []
    await prepare(system)
    events = make_events(300, leads=9, seed=11, prefix=f"{name}-")
    assert await send(system, events) == {ingest_pb2.OUTCOME_ACCEPTED: 300}
    await all_scored(system, within=60)
    await wait_for_executions(system, f"{name}-lead-0")
    leads = list(await scores(system))
    assert {event.lead_id for event in events} <= set(leads)
    for start in range(0, len(leads), 500):
        request = intelligence_pb2.BatchGetLeadIntelligenceRequest(lead_ids=leads[start : start + 500])
        found = await system.intelligence().BatchGetLeadIntelligence(request, timeout=CALL_SECONDS)
        assert list(found.missing_lead_ids) == []
