"""An e-mail as the bytes that are sent at every attempt."""

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

MAX_SUBJECT = 200
"""Characters of a subject; more are cut off."""


def write(delivery_id: str, sender: str, recipients: Sequence[str], subject: str, body: str, time: datetime) -> bytes:
    """Returns an e-mail whose id and date are those of the delivery, whenever it is sent.

    Raises:
        ValueError: A header cannot hold what it is to hold.
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
    """Returns a text as a header can hold it: its lines joined, cut, and nothing that cannot be printed.

    What would be an encoded word (RFC 2047) is torn: decoded, it could hold lines, and so headers and a body.
    """
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return line.replace("=?", "= ?")[:MAX_SUBJECT]
