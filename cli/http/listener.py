"""What Envoy listens on: limits, the chain of filters, TLS, and the shape of its own errors."""

import base64
from pathlib import Path

from cli.http import certificates
from cli.http.bodies import scripts
from cli.http.paths import Json, paths
from cli.http.routes import SERVICES, descriptors
from cli.http.settings import HttpSettings

MAX_BODY_BYTES = 1 << 20
MAX_HEADERS = 100
MAX_HEADER_KIB = 32
MAX_CONNECTIONS = 10_000
HEADER_SECONDS = 10
BODY_SECONDS = 15
IDLE_SECONDS = 60
_TYPE = "type.googleapis.com/envoy.extensions"
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 431: 8, 503: 14, 504: 4}
"""The gRPC code in the JSON of an error of Envoy's own, by its HTTP status. Any other is 13, INTERNAL."""


def listener(settings: HttpSettings, document: str, directory: Path) -> Json:
    """Returns the listener; its certificate is described in the directory."""
    chain: Json = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": _connections(settings, document)}
        ]
    }
    if settings.serves_tls:
        chain["transport_socket"] = _tls(directory)
    return {
        "name": "http",
        "address": {"socket_address": {"address": settings.host, "port_value": settings.port}},
        "per_connection_buffer_limit_bytes": MAX_BODY_BYTES,
        # A stale process must not share the port.
        "enable_reuse_port": False,
        "filter_chains": [chain],
    }


def _connections(settings: HttpSettings, document: str) -> Json:
    return {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        **_LIMITS,
        **_STRICTNESS,
        "http_filters": _filters(settings),
        "local_reply_config": {"mappers": [*map(_error, _CODES), _error(0)]},
        "route_config": {
            "virtual_hosts": [_host(settings, document)],
            "max_direct_response_body_size_bytes": len(document.encode()),
        },
    }


_LIMITS: Json = {
    "max_request_headers_kb": MAX_HEADER_KIB,
    "request_headers_timeout": f"{HEADER_SECONDS}s",
    "request_timeout": f"{BODY_SECONDS}s",
    "stream_idle_timeout": f"{IDLE_SECONDS}s",
    "common_http_protocol_options": {
        "max_headers_count": MAX_HEADERS,
        "idle_timeout": f"{IDLE_SECONDS}s",
        "headers_with_underscores_action": "REJECT_REQUEST",
    },
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 1 << 16,
        "initial_connection_window_size": 1 << 20,
    },
}

_STRICTNESS: Json = {
    # The services learn who calls from x-envoy-external-address, which no caller can set.
    "use_remote_address": True,
    "generate_request_id": False,
    # Callers at internal addresses could set retries and time limits by headers. No list would mean all private ones.
    "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
    "normalize_path": True,
    "merge_slashes": True,
    # Ids may contain slashes, as %2F.
    "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    # Sends the status of a stream that fails half-way.
    "http_protocol_options": {"enable_trailers": True},
}


def _filters(settings: HttpSettings) -> list[Json]:
    health: Json = {
        "pass_through_mode": False,
        "headers": [{"name": ":path", "string_match": {"exact": "/health"}}],
        "cluster_min_healthy_percentages": {server: {"value": 100} for server in SERVICES},
    }
    return [
        _filter("health_check", "HealthCheck", health),
        *([_filter("cors", "Cors", {})] if settings.cors_origins else []),
        _filter("buffer", "Buffer", {"max_request_bytes": MAX_BODY_BYTES}),
        _filter("lua", "Lua", {"source_codes": {name: {"inline_string": text} for name, text in scripts().items()}}),
        _filter("grpc_json_transcoder", "GrpcJsonTranscoder", _transcoding()),
        _filter("router", "Router", {"suppress_envoy_headers": True}),
    ]


def _transcoding() -> Json:
    return {
        "proto_descriptor_bin": base64.b64encode(descriptors().SerializeToString()).decode(),
        "services": [service.full_name for service in SERVICES.values()],
        "match_incoming_request_route": True,
        # By default the limit of the connection, of which a body of that size would need a little more.
        "max_request_body_size": 2 * MAX_BODY_BYTES,
        "convert_grpc_status": True,
        "print_options": {
            "always_print_primitive_fields": True,
            "preserve_proto_field_names": True,
            "stream_newline_delimited": True,
        },
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    }


def _filter(name: str, kind: str, options: Json) -> Json:
    typed = {"@type": f"{_TYPE}.filters.http.{name}.v3.{kind}", **options}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _host(settings: HttpSettings, document: str) -> Json:
    host: Json = {"name": "all", "domains": ["*"], "routes": paths(settings, document)}
    if settings.cors_origins:
        host["typed_per_filter_config"] = {"envoy.filters.http.cors": _cors(settings.cors_origins.split(","))}
    return host


def _cors(origins: list[str]) -> Json:
    return {
        "@type": f"{_TYPE}.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [
            {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin} for origin in origins
        ],
        "allow_methods": "GET, POST, PATCH, DELETE",
        "allow_headers": "authorization, content-type",
        "max_age": "600",
    }


def _error(status: int) -> Json:
    """Returns how an error of Envoy's own is written: as the JSON of a `google.rpc.Status`; 0 stands for all others."""
    comparison = {"op": "EQ", "value": _number(status)} if status else {"op": "GE", "value": _number(400)}
    return {
        "filter": {"status_code_filter": {"comparison": comparison}},
        "body_format_override": {
            "json_format": {"code": _CODES.get(status, 13), "message": "%LOCAL_REPLY_BODY%", "details": []}
        },
    }


def _number(value: int) -> Json:
    return {"default_value": value, "runtime_key": f"leadscore.status.{value}"}


def _tls(directory: Path) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [certificates.source(directory, certificates.SERVER)],
            },
        },
    }
