"""The actions in the rows of rules. Secrets are only ever written encrypted."""

from typing import Any

from automation_service.domain.action import Action
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email, Receiver, Slack, Webhook
from automation_service.domain.sealing import Cipher, sealed
from shared.mongo import Document


def write_action(rule_id: str, action: Action, cipher: Cipher) -> Document:
    """Returns an action as a part of its rule's row, and encrypts what is not yet encrypted."""
    return {
        "action_id": action.action_id,
        "preset": action.preset.value,
        # A list of pairs: names may contain characters that field names may not.
        "parameters": [list(each) for each in action.parameters.items()],
        action.kind: _write_receiver(sealed(rule_id, action, cipher).receiver),
    }


def read_action(row: Document) -> Action:
    """Returns an action from the result of `write_action`, with its secrets still encrypted."""
    return Action(row["action_id"], _read_receiver(row), Preset(row["preset"]), dict(row["parameters"]))


def _write_receiver(receiver: Receiver) -> Document:
    match receiver:
        case Webhook():
            return {
                "origin": receiver.url,
                "sealed_url": receiver.sealed_url,
                "sealed_secrets": receiver.sealed_secrets,
            }
        case Slack():
            return {"origin": receiver.url, "sealed_url": receiver.sealed_url, "text": receiver.text}
        case Email(to, to_attribute, subject, body):
            return {"to": list(to), "to_attribute": to_attribute, "subject": subject, "body": body}


def _read_receiver(row: Document) -> Receiver:
    if "webhook" in row:
        found = row["webhook"]
        return Webhook(found["origin"], (), _ciphertext(found, "sealed_url"), _ciphertext(found, "sealed_secrets"))
    if "slack" in row:
        found = row["slack"]
        return Slack(found["origin"], found["text"], _ciphertext(found, "sealed_url"))
    return Email(**row["email"] | {"to": tuple(row["email"]["to"])})


def _ciphertext(row: Document, name: str) -> bytes:
    """Returns an encrypted value. A damaged one must fail when it is used, not hide the rules that are read with it."""
    value: Any = row.get(name)
    return value if isinstance(value, bytes) else b""
