"""Read masks: a caller names the fields and attributes of a lead that it wants and receives no others (AIP-157).

Guarantee: fields that a mask does not name are absent from the response, even if they were read to compute it. An empty
mask selects everything.
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
"""The field that every response contains."""
ATTRIBUTES = "attributes"
M = TypeVar("M", bound=Message)


class MaskedRequest(Protocol):
    """A request with a read mask."""

    @property
    def read_mask(self) -> FieldMask:
        """The fields to return."""

    @property
    def attribute_names(self) -> Sequence[str]:
        """The attributes to return."""


@dataclass(frozen=True, slots=True)
class ReadMask:
    """The fields that a caller wants, and the names of the attributes that it wants; None means all attributes.

    `is_complete` says that these are all fields and all attributes.
    """

    fields: frozenset[str]
    attributes: frozenset[str] | None
    is_complete: bool

    def names_any(self, *fields: str) -> bool:
        """Returns whether the mask includes at least one of the fields."""
        return not self.fields.isdisjoint(fields)

    def apply(self, message: M) -> M:
        """Clears what the mask does not include, and returns the same message."""
        if self.is_complete:
            return message
        for field, _ in message.ListFields():
            if field.name not in self.fields:
                message.ClearField(field.name)
        if self.attributes:
            values = getattr(message, ATTRIBUTES).fields
            for name in values.keys() - self.attributes:
                del values[name]
        return message


def read_mask(request: MaskedRequest, resource: type[Message]) -> ReadMask:
    """Returns the read mask of a request for a resource.

    Raises:
        InvalidArgument: The mask names a field that the resource does not have, or an attribute name is malformed.
    """
    known = frozenset(resource.DESCRIPTOR.fields_by_name)
    paths = frozenset(request.read_mask.paths) - {"*"}
    if unknown := sorted(paths - known):
        raise InvalidArgument("read_mask", f"{unknown[0][:50]!r} is not a field of {resource.DESCRIPTOR.name}")
    fields = known if not paths or "*" in request.read_mask.paths else paths | {ALWAYS}
    names = request.attribute_names
    attributes = frozenset(identifiers("attribute_names", names, limit=MAX_ATTRIBUTE_NAMES)) if names else None
    is_complete = fields is known and attributes is None
    return ReadMask(fields, attributes if ATTRIBUTES in fields else frozenset(), is_complete)
