"""The names that JSON bodies may use, as a table for `bodies.lua`."""

import json
from importlib.resources import files

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from cli.http.routes import routes

Fields = dict[str, tuple[str, ...]]
"""What a message may contain: by each spelling of a field's name, its name and, if it is a message, which one."""


BODIES, STREAMS = "bodies", "streams"
"""The names of the Lua programs: the one that checks bodies, and the one that also says that a stream is one."""


def scripts() -> dict[str, str]:
    """Returns the Lua programs by their names."""
    checking = f"local MESSAGES = {_lua(messages())}\n{_text('bodies.lua')}"
    return {BODIES: checking, STREAMS: checking + _text("streams.lua")}


def messages() -> dict[str, Fields]:
    """Returns the fields of every message that is the body of a request, or that one of them contains."""
    found: dict[str, Fields] = {}
    for route in routes():
        if route.body:
            _collect(route.body, found)
    return found


def _collect(message: Descriptor, found: dict[str, Fields]) -> None:
    if message.full_name in found:
        return
    found[message.full_name] = {}
    for field in message.fields:
        inner = _checked(field)
        if inner:
            _collect(inner, found)
        row = (field.name, inner.full_name) if inner else (field.name,)
        found[message.full_name] |= {field.name: row, field.json_name: row}


def _checked(field: FieldDescriptor) -> Descriptor | None:
    """Returns the message that a field contains, unless the field may contain any JSON."""
    message: Descriptor | None = field.message_type
    if message is None or message.file.package == "google.protobuf":
        return None
    # The values of all maps are texts; a test fails if that changes.
    return None if message.GetOptions().map_entry else message


def _text(file: str) -> str:
    return files("cli.http").joinpath(file).read_text()


def _lua(table: dict[str, Fields]) -> str:
    rows = (f"[{json.dumps(name)}]={{{_lua_fields(fields)}}}" for name, fields in table.items())
    return "{\n" + ",\n".join(rows) + "}"


def _lua_fields(fields: Fields) -> str:
    return ",".join(f"[{json.dumps(name)}]={{{','.join(map(json.dumps, row))}}}" for name, row in fields.items())
