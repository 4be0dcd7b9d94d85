"""The bytes of an e-mail, which are the same at every attempt."""

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

MAX_SUBJECT = 200
"""The maximum length of a subject, in characters. The rest is cut off."""


def write(delivery_id: str, sender: str, recipients: Sequence[str], subject: str, body: str, time: datetime) -> bytes:
    """Returns an e-mail whose id and date come from the delivery, not from the attempt.

    Raises:
        ValueError: A header cannot contain its value.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(time)
    message["Message-ID"] = f"<{delivery_id}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return bytes(message)


def one_line(text: str) -> str:
    """Returns a text for a header: on one line, printable, and cut to `MAX_SUBJECT`.

    Encoded words (RFC 2047) are broken up, because they could decode to line breaks, and so to headers and a body.
    """
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return line.replace("=?", "= ?")[:MAX_SUBJECT]
