"""Read masks: a caller names the fields and attributes of a lead that it wants, and is sent no others (AIP-157).

Guarantee: what a mask does not name is not in the answer, whatever else was read to find it. A mask that names nothing
stands for everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from shared.rpc.arguments import identifiers
from shared.rpc.errors import InvalidArgument

MAX_ATTRIBUTE_NAMES = 256
ALWAYS = "lead_id"
"""The field that every answer has."""
ATTRIBUTES = "attributes"
M = TypeVar("M", bound=Message)


class MaskedRequest(Protocol):
    """A request with a read mask."""

    @property
    def read_mask(self) -> FieldMask:
        """The fields wanted."""

    @property
    def attribute_names(self) -> Sequence[str]:
        """The attributes wanted."""


@dataclass(frozen=True, slots=True)
class ReadMask:
    """The fields that a caller wants, and the names of the attributes; None stands for all attributes."""

    fields: frozenset[str]
    attributes: frozenset[str] | None

    def names_any(self, *fields: str) -> bool:
        """Tells whether at least one of some fields is wanted."""
        return not self.fields.isdisjoint(fields)

    def apply(self, message: M) -> M:
        """Clears what is not wanted and returns the same message."""
        for field, _ in message.ListFields():
            if field.name not in self.fields:
                message.ClearField(field.name)
        if self.attributes:
            values = getattr(message, ATTRIBUTES).fields
            for name in values.keys() - self.attributes:
                del values[name]
        return message


def read_mask(request: MaskedRequest, resource: type[Message]) -> ReadMask:
    """Returns what a request wants of a resource.

    Raises:
        InvalidArgument: The mask names a field that the resource does not have, or an attribute name is malformed.
    """
    known = frozenset(resource.DESCRIPTOR.fields_by_name)
    paths = frozenset(request.read_mask.paths) - {"*"}
    if unknown := sorted(paths - known):
        raise InvalidArgument("read_mask", f"{unknown[0][:50]!r} is no field of {resource.DESCRIPTOR.name}")
    fields = known if not paths or "*" in request.read_mask.paths else paths | {ALWAYS}
    names = request.attribute_names
    attributes = frozenset(identifiers("attribute_names", names, limit=MAX_ATTRIBUTE_NAMES)) if names else None
    return ReadMask(fields, attributes if ATTRIBUTES in fields else frozenset())
