"""Signatures of requests, by which a webhook tells that it comes from who it claims.

Guarantee: a signature is compared in constant time, and is refused if its time is more than `MAX_AGE` from now. So a
request that somebody has recorded is of no use later, and until then its events are duplicates.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

MAX_AGE = timedelta(minutes=5)
"""Largest difference between the time of a signature and our clock, as in the library of Standard Webhooks."""

_HUBSPOT_SIGNATURE = "x-hubspot-signature-v3"
_HUBSPOT_TIME = "x-hubspot-request-timestamp"
_MAX_DIGITS = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECODED = {f"%{ord(character):02X}": character for character in ":/?@!$'()*,;"}
"""What HubSpot decodes in a URL before it signs it."""


class Signature(Protocol):
    """The signature of one webhook. `HEADERS` are those that a mapping may use as fields, next to those of the body."""

    HEADERS: tuple[str, ...]

    def is_valid(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Returns whether a request that was received now is signed with one of the secrets."""
        ...


class StandardWebhooks:
    """Signatures of the Standard Webhooks specification. Its secrets are in base64, with or without `whsec_`.

    Raises:
        ValueError: A secret is not one.
    """

    HEADERS: tuple[str, ...] = ("webhook-id", "webhook-timestamp")

    def __init__(self, secrets: Sequence[str]) -> None:
        try:
            self._webhooks = [Webhook(secret) for secret in secrets]
        except (ValueError, EmptyWebhookSecretError):
            raise ValueError("is not a secret of Standard Webhooks: whsec_, and then base64") from None

    def is_valid(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Returns whether a request is signed; see `Signature`. The library reads the clock itself."""
        return any(_verifies(webhook, headers, body) for webhook in self._webhooks)


class HubSpotV3:
    """The third version of HubSpot's signatures. The secret is that of the app; `url` is the one that HubSpot calls."""

    HEADERS: tuple[str, ...] = (_HUBSPOT_TIME,)

    def __init__(self, secrets: Sequence[str], url: str) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._target = f"POST{_decoded(url.partition('#')[0])}".encode()

    def is_valid(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Returns whether a request is signed; see `Signature`."""
        time = headers.get(_HUBSPOT_TIME, "")
        if not _is_recent(time, now):
            return False
        signed = b"".join((self._target, body, time.encode()))
        expected = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)) for secret in self._secrets]
        given = headers.get(_HUBSPOT_SIGNATURE, "").encode()
        return any(hmac.compare_digest(each, given) for each in expected)


def _verifies(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        webhook.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: the body is not UTF-8, or the header not base64
        return False
    return True


def _is_recent(milliseconds: str, now: datetime) -> bool:
    if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= _MAX_DIGITS):
        return False
    return abs(_EPOCH + timedelta(milliseconds=int(milliseconds)) - now) <= MAX_AGE


def _decoded(url: str) -> str:
    for code, character in _DECODED.items():
        url = url.replace(code, character).replace(code.lower(), character)
    return url
