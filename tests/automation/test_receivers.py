"""What receivers answer, and what that means: a real HTTP receiver and a real mail server."""

import asyncio
import email.policy
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any
from unittest.mock import Mock

import aiosmtplib
import jsonschema
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from automation_service.delivery.address_guard import Guard, GuardedTransport
from automation_service.delivery.attempt import DeliveryAttempt
from automation_service.delivery.receivers import AllReceivers, HttpReceivers, SmtpServer, open_client
from automation_service.domain.action import Action
from automation_service.domain.address import read_networks
from automation_service.domain.delivery import Answer, Delivery, Fate
from automation_service.domain.lead import Insight, Risk, Threshold
from automation_service.domain.limits import InvalidRule
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email, Slack, Webhook
from cli.local.embedded import free_port
from shared import wire
from testkit.receiver import SECRET, Receiver, Request, Writer, answering, receiving
from tests.automation.fakes import SENDER, change, executed, rule, webhook
from tests.automation.test_network import RESOLVER, TLS
from tests.conftest import ROOT

OTHER_SECRET = "whsec_" + "QUJDRA" * 8
INSIGHT = Insight(
    velocity=9,
    risk=Risk.LOW,
    next_action="prioritize_contact",
    attributes={"name": "Ada", "email": "ada@engines.example", "seats": 250.0, "odd": float("nan"), "tags": ["a", 1.0]},
    why=(Threshold("risk", "low", "the last event is 1 hour ago, not more than 7 days ago"),),
)


class Mailbox:
    """The handler of a mail server that keeps what it gets, or answers with `reply`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.reply = "250 OK"
        self.refused: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient, unless it is one of `refused`."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Keeps an e-mail."""
        self.envelopes.append(envelope)
        return self.reply

    def messages(self) -> list[EmailMessage]:
        """Returns the e-mails that came."""
        parser = BytesParser(policy=email.policy.default)
        return [parser.parsebytes(envelope.content or b"") for envelope in self.envelopes]  # type: ignore[arg-type]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp(mailbox: Mailbox) -> Iterator[SmtpServer]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield SmtpServer("127.0.0.1", controller.port, "none", "", str, SENDER)
    controller.stop()


@pytest.fixture
async def subject(smtp: SmtpServer) -> AsyncIterator[AllReceivers]:
    guard = Guard(read_networks(["127.0.0.0/8"]), RESOLVER)
    async with open_client(GuardedTransport(guard, per_endpoint=8, tls=TLS)) as client:
        yield AllReceivers(HttpReceivers(client, guard, wire.now, allow_http=True), smtp)


def delivery(action: Action) -> Delivery:
    """Returns what a rule tells a receiver."""
    [found] = executed(change(), rule("call", None, action), insight=INSIGHT).deliveries
    return found


async def told(subject: AllReceivers, action: Action) -> Answer:
    return await subject.send(action, delivery(action))


async def test_a_webhook_gets_the_payload_signed(subject: AllReceivers, receiver: Receiver) -> None:
    action = webhook(url=receiver.url())
    answer = await told(subject, action)
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
    assert payload["data"]["why"] == [
        "trigger: the conditions hold after a change",
        "risk low: the last event is 1 hour ago, not more than 7 days ago",
    ]


async def test_while_secrets_are_rotated_a_request_is_signed_with_both(
    subject: AllReceivers, receiver: Receiver
) -> None:
    await told(subject, Action("crm", Webhook(receiver.url(), (SECRET, OTHER_SECRET))))
    receiver.verify(SECRET, OTHER_SECRET)


async def test_all_attempts_have_one_id_and_one_body(subject: AllReceivers, receiver: Receiver) -> None:
    action = webhook(url=receiver.url())
    for _ in range(3):
        await told(subject, action)
    assert [len(bodies) for bodies in receiver.bodies().values()] == [1]
    receiver.verify(SECRET)


