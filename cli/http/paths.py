"""Which requests Envoy passes to which service, and what it answers itself."""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from cli.http.bodies import BODIES, STREAMS
from cli.http.routes import Route, routes
from cli.http.settings import HttpSettings

# Generic for the type checker only.
Json: TypeAlias = dict[str, Any]

CALL_SECONDS = 15
"""Longest time for a unary call; longer than the limit of the services, so that their answer arrives."""
GATEWAY_PATHS = ("batch", "track", "identify", "page", "screen", "group", "alias", "cloudevents")
_USELESS_HEADERS = [
    *("accept", "accept-encoding", "x-envoy-original-method", "x-envoy-original-path", "x-forwarded-proto"),
]
"""What the services would have to read with each call, and nobody asks them for."""
_JSON_TYPE = r'(?i)application/json\s*(;\s*charset="?utf-8"?\s*)?'
_LUA, _LUA_TYPE = "envoy.filters.http.lua", "type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute"
_UNTOUCHED: Json = {
    "typed_per_filter_config": {
        "envoy.filters.http.grpc_json_transcoder": {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
            "disabled": True,
        }
    }
}
"""For requests that the transcoder must leave as they are."""


def paths(settings: HttpSettings, document: str) -> list[Json]:
    """Returns the routes of Envoy, in the order in which it tries them; `document` is the OpenAPI document."""
    known = list(routes())
    return [
        _document(document),
        *(_preflight(settings) if settings.cors_origins else ()),
        *(_gateway() if settings.gateway_target else ()),
        *(entry for route in known for entry in _entries(route)),
        *(
            _answer(_at(each), 405, "the path does not have this method")
            for each in {r.pattern: r for r in known}.values()
        ),
        _answer({"prefix": "/"}, 404, "there is no such path: /openapi.json lists all"),
    ]


def _entries(route: Route) -> Iterator[Json]:
    """Yields the entry that passes a call on and, if it has a body, one that refuses other types of content."""
    verb = _header(":method", {"exact": route.verb})
    if not route.body:
        yield _call(route, _at(route, verb))
        return
    yield _call(route, _at(route, verb, _header("content-type", {"safe_regex": {"regex": _JSON_TYPE}})))
    yield _answer(_at(route, verb), 415, "the content type must be application/json")


def _call(route: Route, match: Json) -> Json:
    # A watch may be silent for as long as no lead changes, and a job may take hours.
    limits = {"timeout": "0s", "idle_timeout": "0s"} if route.streams else {"timeout": f"{CALL_SECONDS}s"}
    entry: Json = {
        "match": match,
        "route": {"cluster": route.server, **limits},
        "request_headers_to_remove": _USELESS_HEADERS,
    }
    if route.body:
        entry["metadata"] = {"filter_metadata": {_LUA: {"message": route.body.full_name}}}
    if route.body or route.streams:  # others are spared the time that Lua takes
        program = {"@type": _LUA_TYPE, "name": STREAMS if route.streams else BODIES}
        entry["typed_per_filter_config"] = {_LUA: program}
    return entry


def _gateway() -> Iterator[Json]:
    route = {"cluster": "gateway", "timeout": f"{CALL_SECONDS}s"}
    for match in (*({"path": f"/v1/{name}"} for name in GATEWAY_PATHS), {"prefix": "/v1/webhooks/"}):
        yield {"match": match, "route": route, **_UNTOUCHED}


def _document(document: str) -> Json:
    match = {"path": "/openapi.json", "headers": [_header(":method", {"exact": "GET"})]}
    content_type = {"header": {"key": "content-type", "value": "application/json"}}
    return _answer(match, 200, document) | {"response_headers_to_add": [content_type]}


def _preflight(settings: HttpSettings) -> Iterator[Json]:
    """Yields what the filter for CORS answers itself: it leaves alone whatever has no cluster."""
    origins = settings.cors_origins.split(",")
    known = ".*" if "*" in origins else "|".join(map(re.escape, origins))
    asked = [
        _header(":method", {"exact": "OPTIONS"}),
        _header("origin", {"safe_regex": {"regex": known}}),
        {"name": "access-control-request-method", "present_match": True},
    ]
    yield {"match": {"prefix": "/v1/", "headers": asked}, "route": {"cluster": "ingest"}, **_UNTOUCHED}


def _answer(match: Json, status: int, text: str) -> Json:
    return {"match": match, "direct_response": {"status": status, "body": {"inline_string": text}}, **_UNTOUCHED}


def _at(route: Route, *headers: Json) -> Json:
    return {"safe_regex": {"regex": route.pattern}, "headers": list(headers)}


def _header(name: str, text: Json) -> Json:
    return {"name": name, "string_match": text}
