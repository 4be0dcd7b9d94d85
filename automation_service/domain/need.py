"""What must be known of a lead to evaluate rules and to tell what they tell. Nothing else is asked for.

Every execution records score, stage, velocity, risk and next action, so these are always needed. Fit and attributes are
needed by some rules only, and attributes are most of what there is to read and to send.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from automation_service.domain.action import Action, Email, Webhook
from automation_service.domain.condition import Conditions
from automation_service.domain.lead import Change

FACTS_BYTES = 1_024
"""What is known of a lead without its attributes, about."""
ATTRIBUTE_BYTES = 5_120
"""An attribute at its limit: a value of 4 KiB, and its name."""
ATTRIBUTES_BYTES = 65_536
"""All attributes of a lead at their limit."""

AttributesOf = Callable[[str], frozenset[str] | None]
"""Returns the names of the lead's attributes that a template uses; None when it may use any of them."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed of a lead beside what always is; `attributes` are names, None stands for all."""

    fit: bool = False
    attributes: frozenset[str] | None = frozenset()

    def __or__(self, other: "Need") -> "Need":
        """Returns what is needed for both."""
        every = self.attributes is None or other.attributes is None
        attributes = None if every else (self.attributes or frozenset()) | (other.attributes or frozenset())
        return Need(self.fit or other.fit, attributes)

    @property
    def max_bytes(self) -> int:
        """The most bytes, about, that are needed of one lead."""
        if self.attributes is None:
            return FACTS_BYTES + ATTRIBUTES_BYTES
        return FACTS_BYTES + min(ATTRIBUTES_BYTES, len(self.attributes) * ATTRIBUTE_BYTES)


NO_MORE = Need()
"""Only what always is needed."""
EVERYTHING = Need(fit=True, attributes=None)


def of_conditions(conditions: Conditions) -> Need:
    """Returns what is needed to tell whether conditions hold."""
    return Need(bool(conditions.fit_grades), frozenset(each.attribute for each in conditions.attributes))


def of_actions(actions: Iterable[Action], attributes_of: AttributesOf) -> Need:
    """Returns what is needed to tell the receivers of actions what they are told."""
    need = NO_MORE
    for action in actions:
        need |= _of_action(action, attributes_of)
    return need


def _of_action(action: Action, attributes_of: AttributesOf) -> Need:
    if isinstance(action.receiver, Webhook):
        return Need(attributes=None)  # the payload has all of them
    need = NO_MORE
    for template in action.templates.values():
        need |= Need(attributes=attributes_of(template))
    if isinstance(action.receiver, Email) and action.receiver.to_attribute:
        need |= Need(attributes=frozenset({action.receiver.to_attribute}))
    return need


def portions(changes: Sequence[Change], sizes: Mapping[str, int], max_bytes: int) -> Iterator[list[Change]]:
    """Cuts changes into portions, in order, that have at most so many bytes each; a larger change is one alone.

    `sizes` are the bytes of changes by their id; one that is not in it has none.
    """
    portion: list[Change] = []
    left = max_bytes
    for change in changes:
        size = sizes.get(change.change_id, 0)
        if portion and size > left:
            yield portion
            portion, left = [], max_bytes
        portion.append(change)
        left -= size
    if portion:
        yield portion