async def test_slack_gets_a_text(subject: AllReceivers, receiver: Receiver) -> None:
    preset = "Lead ada (Ada) is hot with 40 points, velocity 9 and low risk. Next action: prioritize_contact."
    for slack, text in (
        (Slack(receiver.url(), "Call {{ lead.attributes.name }}: {{ score.after }}"), "Call Ada: 40"),
        (Slack(receiver.url()), preset),
    ):
        assert (await told(subject, Action("chat", slack, Preset.NOTIFY_SALES))).fate is Fate.ARRIVED
        assert json.loads(receiver.requests[-1].body) == {"text": text}
    assert "webhook-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, Fate.ARRIVED), (204, Fate.ARRIVED), (299, Fate.ARRIVED), (301, Fate.FINAL), (304, Fate.FINAL),
        (400, Fate.FINAL), (401, Fate.FINAL), (404, Fate.FINAL), (410, Fate.GONE), (429, Fate.RETRY),
        (500, Fate.RETRY), (502, Fate.RETRY), (503, Fate.RETRY), (599, Fate.RETRY),
    ],
)  # fmt: skip
async def test_the_status_decides(subject: AllReceivers, receiver: Receiver, status: int, fate: Fate) -> None:
    receiver.behaviour = answering(status, b"" if status in (204, 304) else b"no")
    answer = await told(subject, webhook(url=receiver.url()))
    assert (answer.fate, answer.status) == (fate, status)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("Fri, 31 Dec 2100 23:59:59 GMT", 86400), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
     ("soon", 0), ("-5", 0), ("9" * 400, 86400), ("", 0), ("٣", 0)],
)  # fmt: skip
async def test_a_receiver_may_ask_to_wait(subject: AllReceivers, receiver: Receiver, header: str, seconds: int) -> None:
    receiver.behaviour = answering(503, retry_after=header)
    action = webhook(url=receiver.url())
    answer = await told(subject, action)
    now = wire.now()
    settled = delivery(action).settled(answer, now, timedelta(), [timedelta(seconds=5)], 1)
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
async def test_whatever_a_receiver_does_is_an_answer(
    subject: AllReceivers, receiver: Receiver, behaviour: Any, fate: Fate
) -> None:
    receiver.behaviour = behaviour
    answer = await told(subject, webhook(url=receiver.url()))
    assert (answer.fate, len(answer.text) <= 1024) == (fate, True)
    receiver.behaviour = answering(200)
    assert (await told(subject, webhook(url=receiver.url()))).fate is Fate.ARRIVED


@pytest.mark.parametrize(
    ("behaviour", "fate", "error"),
    [
        (_drip, Fate.ARRIVED, ""),
        (_drip_head, Fate.RETRY, "no answer within 2 s"),
        (_silence, Fate.RETRY, "no answer within 2 s"),
    ],
)
async def test_a_slow_receiver_holds_nobody_beyond_the_limit(
    subject: AllReceivers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, behaviour: Any, fate: Fate, error: str
) -> None:
    monkeypatch.setattr("automation_service.delivery.receivers.TEXT_SECONDS", 0.3)
    monkeypatch.setattr("automation_service.delivery.attempt.ATTEMPT_SECONDS", 2.0)
    receiver.behaviour = behaviour
    action = webhook(url=receiver.url())
    attempt_delivery = DeliveryAttempt(settling=Mock(), rules=Mock(), receivers=subject, schedule=(), clock=wire.now)
    async with asyncio.timeout(30):
        answer = await attempt_delivery._attempt(action, delivery(action))
    assert (answer.fate, answer.error) == (fate, error)


async def test_a_url_that_may_no_longer_be_http_is_not_called(subject: AllReceivers, receiver: Receiver) -> None:
    subject._http._schemes = {"https"}
    answer = await told(subject, webhook(url=receiver.url()))
    assert (answer.fate, answer.status, receiver.requests) == (Fate.FINAL, 0, [])
    assert "LEADSCORE_WEBHOOK_HTTP" in answer.error


async def test_a_receiver_that_is_not_there_is_worth_another_try(subject: AllReceivers) -> None:
    answer = await told(subject, webhook(url=f"http://127.0.0.1:{free_port()}/"))
    assert (answer.fate, answer.status, "ConnectError" in answer.error) == (Fate.RETRY, 0, True)


async def test_an_email_is_sent_and_the_same_at_every_attempt(subject: AllReceivers, mailbox: Mailbox) -> None:
    action = Action(
        "mail",
        Email(
            ("sales@example.org",),
            "email",
            "Call {{ lead.attributes.name }}\nBcc: evil@example.org",
            "{% if risk == 'low' %}Go: {{ next_action | upper }}, {{ lead.attributes.nothing.more }}ü{% endif %}",
        ),
        Preset.SEND_EMAIL,
    )
    for _ in range(2):
        answer = await told(subject, action)
        assert (answer.fate, answer.status) == (Fate.ARRIVED, 250)
    assert mailbox.envelopes[0].rcpt_tos == ["sales@example.org", "ada@engines.example"]
    assert mailbox.envelopes[0].mail_from == SENDER
    first, second = mailbox.messages()
    assert first.as_bytes() == second.as_bytes()
    assert first["Subject"] == "Call Ada Bcc: evil@example.org"
    assert first["Bcc"] is None
    assert first["Message-ID"] == f"<{delivery(action).delivery_id}@example.org>"
    assert first.get_content().strip() == "Go: PRIORITIZE_CONTACT, ü"


