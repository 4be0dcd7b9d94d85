"""The receivers of an action: a webhook, a Slack-compatible chat, or e-mail addresses."""

import base64
import binascii
import re
from dataclasses import dataclass, field

from automation_service.domain.limits import InvalidRule, check_range, check_text
from automation_service.domain.url import check_url

MAX_TEMPLATE = 16_384
"""The maximum length of a template, in characters."""
MAX_RECIPIENTS = 10
SECRET_BYTES = range(24, 65)
"""The sizes of a signing key that Standard Webhooks allows, in bytes."""

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Receives signed requests. Each request is signed with every secret.

    In a stored rule, `url` is only the origin and `secrets` is empty; the whole URL and the secrets are encrypted. See
    `sealing.py`.
    """

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    sealed_url: bytes | None = field(default=None, repr=False)
    sealed_secrets: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Slack:
    """A Slack-compatible incoming webhook. Anyone who knows the URL can post, so it is stored as a `Webhook`'s is."""

    url: str = field(repr=False)
    text: str = ""
    sealed_url: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Email:
    """Fixed addresses, and the address in an attribute of the lead."""

    to: tuple[str, ...] = ()
    to_attribute: str = ""
    subject: str = ""
    body: str = ""


Receiver = Webhook | Slack | Email


def check_receiver(path: str, receiver: Receiver, *, allow_http: bool) -> None:
    """Checks a receiver, except for the addresses of its host and the syntax of its templates.

    Raises:
        InvalidRule: The receiver is not valid.
    """
    match receiver:
        case Webhook(url, secrets, sealed_secrets=stored):
            check_url(f"{path}.webhook.url", url, allow_http=allow_http)
            if stored is None:
                _check_secrets(f"{path}.webhook.secrets", secrets)
        case Slack(url, text):
            check_url(f"{path}.slack.url", url, allow_http=allow_http)
            check_text(f"{path}.slack.text", text, limit=MAX_TEMPLATE)
        case Email():
            _check_email(f"{path}.email", receiver)


def is_address(text: str) -> bool:
    """Returns whether a text is a plain e-mail address. It refuses encoded words (RFC 2047)."""
    return bool(_ADDRESS.fullmatch(text)) and "=?" not in text


def _check_secrets(path: str, secrets: tuple[str, ...]) -> None:
    if not 1 <= len(secrets) <= 2:
        raise InvalidRule(path, f"has {len(secrets)} secrets, must have one, or two during a rotation")
    for index, secret in enumerate(secrets):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith("whsec_") or len(key) not in SECRET_BYTES:
            raise InvalidRule(f"{path}[{index}]", "must be whsec_ followed by 24 to 64 bytes in base64")


def _check_email(path: str, email: Email) -> None:
    if not email.to and not email.to_attribute:
        raise InvalidRule(f"{path}.to", "must have an address, unless to_attribute is set")
    check_range(f"{path}.to", len(email.to), 0, MAX_RECIPIENTS)
    for index, address in enumerate(email.to):
        if not is_address(address):
            raise InvalidRule(f"{path}.to[{index}]", "is not an e-mail address")
    check_text(f"{path}.to_attribute", email.to_attribute)
    check_text(f"{path}.subject", email.subject, limit=MAX_TEMPLATE)
    check_text(f"{path}.body", email.body, limit=MAX_TEMPLATE)
