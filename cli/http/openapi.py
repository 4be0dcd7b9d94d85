"""`python -m cli.http.openapi < DESCRIPTORS`: prints the OpenAPI document of the HTTP API.

DESCRIPTORS are the protos as `buf build` writes them, with comments.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from cli import VERSION
from cli.http.routes import SERVICES, Route, routes
from cli.http.schemas import Json, Schemas

_ABOUT = """\
The API of leadscore as HTTP and JSON. Each path calls an RPC of the same name; `docs/http.md` tells how.

64-bit integers are strings in answers, such as `"score": "55"`. Requests may have them as strings or as numbers."""
_STATUS: Json = {
    "type": "object",
    "description": "Why a request failed: a `google.rpc.Status`.",
    "properties": {
        "code": {"type": "integer", "description": "The gRPC code, such as 3 for INVALID_ARGUMENT."},
        "message": {"type": "string", "description": "A sentence for people."},
        "details": {
            "type": "array",
            "description": "`google.rpc.ErrorInfo` with the reason, `BadRequest` with the fields, `RetryInfo`.",
            "items": {"type": "object", "properties": {"@type": {"type": "string"}}},
        },
    },
}


def document(comments: Mapping[str, str]) -> Json:
    """Returns the document; `comments` are those of the protos, by full name."""
    schemas = Schemas(comments)
    paths: dict[str, Json] = {}
    for route in routes():
        paths.setdefault(route.template, {})[route.verb.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "leadscore", "version": VERSION, "description": _ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {}],
        "tags": [{"name": name, "description": comments[each.full_name]} for name, each in SERVICES.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": {"Status": _STATUS, **dict(sorted(schemas.found.items()))},
        },
    }


def comments_of(files: FileDescriptorSet) -> dict[str, str]:
    """Returns the comments in files, by the full names of what they belong to."""
    found: dict[str, str] = {}
    for file in files.file:
        texts = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
        for path, name in _named(file, file.package, ()):
            if comment := texts.get(path, ""):
                found[name] = "\n".join(line.removeprefix(" ") for line in comment.rstrip().splitlines())
    return found


_CONTAINERS = ("message_type", "nested_type", "enum_type", "service", "field", "value", "method")


def _named(parent: Any, prefix: str, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], str]]:  # noqa: ANN401 (any descriptor)
    """Yields the path and the full name of everything in a descriptor that has a name and may have a comment."""
    for container in _CONTAINERS:
        number = parent.DESCRIPTOR.fields_by_name.get(container)
        for index, child in enumerate(getattr(parent, container) if number else ()):
            place, name = (*path, number.number, index), f"{prefix}.{child.name}"
            yield place, name
            yield from _named(child, name, place)


def _operation(route: Route, schemas: Schemas) -> Json:
    comment = schemas.comment(route.method.full_name)
    summary, _, _ = comment.replace("\n", " ").partition(". ")
    operation: Json = {
        "operationId": route.method.name,
        "tags": [route.server],
        "summary": summary,
        "description": comment,
        "parameters": [*_in_path(route, schemas), *_in_query(route, schemas)],
        "responses": {"200": _answer(route, schemas), "default": _failure()},
    }
    if route.body:
        content = {"application/json": {"schema": _body(route, route.body, schemas)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(route: Route, message: Descriptor, schemas: Schemas) -> Json:
    """Returns the schema of a body: that of its message, without the fields that are in the path."""
    if not route.variables:
        return schemas.reference(message)
    return schemas.message(message, without={name.rpartition(".")[2] for name in route.variables})


def _in_path(route: Route, schemas: Schemas) -> Iterator[Json]:
    for name in route.variables:
        yield _parameter(name, "path", _resolve(route, name.split(".")), schemas) | {"required": True}


def _in_query(route: Route, schemas: Schemas) -> Iterator[Json]:
    if route.body_field == "*":
        return
    for field in route.method.input_type.fields:
        if field.name not in (*route.variables, route.body_field):
            yield _parameter(field.name, "query", field, schemas)


def _parameter(name: str, place: str, field: FieldDescriptor, schemas: Schemas) -> Json:
    schema = schemas.field(field)
    description = schema.pop("description", "")
    return {"name": name, "in": place, "description": description, "schema": schema} | (
        {"required": True} if schemas.is_required(field) else {}
    )


def _resolve(route: Route, names: Sequence[str]) -> FieldDescriptor:
    message: Any = route.method.input_type
    for name in names[:-1]:
        message = message.fields_by_name[name].message_type
    field: FieldDescriptor = message.fields_by_name[names[-1]]
    return field


def _answer(route: Route, schemas: Schemas) -> Json:
    kind = "application/x-ndjson" if route.streams else "application/json"
    description = "A stream of messages, one per line." if route.streams else "The answer."
    return {"description": description, "content": {kind: {"schema": schemas.reference(route.method.output_type)}}}


def _failure() -> Json:
    schema = {"$ref": "#/components/schemas/Status"}
    return {"description": "The request failed.", "content": {"application/json": {"schema": schema}}}


if __name__ == "__main__":
    built = FileDescriptorSet.FromString(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(document(comments_of(built)), indent=1, ensure_ascii=False) + "\n")
