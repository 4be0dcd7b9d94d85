"""Encrypt the stored secrets with the newest key, so that older keys can be removed."""

from contextlib import suppress
from dataclasses import replace

from automation_service.domain.action import Action
from automation_service.domain.receiver import Email
from automation_service.domain.rule import Rule, RuleNotFound
from automation_service.domain.sealing import opened
from automation_service.ports import Rules
from shared.rpc.pagination import Cursor
from shared.secrets import SecretKeys, SecretUnreadable

PAGE = 100
"""Rules that are read at a time."""


async def reencrypt(rules: Rules, keys: SecretKeys) -> tuple[int, list[str]]:
    """Encrypts the secrets of all rules with the newest key.

    Returns the number of rules that were rewritten, each with a new revision, and the ids of those that have a secret
    that cannot be decrypted. Safe to repeat, and while rules are changed and deliveries are made.
    """
    count, unreadable = 0, list[str]()
    after: Cursor = ()
    while page := await rules.page(after, PAGE):
        for rule in page:
            try:
                count += await _renew(rules, rule, keys)
            except SecretUnreadable:
                unreadable.append(rule.draft.rule_id)
        after = (page[-1].draft.rule_id,)
    return count, unreadable


async def _renew(rules: Rules, rule: Rule, keys: SecretKeys) -> bool:
    """Rewrites a rule; returns False if it has no secret, or has been deleted."""
    with suppress(RuleNotFound):
        while any(map(_has_secret, rule.draft.actions)):
            # The new revision makes an update fail that has read the old ciphertexts and would write them back.
            if await rules.replace(_opened(rule, keys), rule.revision):
                return True
            rule = await rules.get(rule.draft.rule_id)
    return False


def _opened(rule: Rule, keys: SecretKeys) -> Rule:
    actions = tuple(opened(rule.draft.rule_id, action, keys) for action in rule.draft.actions)
    return replace(rule, draft=replace(rule.draft, actions=actions), revision=rule.revision + 1)


def _has_secret(action: Action) -> bool:
    return not isinstance(action.receiver, Email)
