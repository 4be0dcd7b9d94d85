"""Webhooks and Slack messages to a real HTTP server."""

import asyncio
import gzip
import json
from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote

import jsonschema
import pytest

from automation_service.delivery.attempt import DeliveryAttempt
from automation_service.delivery.receivers import AllReceivers
from automation_service.domain.action import Action
from automation_service.domain.delivery import Fate, Schedule
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Slack, Webhook
from cli.local.embedded import free_port
from shared import wire
from shared.traces.current import within
from testkit.receiver import SECRET, Receiver, Request, Writer, answering
from testkit.secret_keys import KEYS
from tests.automation.fakes import webhook
from tests.automation.receiving import INSIGHT, delivery, send
from tests.conftest import ROOT

OTHER_SECRET = "whsec_" + "QUJDRA" * 8


async def test_a_webhook_gets_the_payload_signed(subject: AllReceivers, receiver: Receiver) -> None:
    action = webhook(url=receiver.url())
    answer = await send(subject, action)
    assert (answer.fate, answer.status, answer.text) == (Fate.ARRIVED, 200, "ok")
    receiver.verify(SECRET)
    [request] = receiver.requests
    assert request.headers["webhook-id"] == delivery(action).delivery_id
    assert request.headers["content-type"] == "application/json"
    assert "cookie" not in request.headers
    payload = json.loads(request.body)
    schema = json.loads((ROOT / "docs/webhook.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(payload, schema)
    assert payload["data"]["lead"]["attributes"] == {**INSIGHT.attributes, "seats": 250, "odd": None, "tags": ["a", 1]}
    assert payload["data"]["conversion_probability"] == {
        "probability": 0.12,
        "low": 0.09,
        "high": 0.16,
        "lead_count": 812,
        "landmark_seconds": 604_800,
        "horizon_seconds": None,
    }
    assert payload["data"]["why"] == [
        "trigger: the conditions hold after a change",
        "risk low: the last event was 1 hour ago, not more than 7 days ago",
    ]


async def test_a_webhook_can_go_on_with_the_trace(subject: AllReceivers, receiver: Receiver) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with within(traceparent):
        await send(subject, webhook(url=receiver.url()))
    await send(subject, webhook(url=receiver.url()))
    assert [request.headers.get("traceparent") for request in receiver.requests] == [traceparent, None]


async def test_a_request_is_signed_with_both_secrets_during_a_rotation(
    subject: AllReceivers, receiver: Receiver
) -> None:
    await send(subject, Action("crm", Webhook(receiver.url(), (SECRET, OTHER_SECRET))))
    receiver.verify(SECRET, OTHER_SECRET)


async def test_all_attempts_have_one_id_and_one_body(subject: AllReceivers, receiver: Receiver) -> None:
    action = webhook(url=receiver.url())
    for _ in range(3):
        await send(subject, action)
    assert [len(bodies) for bodies in receiver.bodies().values()] == [1]
    receiver.verify(SECRET)


async def test_slack_gets_a_text(subject: AllReceivers, receiver: Receiver) -> None:
    preset = "Lead ada (Ada) is hot with 40 points, velocity 9 and low risk. Next action: prioritize_contact."
    for slack, text in (
        (Slack(receiver.url(), "Call {{ lead.attributes.name }}: {{ score.after }}"), "Call Ada: 40"),
        (Slack(receiver.url()), preset),
    ):
        assert (await send(subject, Action("chat", slack, Preset.NOTIFY_SALES))).fate is Fate.ARRIVED
        assert json.loads(receiver.requests[-1].body) == {"text": text}
    assert "webhook-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, Fate.ARRIVED), (204, Fate.ARRIVED), (299, Fate.ARRIVED), (301, Fate.REFUSED), (304, Fate.REFUSED),
        (400, Fate.REFUSED), (401, Fate.REFUSED), (403, Fate.REFUSED), (404, Fate.REFUSED), (408, Fate.RETRY),
        (409, Fate.REFUSED), (410, Fate.GONE), (422, Fate.REFUSED), (425, Fate.RETRY), (429, Fate.RETRY),
        (500, Fate.RETRY), (502, Fate.RETRY), (503, Fate.RETRY), (599, Fate.RETRY),
    ],
)  # fmt: skip
async def test_the_http_status_decides_the_outcome(
    subject: AllReceivers, receiver: Receiver, status: int, fate: Fate
) -> None:
    receiver.behaviour = answering(status, b"" if status in (204, 304) else b"no")
    answer = await send(subject, webhook(url=receiver.url()))
    assert (answer.fate, answer.status) == (fate, status)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("Fri, 31 Dec 2100 23:59:59 GMT", 86400), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
     ("soon", 0), ("-5", 0), ("9" * 400, 86400), ("", 0), ("٣", 0)],
)  # fmt: skip
async def test_retry_after_delays_the_next_attempt(
    subject: AllReceivers, receiver: Receiver, header: str, seconds: int
) -> None:
    receiver.behaviour = answering(503, retry_after=header)
    action = webhook(url=receiver.url())
    answer = await send(subject, action)
    now = wire.now()
    settled = delivery(action).settled(answer, now, timedelta(), Schedule([timedelta(seconds=5)]), 1)
    assert settled.due_time - now == timedelta(seconds=max(seconds, 5))


