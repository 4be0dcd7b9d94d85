"""Whom a rule tells when it fires, and how."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from automation_service.domain.limits import InvalidRule, check_range, check_text

MAX_ACTIONS = 5
"""Actions of a rule."""
MAX_PARAMETERS, MAX_NAME, MAX_PARAMETER = 20, 64, 1024
"""Parameters of an action, and the characters of their names and values."""
MAX_URL = 2048
MAX_TEMPLATE = 16_384
"""Characters of a template."""
MAX_RECIPIENTS = 10
SECRET_BYTES = range(24, 65)
"""Bytes of a webhook's key, by Standard Webhooks."""

_ID = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_USUAL_PORTS = {"https": ":443", "http": ":80"}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of signed requests; each is signed with all secrets."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Slack:
    """A Slack-compatible incoming webhook; who knows the URL can post."""

    url: str = field(repr=False)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Email:
    """Receivers of an e-mail: fixed addresses, and the one in an attribute of the lead."""

    to: tuple[str, ...] = ()
    to_attribute: str = ""
    subject: str = ""
    body: str = ""


Receiver = Webhook | Slack | Email


class Preset(StrEnum):
    """What an action asks of whoever receives it."""

    NONE = ""
    NOTIFY_SALES = "notify_sales"
    CREATE_CRM_TASK = "create_crm_task"
    ASSIGN_REP = "assign_rep"
    SEND_EMAIL = "send_email"


@dataclass(frozen=True, slots=True)
class _Wording:
    """What a preset allows and asks for, and its words where the action has none."""

    receivers: tuple[type[Receiver], ...] = (Webhook, Slack, Email)
    required: tuple[str, ...] = ()
    subject: str = "{{ rule.display_name or rule.rule_id }}: lead {{ lead.lead_id }}"
    text: str = (
        "Rule {{ rule.display_name or rule.rule_id }} fired for lead {{ lead.lead_id }}"
        "{% if lead.attributes.name %} ({{ lead.attributes.name }}){% endif %}: "
        "score {{ score.before }} → {{ score.after }}, stage {{ stage.from }} → {{ stage.to }}, "
        "velocity {{ velocity }}, risk {{ risk }}, next action {{ next_action }}."
    )


