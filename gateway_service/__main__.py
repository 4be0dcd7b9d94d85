"""`python -m gateway_service serve`."""

from gateway_service.app import run_server
from gateway_service.settings import GatewaySettings
from shared import entrypoint, event_loops, processes


def serve(settings: GatewaySettings) -> None:
    """Serve HTTP until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


if __name__ == "__main__":
    entrypoint.run("gateway_service", GatewaySettings, {"serve": serve})
