"""An action: what a rule sends to one receiver when it fires."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from automation_service.domain.limits import InvalidRule, check_range, check_text
from automation_service.domain.preset import DEFAULTS, Preset
from automation_service.domain.receiver import Email, Receiver, Slack, Webhook, check_receiver
from automation_service.domain.url import has_origin, origin

MAX_ACTIONS = 5
"""The maximum number of actions of a rule."""
MAX_PARAMETERS, MAX_NAME, MAX_PARAMETER = 20, 64, 1024
"""The maximum number of parameters of an action, and the maximum length of a parameter's name and value."""

_ID = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Action:
    """A receiver, and what to send to it. `action_id` is unique within the rule."""

    action_id: str
    receiver: Receiver
    preset: Preset = Preset.NONE
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def templates(self) -> Mapping[str, str]:
        """The templates of a Slack message or an e-mail by field name. Missing ones come from the preset."""
        defaults = DEFAULTS[self.preset]
        match self.receiver:
            case Slack(text=text):
                return {"text": text or defaults.text}
            case Email(subject=subject, body=body):
                return {"subject": subject or defaults.subject, "body": body or defaults.text}
            case _:
                return {}

    @property
    def kind(self) -> str:
        """The kind of receiver: `webhook`, `slack` or `email`."""
        return type(self.receiver).__name__.lower()

    @property
    def endpoint(self) -> str:
        """The host or mail domain of the receiver, without path or secret. Receivers that share one fail together."""
        if isinstance(self.receiver, Email):
            first = self.receiver.to[0] if self.receiver.to else ""
            return f"mailto:{first.rpartition('@')[2] or self.receiver.to_attribute}"
        return origin(self.receiver.url)


def check_actions(actions: tuple[Action, ...], *, allow_http: bool) -> None:
    """Checks the actions of a rule, except for the addresses of hosts and the syntax of templates.

    Raises:
        InvalidRule: An action is not valid.
    """
    if len(actions) > MAX_ACTIONS:
        raise InvalidRule("actions", f"has {len(actions)} actions, at most {MAX_ACTIONS} are allowed")
    ids = [action.action_id for action in actions]
    for index, action in enumerate(actions):
        path = f"actions[{index}]"
        if not _ID.fullmatch(action.action_id):
            raise InvalidRule(f"{path}.action_id", "must be 1 to 64 characters of a-z, 0-9, - and _")
        if ids.count(action.action_id) > 1:
            raise InvalidRule(f"{path}.action_id", f"{action.action_id!r} is used twice")
        _check_parameters(f"{path}.parameters", action)
        if not isinstance(action.receiver, DEFAULTS[action.preset].receivers):
            raise InvalidRule(f"{path}.preset", f"{action.preset} cannot be sent to a receiver of kind {action.kind}")
        check_receiver(path, action.receiver, allow_http=allow_http)


def keep_secrets(path: str, action: Action, stored: Action | None) -> Action:
    """Returns the action with the URL and the secrets of the stored action where it has none of its own.

    Responses contain only the origin of a URL, so an origin that comes back unchanged keeps the stored URL. Secrets
    belong to an origin: another one would receive requests with valid signatures.

    Raises:
        InvalidRule: The webhook has another origin and no secrets. `path` is the action's path in the rule.
    """
    match action.receiver, stored and stored.receiver:
        case Webhook() as given, Webhook() as kept:
            return replace(action, receiver=_keep_webhook(f"{path}.webhook.secrets", given, kept))
        case Slack(url=url) as given, Slack() as kept if url in ("", origin(kept.url)):
            return replace(action, receiver=replace(given, url=kept.url, sealed_url=kept.sealed_url))
    return action


def _keep_webhook(path: str, given: Webhook, kept: Webhook) -> Webhook:
    if given.url in ("", origin(kept.url)):
        given = replace(given, url=kept.url, sealed_url=kept.sealed_url)
    if given.secrets:
        return given
    if not has_origin(given.url, origin(kept.url)):
        raise InvalidRule(path, f"must be given with a new origin: the stored secrets are for {origin(kept.url)} only")
    return replace(given, secrets=kept.secrets, sealed_secrets=kept.sealed_secrets)


def _check_parameters(path: str, action: Action) -> None:
    check_range(path, len(action.parameters), 0, MAX_PARAMETERS)
    for name, value in action.parameters.items():
        check_text(path, name, limit=MAX_NAME, required=True)
        check_text(f"{path}[{name}]", value, limit=MAX_PARAMETER)
    for name in DEFAULTS[action.preset].required:
        if not action.parameters.get(name):
            raise InvalidRule(path, f"{action.preset} requires the parameter {name}")