_WORDINGS: Mapping[Preset, _Wording] = {
    Preset.NONE: _Wording(),
    Preset.NOTIFY_SALES: _Wording(
        subject="Look at lead {{ lead.lead_id }}: {{ stage.to }}, {{ next_action }}",
        text="Lead {{ lead.lead_id }}{% if lead.attributes.name %} ({{ lead.attributes.name }}){% endif %} "
        "is {{ stage.to }} with {{ score.after }} points, velocity {{ velocity }} and {{ risk }} risk. "
        "Next action: {{ next_action }}.",
    ),
    Preset.CREATE_CRM_TASK: _Wording(receivers=(Webhook,)),
    Preset.ASSIGN_REP: _Wording(receivers=(Webhook,), required=("rep",)),
    Preset.SEND_EMAIL: _Wording(receivers=(Email,)),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One receiver of what a rule says."""

    action_id: str
    receiver: Receiver
    preset: Preset = Preset.NONE
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def templates(self) -> Mapping[str, str]:
        """The templates of a Slack message or an e-mail by the name of their field, the preset's where it has none."""
        wording = _WORDINGS[self.preset]
        match self.receiver:
            case Slack(text=text):
                return {"text": text or wording.text}
            case Email(subject=subject, body=body):
                return {"subject": subject or wording.subject, "body": body or wording.text}
            case _:
                return {}

    @property
    def kind(self) -> str:
        """The kind of receiver: `webhook`, `slack` or `email`."""
        return type(self.receiver).__name__.lower()

    @property
    def endpoint(self) -> str:
        """Where the receiver is, without path or secret: what shares it, fails together."""
        if isinstance(self.receiver, Email):
            first = self.receiver.to[0] if self.receiver.to else ""
            return f"mailto:{first.rpartition('@')[2] or self.receiver.to_attribute}"
        return origin(self.receiver.url)


def origin(url: str) -> str:
    """Returns scheme, host and port of a URL, without a port that goes without saying."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(_USUAL_PORTS.get(parts.scheme, ''))}"


def check_actions(actions: tuple[Action, ...], *, allow_http: bool) -> None:
    """Checks actions against their limits, but for addresses of hosts and the language of templates.

    Raises:
        InvalidRule: One breaks a limit.
    """
    if len(actions) > MAX_ACTIONS:
        raise InvalidRule("actions", f"has {len(actions)}, at most {MAX_ACTIONS} are allowed")
    ids = [action.action_id for action in actions]
    for index, action in enumerate(actions):
        place = f"actions[{index}]"
        if not _ID.fullmatch(action.action_id):
            raise InvalidRule(f"{place}.action_id", "must be 1 to 64 of a-z, 0-9, - and _")
        if ids.count(action.action_id) > 1:
            raise InvalidRule(f"{place}.action_id", f"{action.action_id!r} is there twice")
        _check_parameters(f"{place}.parameters", action)
        if not isinstance(action.receiver, _WORDINGS[action.preset].receivers):
            raise InvalidRule(f"{place}.preset", f"{action.preset} does not go to {action.kind}")
        match action.receiver:
            case Webhook(url, secrets):
                check_url(f"{place}.webhook.url", url, allow_http=allow_http)
                _check_secrets(f"{place}.webhook.secrets", secrets)
            case Slack(url, text):
                check_url(f"{place}.slack.url", url, allow_http=allow_http)
                check_text(f"{place}.slack.text", text, limit=MAX_TEMPLATE)
            case Email():
                _check_email(f"{place}.email", action.receiver)


def check_url(place: str, url: str, *, allow_http: bool) -> SplitResult:
    """Checks that a URL can be one of a receiver: its form, not its addresses; returns its parts.

    Raises:
        InvalidRule: It cannot. The URL itself is not in the text: it may be a secret.
    """
    check_text(place, url, limit=MAX_URL, required=True)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidRule(place, "must be printable ASCII without spaces and backslashes; write an IDN in Punycode")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidRule(place, "is no URL") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidRule(place, "must begin with https:// and a host")
    if parts.scheme == "http" and not allow_http:
        raise InvalidRule(place, "must be https; http takes LEADSCORE_WEBHOOK_HTTP=true")
    if "@" in parts.netloc or "#" in url or port == 0 or parts.netloc.endswith(":"):
        raise InvalidRule(place, "must have neither a user nor a fragment, and no empty port")
    if not _is_host(parts.hostname, bracketed="[" in parts.netloc):
        raise InvalidRule(place, "has a host that is neither a name nor an address in its usual form")
    return parts


def is_address(text: str) -> bool:
    """Tells whether a text is an e-mail address of the usual form; an encoded word (RFC 2047) would be another one."""
    return bool(_ADDRESS.fullmatch(text)) and "=?" not in text


def keep_secrets(action: Action, stored: Action | None) -> Action:
    """Returns an action with the secrets of the stored one with its id, where it has none of its own.

    A URL of Slack is one. What answers hold of it says nothing new when it comes back.
    """
    match action.receiver, stored and stored.receiver:
        case Webhook(secrets=()), Webhook(secrets=secrets):
            return replace(action, receiver=replace(action.receiver, secrets=secrets))
        case Slack(url=asked), Slack(url=url) if asked in ("", origin(url)):
            return replace(action, receiver=replace(action.receiver, url=url))
    return action


def _is_host(host: str, *, bracketed: bool) -> bool:
    try:
        if bracketed:
            IPv6Address(host)
            return "%" not in host
        labels = host.removesuffix(".").split(".")
        if _NUMBER.fullmatch(labels[-1]):
            # What ends in a number is an address to every resolver: 127.1, 2130706433, 0x7f.0.0.1. One form will do.
            return str(IPv4Address(host)) == host
    except ValueError:
        return False
    if labels[-1].lower() == "localhost":
        return False  # whatever a resolver says, it is this machine (RFC 6761, 6.3)
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _check_parameters(place: str, action: Action) -> None:
    check_range(place, len(action.parameters), 0, MAX_PARAMETERS)
    for name, value in action.parameters.items():
        check_text(place, name, limit=MAX_NAME, required=True)
        check_text(f"{place}[{name}]", value, limit=MAX_PARAMETER)
    for name in _WORDINGS[action.preset].required:
        if not action.parameters.get(name):
            raise InvalidRule(place, f"{action.preset} needs the parameter {name}")


def _check_secrets(place: str, secrets: tuple[str, ...]) -> None:
    if not 1 <= len(secrets) <= 2:
        raise InvalidRule(place, f"has {len(secrets)}, must have one, or two while you rotate them")
    for index, secret in enumerate(secrets):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith("whsec_") or len(key) not in SECRET_BYTES:
            raise InvalidRule(f"{place}[{index}]", "must be whsec_ and base64 of 24 to 64 bytes")


def _check_email(place: str, email: Email) -> None:
    if not email.to and not email.to_attribute:
        raise InvalidRule(f"{place}.to", "names no address, and to_attribute none either")
    check_range(f"{place}.to", len(email.to), 0, MAX_RECIPIENTS)
    for index, address in enumerate(email.to):
        if not is_address(address):
            raise InvalidRule(f"{place}.to[{index}]", "is no e-mail address")
    check_text(f"{place}.to_attribute", email.to_attribute)
    check_text(f"{place}.subject", email.subject, limit=MAX_TEMPLATE)
    check_text(f"{place}.body", email.body, limit=MAX_TEMPLATE)
