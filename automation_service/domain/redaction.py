"""Removes what is secret from texts that others wrote: answers of receivers, and errors of libraries.

Receivers often quote the path that they do not know, and everybody who may read executions sees their answers.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from automation_service.domain.receiver import Email, Receiver, Webhook

REDACTED = "…"
MIN_PATH = 4
"""Shortest path that is removed, in characters. Shorter ones hold no secret."""
MIN_PART = 8
"""Shortest part of a path or a query that is removed where it stands alone, in characters."""

_SEPARATORS = re.compile("[/?&=;,]")


def redacted(text: str, receiver: Receiver) -> str:
    """Returns a text without the secrets of a receiver, and without what follows the origin of its URL."""
    for secret in sorted(set(_secrets(receiver)), key=len, reverse=True) if text else ():
        text = text.replace(secret, REDACTED)
    return text


def _secrets(receiver: Receiver) -> Iterator[str]:
    if isinstance(receiver, Email):
        return
    if isinstance(receiver, Webhook):
        for secret in receiver.secrets:
            yield from (secret, secret.removeprefix("whsec_"))
    parts = urlsplit(receiver.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for written in (target, unquote(target)):
        yield from (whole for whole in (written, written.partition("?")[0]) if len(whole) >= MIN_PATH)
        yield from (part for part in _SEPARATORS.split(written) if len(part) >= MIN_PART)
