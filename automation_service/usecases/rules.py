"""Create, update and validate rules."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, replace

from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain import feasibility
from automation_service.domain.action import Action, keep_secrets
from automation_service.domain.rule import Draft, Rule, RuleChanged, RuleExists, RuleNotFound, check_rule, check_stages
from automation_service.ports import Clock, Models, Receivers, Rules

CHECKED_FIELDS = ("trigger", "conditions", "actions")
"""The fields that are checked against the model, the receivers and the template language."""


@dataclass(frozen=True, slots=True)
class RuleValidator:
    """Validates a rule before it is stored."""

    models: Models
    receivers: Receivers
    templates: SandboxedTemplates
    allow_http: bool

    async def validate(self, draft: Draft, fields: Collection[str] = CHECKED_FIELDS) -> list[str]:
        """Validates a rule and returns warnings, one sentence each, about what is allowed but probably not intended.

        Only `fields`, those that change, are checked against the model and the receivers. So a rule can still be
        renamed or disabled after the model has lost one of its stages, or its URL is no longer allowed.

        Raises:
            InvalidRule: The rule is not valid.
        """
        check_rule(draft, allow_http=self.allow_http or "actions" not in fields)
        warnings: list[str] = []
        if "conditions" in fields or "trigger" in fields:
            model = await self.models.in_force()
            check_stages(draft, model.stage_names)
            warnings += feasibility.warnings(draft, model)
        if "actions" in fields:
            warnings += await self._validate_actions(draft)
        return warnings

    async def _validate_actions(self, draft: Draft) -> list[str]:
        warnings: list[str] = []
        for index, action in enumerate(draft.actions):
            path = f"actions[{index}].{action.kind}"
            for name, template in action.templates.items():
                self.templates.check(f"{path}.{name}", template)
            warnings += await self.receivers.check(path, action)
        return warnings


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Creates and updates rules."""

    rules: Rules
    validator: RuleValidator
    clock: Clock

    async def create(self, draft: Draft, *, validate_only: bool = False) -> tuple[Rule, list[str]]:
        """Stores a new rule and returns it with warnings. With `validate_only` it stores nothing.

        Raises:
            InvalidRule: The rule is not valid.
            RuleExists: A rule with this id exists.
        """
        warnings = await self.validator.validate(draft)
        now = self.clock()
        rule = Rule(draft, 1, now, now)
        await (self._require_new(draft.rule_id) if validate_only else self.rules.create(rule))
        return rule, warnings

    async def update(
        self, draft: Draft, fields: Collection[str], revision: int, *, validate_only: bool = False
    ) -> tuple[Rule, list[str]]:
        """Replaces some fields of a rule and returns it with warnings. Revision 0 updates whatever is stored.

        An action without secrets keeps the secrets of the stored action with its id, if its URL has the same origin.
        Enabling a rule clears its `disable_reason`. With `validate_only` nothing is stored.

        Raises:
            RuleNotFound: No rule has this id.
            RuleChanged: The rule has another revision, or was changed concurrently.
            InvalidRule: The updated rule would not be valid.
        """
        stored = await self.rules.get(draft.rule_id)
        if revision not in (0, stored.revision):
            raise RuleChanged(draft.rule_id)
        updated = replace(stored.draft, **{field: getattr(draft, field) for field in fields})
        if "actions" in fields:
            updated = replace(updated, actions=_with_secrets(draft, stored.draft))
        warnings = await self.validator.validate(updated, fields)
        reason = "" if updated.enabled else stored.disable_reason
        rule = Rule(updated, stored.revision + 1, stored.create_time, self.clock(), reason)
        if not validate_only and not await self.rules.replace(rule, stored.revision):
            raise RuleChanged(draft.rule_id)
        return rule, warnings

    async def _require_new(self, rule_id: str) -> None:
        with contextlib.suppress(RuleNotFound):
            await self.rules.get(rule_id)
            raise RuleExists(rule_id)


def _with_secrets(draft: Draft, stored: Draft) -> tuple[Action, ...]:
    return tuple(
        keep_secrets(f"actions[{index}]", action, stored.action(action.action_id))
        for index, action in enumerate(draft.actions)
    )
