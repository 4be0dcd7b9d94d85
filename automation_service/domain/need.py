"""Which data about a lead is needed to evaluate rules and to write deliveries. Nothing else is requested.

Every execution records score, stage, velocity, risk and next action, so these are always needed. Fit and attributes are
needed by some rules only, and attributes are most of the data.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from automation_service.domain.action import Action
from automation_service.domain.condition import Conditions
from automation_service.domain.lead import Change, LeadEvent
from automation_service.domain.receiver import Email, Webhook

BASICS_BYTES = 1_024
"""The approximate size of the data about a lead without its attributes, in bytes."""
ATTRIBUTE_BYTES = 9_216
"""The size of an attribute that is the longest text, of 8 KiB, and its name, in bytes. Few values are as large."""
ATTRIBUTES_BYTES = 65_536
"""The maximum size of all attributes of a lead, in bytes."""

AttributesOf = Callable[[str], frozenset[str] | None]
"""Returns the names of the lead attributes that a template uses; None if it may use any of them."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed in addition to the basics. `attributes` are names; None means all attributes."""

    fit: bool = False
    attributes: frozenset[str] | None = frozenset()

    def __or__(self, other: "Need") -> "Need":
        """Returns what is needed for both."""
        every = self.attributes is None or other.attributes is None
        attributes = None if every else (self.attributes or frozenset()) | (other.attributes or frozenset())
        return Need(self.fit or other.fit, attributes)

    @property
    def max_bytes(self) -> int:
        """A high estimate of the size for one lead, in bytes."""
        if self.attributes is None:
            return BASICS_BYTES + ATTRIBUTES_BYTES
        return BASICS_BYTES + min(ATTRIBUTES_BYTES, len(self.attributes) * ATTRIBUTE_BYTES)


BASICS = Need()
"""Only what is always needed."""
EVERYTHING = Need(fit=True, attributes=None)


def bytes_of(event: LeadEvent | None) -> int:
    """Returns about how many bytes of a webhook are the event's."""
    return len(str(event)) if event else 0


def of_conditions(conditions: Conditions) -> Need:
    """Returns what is needed to evaluate conditions."""
    return Need(bool(conditions.fit_grades), _names(conditions))


def _names(conditions: Conditions) -> frozenset[str]:
    """Returns the attributes that conditions read: `company.size` may be one, or the `size` of `company`."""
    return frozenset(
        name for each in conditions.attributes for name in (each.attribute, each.attribute.partition(".")[0]) if name
    )


def of_actions(actions: Iterable[Action], attributes_of: AttributesOf) -> Need:
    """Returns what is needed to write the deliveries of actions."""
    need = BASICS
    for action in actions:
        need |= _of_action(action, attributes_of)
    return need


def _of_action(action: Action, attributes_of: AttributesOf) -> Need:
    if isinstance(action.receiver, Webhook):
        return Need(attributes=None)  # the payload contains all of them
    need = BASICS
    for template in action.templates.values():
        need |= Need(attributes=attributes_of(template))
    if isinstance(action.receiver, Email) and action.receiver.to_attribute:
        need |= Need(attributes=frozenset({action.receiver.to_attribute}))
    return need


def portions(changes: Sequence[Change], sizes: Mapping[str, int], max_bytes: int) -> Iterator[list[Change]]:
    """Splits changes, in order, into portions of at most `max_bytes` each. A larger change is a portion of its own.

    `sizes` holds the bytes of changes by change id; absent changes count as 0.
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
