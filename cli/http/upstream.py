"""The services that Envoy passes calls to."""

import ipaddress
from pathlib import Path

from cli.http import certificates
from cli.http.paths import Json
from cli.http.settings import HttpSettings

HEALTH_SECONDS = 2
MAX_CALLS = 4_096
"""Largest number of calls in progress per service; the services have lower limits of their own."""
CALLS_PER_CONNECTION = 32
"""So few that the calls spread over the processes of a server, each of which takes whole connections."""
_GRPC_PROTOCOL: Json = {
    "explicit_http_config": {"http2_protocol_options": {"max_concurrent_streams": CALLS_PER_CONNECTION}}
}
_GATEWAY_PROTOCOL: Json = {
    "explicit_http_config": {"http_protocol_options": {}},
    # Less than the gateway keeps an idle connection, or a request could meet its end.
    "common_http_protocol_options": {"idle_timeout": "60s"},
}
_TYPE = "type.googleapis.com/envoy.extensions"


def clusters(settings: HttpSettings, directory: Path) -> list[Json]:
    """Returns a cluster per service, named like its server; certificates are described in the directory."""
    found = [_grpc(settings, directory, server, target) for server, target in settings.targets().items()]
    if settings.gateway_target:
        found.append(_cluster(settings, directory, "gateway", settings.gateway_target, _GATEWAY_PROTOCOL))
    return found


def _cluster(settings: HttpSettings, directory: Path, name: str, target: str, protocol: Json) -> Json:
    host, port = target.rsplit(":", 1)
    options = {"@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions", **protocol}
    endpoint = {"address": {"socket_address": {"address": host, "port_value": int(port)}}}
    cluster: Json = {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "circuit_breakers": {
            "thresholds": [dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), MAX_CALLS)]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }
    if settings.calls_over_tls:
        cluster["transport_socket"] = _tls(settings, directory, host, "http/1.1" if name == "gateway" else "h2")
    return cluster


def _grpc(settings: HttpSettings, directory: Path, server: str, target: str) -> Json:
    check: Json = {
        "timeout": "1s",
        "interval": f"{HEALTH_SECONDS}s",
        # Or a service that nobody calls, or that starts later, is asked once a minute.
        "no_traffic_interval": f"{HEALTH_SECONDS}s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "grpc_health_check": {},
    }
    return _cluster(settings, directory, server, target, _GRPC_PROTOCOL) | {"health_checks": [check]}


def _tls(settings: HttpSettings, directory: Path, host: str, protocol: str) -> Json:
    name = settings.tls_server_name or host
    kind = "IP_ADDRESS" if _is_address(name) else "DNS"
    common: Json = {
        "alpn_protocols": [protocol],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": name}}]
            },
            "validation_context_sds_secret_config": certificates.source(directory, certificates.AUTHORITIES),
        },
    }
    if settings.http_client_cert_file:
        common["tls_certificate_sds_secret_configs"] = [certificates.source(directory, certificates.CLIENT)]
    context = {"@type": f"{_TYPE}.transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": common}
    # An address cannot be asked for by name.
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": context if _is_address(name) else context | {"sni": name},
    }


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
