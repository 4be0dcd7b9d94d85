"""Measures single events over HTTP and JSON beside the same events in gRPC calls."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import json_format
from leadscore.ingest.v1 import ingest_pb2

from benchmarks.harness import calls
from benchmarks.harness.clients import Ready
from benchmarks.harness.load import Load, load
from benchmarks.harness.options import Options, in_turn
from benchmarks.harness.report import Figure, share_of_reference
from benchmarks.harness.running import Running
from benchmarks.ingest import ingest_alone
from benchmarks.throughput import FEW_LEADS
from testkit.http_api import running_http_api

REQUESTS = 8_000
CONNECTIONS = 100


def single_requests(running: Running, options: Options) -> Iterator[Figure]:
    """Measures requests and calls with one event each, to an ingest server whose events nobody scores."""
    sent = load("http", options.sized(REQUESTS), FEW_LEADS)
    with tempfile.TemporaryDirectory() as directory, ingest_alone(running) as server:
        targets = running.targets | {"ingest": server.target}
        with running_http_api(Path(directory), targets) as api:

            def ours() -> float:
                server.empty()
                return running.clients.rate(sent.events, post_events, 1, api.port, sent.again(), CONNECTIONS)

            def plain() -> float:
                server.empty()
                return running.clients.rate(
                    sent.events, calls.single_calls, 1, server.target, sent.again(), CONNECTIONS
                )

            ours(), plain()
            pairs = in_turn(options, "single requests", ours, plain)
    name = f"durable single events over HTTP, {CONNECTIONS} connections"
    yield Figure(name, "requests/s", pairs.ours, "gRPC calls", pairs.reference, share_of_reference(0.4))


def post_events(ready: Ready, number: int, count: int, port: int, sent: Load, connections: int) -> int:
    """Posts each event of a load in a request of its own; runs in a client process, and returns 0 refusals."""
    requests = iter([_request(event.to_message()) for event in sent.part(number, count)])

    async def run() -> None:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
        ready()
        await asyncio.gather(*(_post(requests, *each) for each in opened))
        for _, writer in opened:
            writer.close()

    asyncio.run(run())
    return 0


def _request(event: ingest_pb2.Event) -> bytes:
    body = json.dumps(json_format.MessageToDict(event, preserving_proto_field_name=True)).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _post(requests: Iterator[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for request in requests:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n", 1)[0])
        body = await reader.readexactly(length)
        if not head.startswith("http/1.1 200 "):
            raise ValueError(f"an event was refused: {body.decode()}")
