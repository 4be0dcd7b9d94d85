"""E-mails to a real mail server."""

from dataclasses import replace

import aiosmtplib
import pytest

from automation_service.delivery.receivers import AllReceivers, SmtpServer
from automation_service.domain.action import Action
from automation_service.domain.delivery import Fate
from automation_service.domain.limits import InvalidRule
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email
from cli.local.embedded import free_port
from tests.automation.fakes import SENDER, change, executed, rule, webhook
from tests.automation.receiving import INSIGHT, Mailbox, delivery, send


async def test_an_email_is_identical_at_every_attempt(subject: AllReceivers, mailbox: Mailbox) -> None:
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
        answer = await send(subject, action)
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
async def test_the_smtp_reply_decides_the_outcome(
    subject: AllReceivers, mailbox: Mailbox, reply: str, fate: Fate
) -> None:
    mailbox.reply = reply
    answer = await send(subject, Action("mail", Email(("sales@example.org",))))
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
async def test_one_accepted_recipient_is_enough_and_one_temporary_refusal_is_retried(
    subject: AllReceivers, mailbox: Mailbox, refused: dict[str, str], fate: Fate, status: int
) -> None:
    mailbox.refused = refused
    answer = await send(subject, Action("mail", Email(("a@example.org", "b@example.org"))))
    assert (answer.fate, answer.status) == (fate, status)
    assert ("refused for a@example.org" in answer.text) == (fate is Fate.ARRIVED)


@pytest.mark.parametrize(
    "evil",
    ["=?utf-8?q?a=0D=0ABcc:=20evil=40example.org=0D=0A=0D=0Aowned?=", "=?unicode_escape?q?=5Cud800?=", "a\r\nBcc: b"],
)
def test_lead_data_cannot_inject_email_headers(evil: str) -> None:
    action = Action("mail", Email(("sales@example.org",), "", "{{ lead.lead_id }}", "{{ lead.lead_id }}"))
    [delivery] = executed(change(lead_id=evil), rule("call", None, action), insight=INSIGHT).deliveries
    assert delivery.state == "pending"
    head = delivery.body.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert not [line for line in head if line.startswith((b"Bcc", b"owned"))]
    assert [line[:8] for line in head].count(b"Subject:") == 1


@pytest.mark.parametrize("evil", ["=?utf-8?q?a=0d=0ab?=@example.org", "=?unicode_escape?q?=5Cud800?=@example.org"])
def test_an_invalid_lead_address_fails_only_its_email(evil: str) -> None:
    insight = replace(INSIGHT, attributes={"email": evil})
    to_lead = Action("mail", Email(to_attribute="email"))
    lost, kept = executed(change(), rule("call", None, to_lead, webhook()), insight=insight).deliveries
    assert (lost.state, kept.state) == ("failed", "pending")


@pytest.mark.parametrize("code", [250, 550])
async def test_an_smtp_reply_that_is_not_utf_8_can_be_stored(
    subject: AllReceivers, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    text = b"Empf\xe4nger".decode("ascii", "surrogateescape")  # as aiosmtplib hands it on

    async def sendmail(*_: object) -> tuple[dict[str, object], str]:
        if code != 250:
            raise aiosmtplib.SMTPDataError(code, text)
        return {}, text

    monkeypatch.setattr(aiosmtplib.SMTP, "sendmail", sendmail)
    answer = await send(subject, Action("mail", Email(("sales@example.org",))))
    assert (answer.status, answer.text.encode()) == (code, b"Empf?nger")


async def test_an_unreachable_mail_server_is_retried(subject: AllReceivers) -> None:
    away = AllReceivers(subject._http, SmtpServer("127.0.0.1", free_port(), "none", "", str, SENDER))
    assert (await send(away, Action("mail", Email(("sales@example.org",))))).fate is Fate.RETRY


async def test_email_is_refused_without_a_mail_server(subject: AllReceivers) -> None:
    without, action = AllReceivers(subject._http, None), Action("mail", Email(("sales@example.org",)))
    with pytest.raises(InvalidRule) as caught:
        await without.check("actions[0].email", action)
    assert caught.value.field == "actions[0].email"
    assert (await send(without, action)).fate is Fate.RETRY
    assert await subject.check("actions[0].email", action) == []


def test_a_missing_lead_address_fails_only_its_email() -> None:
    to_lead = Action("mail", Email(to_attribute="nothing"))
    lost, kept = executed(change(), rule("call", None, to_lead, webhook()), insight=INSIGHT).deliveries
    assert (lost.state, kept.state) == ("failed", "pending")
    assert "nothing" in lost.attempts[0].error
