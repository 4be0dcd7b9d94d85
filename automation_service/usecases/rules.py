"""Keep rules: create them, change them, and look them over before they are stored."""

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from automation_service.domain import feasibility
from automation_service.domain.action import keep_secrets
from automation_service.domain.rule import Draft, Rule, RuleChanged, RuleExists, RuleNotFound, check_rule, check_stages
from automation_service.ports import Models, Receivers, Rules, Templates

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class RuleValidator:
    """Looks a rule over before it is stored."""

    models: Models
    receivers: Receivers
    templates: Templates
    allow_http: bool

    async def of(self, draft: Draft, fields: Collection[str] = ("trigger", "conditions", "actions")) -> list[str]:
        """Returns sentences about what is allowed but hardly meant.

        Only what is among `fields` is compared with the world: a rule whose stage the model has lost, whose host has
        lost its name, or whose URL the operator allows no more, can still be renamed and disabled.

        Raises:
            InvalidRule: It breaks a limit.
        """
        check_rule(draft, allow_http=self.allow_http or "actions" not in fields)
        found: list[str] = []
        if "conditions" in fields or "trigger" in fields:
            model = await self.models.in_force()
            check_stages(draft, model.stage_names)
            found += feasibility.warnings(draft, model)
        if "actions" in fields:
            found += await self._of_actions(draft)
        return found

    async def _of_actions(self, draft: Draft) -> list[str]:
        found: list[str] = []
        for index, action in enumerate(draft.actions):
            place = f"actions[{index}]"
            for name, template in action.templates.items():
                self.templates.check(f"{place}.{action.kind}.{name}", template)
            found += await self.receivers.check(f"{place}.{action.kind}", action)
        return found


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Keeps rules."""

    rules: Rules
    validator: RuleValidator
    clock: Clock

    async def create(self, draft: Draft, *, validate_only: bool = False) -> tuple[Rule, list[str]]:
        """Stores a new rule and returns it, with warnings. With `validate_only` it checks everything, stores nothing.

        Raises:
            InvalidRule: It breaks a limit.
            RuleExists: There is one with this id.
        """
        warnings = await self.validator.of(draft)
        now = self.clock()
        rule = Rule(draft, 1, now, now)
        await (self._require_new(draft.rule_id) if validate_only else self.rules.create(rule))
        return rule, warnings

    async def update(
        self, draft: Draft, fields: Collection[str], revision: int, *, validate_only: bool = False
    ) -> tuple[Rule, list[str]]:
        """Replaces the named fields of a rule and returns it, with warnings; `revision` 0 stands for what is stored.

        An action without secrets keeps those of the stored one with its id. A rule that is enabled has no longer a
        reason to be disabled. With `validate_only` it checks everything and stores nothing.

        Raises:
            RuleNotFound: There is none with this id.
            RuleChanged: It has another revision, or was changed meanwhile.
            InvalidRule: It would break a limit.
        """
        stored = await self.rules.get(draft.rule_id)
        if revision not in (0, stored.revision):
            raise RuleChanged(draft.rule_id)
        actions = tuple(keep_secrets(action, stored.draft.action(action.action_id)) for action in draft.actions)
        asked = replace(draft, actions=actions)
        updated = replace(stored.draft, **{field: getattr(asked, field) for field in fields})
        warnings = await self.validator.of(updated, fields)
        reason = "" if updated.enabled else stored.disable_reason
        rule = Rule(updated, stored.revision + 1, stored.create_time, self.clock(), reason)
        if not validate_only and not await self.rules.replace(rule, stored.revision):
            raise RuleChanged(draft.rule_id)
        return rule, warnings

    async def _require_new(self, rule_id: str) -> None:
        with contextlib.suppress(RuleNotFound):
            await self.rules.get(rule_id)
            raise RuleExists(rule_id)