async def _endless(request: Request, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        await writer.drain()


async def _drip(request: Request, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _drip_head(request: Request, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silence(request: Request, writer: Writer) -> None:
    await asyncio.sleep(3600)


async def _reset(request: Request, writer: Writer) -> None:
    writer.transport.abort()


async def _nonsense(request: Request, writer: Writer) -> None:
    writer.write(b"\x00\xff SSH-2.0\r\n\r\n")


async def _bomb(request: Request, writer: Writer) -> None:
    body = gzip.compress(bytes(50_000_000))
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


@pytest.mark.parametrize(
    ("behaviour", "fate"),
    [
        (_endless, Fate.ARRIVED), (_bomb, Fate.ARRIVED), (_reset, Fate.RETRY), (_nonsense, Fate.RETRY),
    ],
)  # fmt: skip
async def test_a_misbehaving_receiver_yields_an_answer(
    subject: AllReceivers, receiver: Receiver, behaviour: Any, fate: Fate
) -> None:
    receiver.behaviour = behaviour
    answer = await send(subject, webhook(url=receiver.url()))
    assert (answer.fate, len(answer.text) <= 1024) == (fate, True)
    receiver.behaviour = answering(200)
    assert (await send(subject, webhook(url=receiver.url()))).fate is Fate.ARRIVED


async def _echo(request: Request, writer: Writer) -> None:
    """Answers as servers do that do not know a path."""
    quoted = request.path.replace("&", "&amp;").replace("/", "\\/")
    body = f"Cannot POST {request.path}: no {quoted}, see {unquote(request.path)} " * 400
    writer.write(f"HTTP/1.1 404 Not Found\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_an_answer_that_quotes_the_url_is_stored_without_it(
    subject: AllReceivers, receiver: Receiver, kind: str
) -> None:
    receiver.behaviour = _echo
    token, url = "T0aB1cD2eF3g", receiver.url("/in/T0aB1cD2eF3g/x?key=a%20long%20secret&u=1")
    answer = await send(subject, webhook(url=url) if kind == "webhook" else Action("chat", Slack(url)))
    assert (answer.status, answer.text.startswith("Cannot POST …: no ")) == (404, True)
    assert not {part for part in (token, "long", "/in/") if part in answer.text}
    assert 1000 < len(answer.text.encode()) <= 1024


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_an_error_that_quotes_the_url_or_the_secret_is_stored_without_it(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    action = webhook(url="https://crm.example/T0aB1cD2eF3g")
    if kind == "slack":
        action = Action("chat", Slack("https://crm.example/T0aB1cD2eF3g"))

    async def send(action: Action, delivery: object) -> None:
        raise RuntimeError(f"cannot send to https://crm.example/T0aB1cD2eF3g with {SECRET}")

    receivers = Mock(send=send)
    attempt_delivery = DeliveryAttempt(
        settling=Mock(), rules=Mock(), receivers=receivers, keys=KEYS, schedule=Schedule(), clock=wire.now
    )
    answer = await attempt_delivery._send(action, delivery(action))
    logged = capfd.readouterr()
    for text in (answer.error, logged.out, logged.err):
        assert "T0aB1cD2eF3g" not in text
        assert kind == "slack" or SECRET.removeprefix("whsec_") not in text
    assert answer.error.startswith("RuntimeError('cannot send to https://crm.example…")


@pytest.mark.parametrize(
    ("behaviour", "seconds", "fate", "error"),
    [
        (_drip, 60.0, Fate.ARRIVED, ""),
        (_drip_head, 1.0, Fate.RETRY, "no answer within 1 s"),
        (_silence, 1.0, Fate.RETRY, "no answer within 1 s"),
    ],
)
async def test_an_attempt_at_a_slow_receiver_times_out(
    subject: AllReceivers,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Any,
    seconds: float,
    fate: Fate,
    error: str,
) -> None:
    monkeypatch.setattr("automation_service.delivery.receivers.TEXT_SECONDS", 0.3)
    monkeypatch.setattr("automation_service.delivery.attempt.ATTEMPT_SECONDS", seconds)
    receiver.behaviour = behaviour
    action = webhook(url=receiver.url())
    attempt_delivery = DeliveryAttempt(
        settling=Mock(), rules=Mock(), receivers=subject, keys=KEYS, schedule=Schedule(), clock=wire.now
    )
    async with asyncio.timeout(30):
        answer = await attempt_delivery._send(action, delivery(action))
    assert (answer.fate, answer.error) == (fate, error)


async def test_an_http_url_is_not_called_once_http_is_forbidden(subject: AllReceivers, receiver: Receiver) -> None:
    subject._http._schemes = {"https"}
    answer = await send(subject, webhook(url=receiver.url()))
    assert (answer.fate, answer.status, receiver.requests) == (Fate.FINAL, 0, [])
    assert "LEADSCORE_WEBHOOK_HTTP" in answer.error


async def test_an_unreachable_receiver_is_retried(subject: AllReceivers) -> None:
    answer = await send(subject, webhook(url=f"http://127.0.0.1:{free_port()}/"))
    assert (answer.fate, answer.status, "ConnectError" in answer.error) == (Fate.RETRY, 0, True)
