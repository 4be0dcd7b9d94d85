"""Messages and enums of the protos as JSON schemas, with their comments as descriptions."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

# Generic for the type checker only.
Json: TypeAlias = dict[str, Any]

_WELL_KNOWN: dict[str, Json] = {
    "Timestamp": {"type": "string", "format": "date-time"},
    "Duration": {"type": "string", "description": "Seconds, such as `3.5s`."},
    "FieldMask": {"type": "string", "description": "Names of fields, separated by commas."},
    "Struct": {"type": "object"},
    "ListValue": {"type": "array", "items": {}},
    "Value": {},
}
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "format": "int32"}
_LARGE = {"type": "string", "format": "int64"}
_SCALARS: dict[int, Json] = {
    FieldDescriptor.TYPE_STRING: _TEXT,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: _WHOLE,
    FieldDescriptor.TYPE_INT64: _LARGE,
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}


class Schemas:
    """Collects the schema of each message and enum that is referred to, and of all that they contain."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.found: dict[str, Json] = {}
        self._comments = comments

    def reference(self, kind: Descriptor | EnumDescriptor) -> Json:
        """Returns a reference to the schema of a message or an enum."""
        name = kind.full_name.removeprefix("leadscore.").replace(".v1.", ".")
        if name not in self.found:
            self.found[name] = {}  # a message may contain itself
            self.found[name] |= self.message(kind) if isinstance(kind, Descriptor) else self._enum(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def message(self, message: Descriptor, without: Collection[str] = ()) -> Json:
        """Returns the schema of a message itself, without some of its fields."""
        fields = [field for field in message.fields if field.name not in without]
        schema: Json = {"type": "object", "properties": {field.name: self.field(field) for field in fields}}
        if required := [field.name for field in fields if self.is_required(field)]:
            schema["required"] = required
        comment = self.comment(message.full_name)
        return schema | ({"description": comment} if comment else {})

    def field(self, field: FieldDescriptor) -> Json:
        """Returns the schema of a field, with its comment."""
        comment = self.comment(field.full_name)
        description: Json = {"description": comment} if comment else {}
        if comment.startswith("Output only."):
            description["readOnly"] = True
        return self._shape(field) | description

    def comment(self, full_name: str) -> str:
        """Returns the comment of a message, an enum, a field, a service or a method; empty if there is none."""
        return self._comments.get(full_name, "")

    def is_required(self, field: FieldDescriptor) -> bool:
        """Returns whether the comment says that a request must have the field."""
        return self.comment(field.full_name).startswith("Required.") and not field.containing_oneof

    def _enum(self, enum: EnumDescriptor) -> Json:
        lines = [self.comment(enum.full_name), ""]
        lines += [f"* `{value.name}`: {self.comment(f'{enum.full_name}.{value.name}')}" for value in enum.values]
        return {"type": "string", "enum": [value.name for value in enum.values], "description": "\n".join(lines)}

    def _shape(self, field: FieldDescriptor) -> Json:
        message = field.message_type
        if message and message.GetOptions().map_entry:
            return {"type": "object", "additionalProperties": self._single(message.fields_by_name["value"])}
        single = self._single(field)
        return {"type": "array", "items": single} if field.is_repeated else dict(single)

    def _single(self, field: FieldDescriptor) -> Json:
        if field.enum_type:
            return self.reference(field.enum_type)
        message = field.message_type
        if not message:
            return _SCALARS[field.type]
        return _WELL_KNOWN[message.name] if message.file.package == "google.protobuf" else self.reference(message)
