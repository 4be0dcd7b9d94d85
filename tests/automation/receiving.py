"""Real receivers for tests: a mailbox, and functions that send to it."""

import email.policy
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, Envelope, Session

from automation_service.delivery.receivers import AllReceivers
from automation_service.domain.action import Action
from automation_service.domain.delivery import Answer, Delivery
from automation_service.domain.lead import ConversionProbability, Insight, Risk, Threshold
from tests.automation.fakes import change, executed, rule

INSIGHT = Insight(
    velocity=9,
    risk=Risk.LOW,
    next_action="prioritize_contact",
    attributes={"name": "Ada", "email": "ada@engines.example", "seats": 250.0, "odd": float("nan"), "tags": ["a", 1.0]},
    why=(Threshold("risk", "low", "the last event was 1 hour ago, not more than 7 days ago"),),
    conversion_probability=ConversionProbability(0.12, 0.09, 0.16, 812, timedelta(days=7), None),
)


class Mailbox:
    """A mail server handler that keeps the e-mails that it receives, and answers with `reply`."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.reply = "250 OK"
        self.refused: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accepts a recipient, unless it is one of `refused`."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Keeps an e-mail."""
        self.envelopes.append(envelope)
        return self.reply

    def messages(self) -> list[EmailMessage]:
        """Returns the received e-mails."""
        parser = BytesParser(policy=email.policy.default)
        return [parser.parsebytes(envelope.content or b"") for envelope in self.envelopes]  # type: ignore[arg-type]


def delivery(action: Action) -> Delivery:
    """Returns the delivery of a rule with this action."""
    [found] = executed(change(), rule("call", None, action), insight=INSIGHT).deliveries
    return found


async def send(subject: AllReceivers, action: Action) -> Answer:
    return await subject.send(action, delivery(action))
