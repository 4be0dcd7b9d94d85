"""Which parts of a stored rule are encrypted: the secrets of a webhook, and the URLs of webhooks and Slack.

Anyone who knows the URL of a Slack webhook can post to it, and the URLs of other webhooks often contain a token.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from automation_service.domain.action import Action
from automation_service.domain.receiver import Email, Webhook


class Cipher(Protocol):
    """Encrypts texts; see `shared.secrets.SecretKeys`."""

    def seal(self, text: str, place: Sequence[str]) -> bytes:
        """Encrypts a text."""

    def open(self, sealed: bytes, place: Sequence[str]) -> str:
        """Decrypts a result of `seal` with the same place."""


def sealed(rule_id: str, action: Action, cipher: Cipher) -> Action:
    """Returns an action of a rule as it is stored. What is encrypted already stays as it is.

    A secret is bound to the rule, to the action and to the origin of its URL.
    """
    receiver = action.receiver
    if isinstance(receiver, Email):
        return action
    if isinstance(receiver, Webhook) and receiver.sealed_secrets is None:
        text = cipher.seal(" ".join(receiver.secrets), _place(rule_id, action, "secrets"))
        receiver = replace(receiver, secrets=(), sealed_secrets=text)
    if receiver.sealed_url is None:
        text = cipher.seal(receiver.url, _place(rule_id, action, "url"))
        receiver = replace(receiver, url=action.endpoint, sealed_url=text)
    return replace(action, receiver=receiver)


def opened(rule_id: str, action: Action, cipher: Cipher) -> Action:
    """Returns a stored action of a rule with its whole URL and its secrets.

    Raises what `cipher.open` raises if one of them cannot be decrypted.
    """
    receiver = action.receiver
    if isinstance(receiver, Email):
        return action
    if isinstance(receiver, Webhook):
        text = cipher.open(receiver.sealed_secrets or b"", _place(rule_id, action, "secrets"))
        receiver = replace(receiver, secrets=tuple(text.split()), sealed_secrets=None)
    url = cipher.open(receiver.sealed_url or b"", _place(rule_id, action, "url"))
    return replace(action, receiver=replace(receiver, url=url, sealed_url=None))


def _place(rule_id: str, action: Action, part: str) -> Sequence[str]:
    return "automation_rules", rule_id, action.action_id, action.kind, part, action.endpoint