@pytest.mark.parametrize(("reply", "fate"), [("451 later", Fate.RETRY), ("554 no", Fate.FINAL)])
async def test_the_reply_of_the_mail_server_decides(
    subject: AllReceivers, mailbox: Mailbox, reply: str, fate: Fate
) -> None:
    mailbox.reply = reply
    answer = await told(subject, Action("mail", Email(("sales@example.org",))))
    assert (answer.fate, answer.status) == (fate, int(reply[:3]))


@pytest.mark.parametrize(
    ("refused", "fate", "status"),
    [
        ({"a@example.org": "450 later"}, Fate.ARRIVED, 250),
        ({"a@example.org": "550 no", "b@example.org": "450 later"}, Fate.RETRY, 450),
        ({"a@example.org": "450 later", "b@example.org": "550 no"}, Fate.RETRY, 450),
        ({"a@example.org": "550 no", "b@example.org": "550 no"}, Fate.FINAL, 550),
    ],
)
async def test_an_email_arrives_if_one_gets_it_and_is_tried_again_if_one_may(
    subject: AllReceivers, mailbox: Mailbox, refused: dict[str, str], fate: Fate, status: int
) -> None:
    mailbox.refused = refused
    answer = await told(subject, Action("mail", Email(("a@example.org", "b@example.org"))))
    assert (answer.fate, answer.status) == (fate, status)
    assert ("refused for a@example.org" in answer.text) == (fate is Fate.ARRIVED)


@pytest.mark.parametrize(
    "evil",
    ["=?utf-8?q?a=0D=0ABcc:=20evil=40example.org=0D=0A=0D=0Aowned?=", "=?unicode_escape?q?=5Cud800?=", "a\r\nBcc: b"],
)
def test_no_lead_writes_the_headers_of_an_email(evil: str) -> None:
    action = Action("mail", Email(("sales@example.org",), "", "{{ lead.lead_id }}", "{{ lead.lead_id }}"))
    [delivery] = executed(change(lead_id=evil), rule("call", None, action), insight=INSIGHT).deliveries
    assert delivery.state == "pending"
    head = delivery.body.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert not [line for line in head if line.startswith((b"Bcc", b"owned"))]
    assert [line[:8] for line in head].count(b"Subject:") == 1


@pytest.mark.parametrize("evil", ["=?utf-8?q?a=0d=0ab?=@example.org", "=?unicode_escape?q?=5Cud800?=@example.org"])
def test_a_leads_address_that_no_header_holds_fails_its_email_only(evil: str) -> None:
    insight = replace(INSIGHT, attributes={"email": evil})
    to_lead = Action("mail", Email(to_attribute="email"))
    lost, kept = executed(change(), rule("call", None, to_lead, webhook()), insight=insight).deliveries
    assert (lost.state, kept.state) == ("failed", "pending")


@pytest.mark.parametrize("code", [250, 550])
async def test_an_answer_that_is_no_utf_8_can_be_stored(
    subject: AllReceivers, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    text = b"Empf\xe4nger".decode("ascii", "surrogateescape")  # as aiosmtplib hands it on

    async def sendmail(*_: object) -> tuple[dict[str, object], str]:
        if code != 250:
            raise aiosmtplib.SMTPDataError(code, text)
        return {}, text

    monkeypatch.setattr(aiosmtplib.SMTP, "sendmail", sendmail)
    answer = await told(subject, Action("mail", Email(("sales@example.org",))))
    assert (answer.status, answer.text.encode()) == (code, b"Empf?nger")


async def test_a_mail_server_that_is_away_is_worth_another_try(subject: AllReceivers) -> None:
    away = AllReceivers(subject._http, SmtpServer("127.0.0.1", free_port(), "none", "", str, SENDER))
    assert (await told(away, Action("mail", Email(("sales@example.org",))))).fate is Fate.RETRY


async def test_without_a_mail_server_there_are_no_emails(subject: AllReceivers) -> None:
    without, action = AllReceivers(subject._http, None), Action("mail", Email(("sales@example.org",)))
    with pytest.raises(InvalidRule) as caught:
        await without.check("actions[0].email", action)
    assert caught.value.field == "actions[0].email"
    assert (await told(without, action)).fate is Fate.RETRY
    assert await subject.check("actions[0].email", action) == []


def test_a_lead_without_an_address_fails_its_email_only() -> None:
    to_lead = Action("mail", Email(to_attribute="nothing"))
    lost, kept = executed(change(), rule("call", None, to_lead, webhook()), insight=INSIGHT).deliveries
    assert (lost.state, kept.state) == ("failed", "pending")
    assert "nothing" in lost.attempts[0].error
