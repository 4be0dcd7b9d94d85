"""`python -m intelligence_service serve | migrate | check`."""

from intelligence_service.app import checks, run_server
from intelligence_service.settings import IntelligenceSettings
from shared import entrypoint, event_loops, processes


def serve(settings: IntelligenceSettings) -> None:
    """Serve the IntelligenceService until SIGTERM."""
    event_loops.run(run_server(processes.fork(settings)))


def migrate(_: IntelligenceSettings) -> None:
    """Create nothing, as this service stores nothing, unless asked for its user."""


if __name__ == "__main__":
    entrypoint.run("intelligence_service", IntelligenceSettings, {"serve": serve, "migrate": migrate}, checks=checks)
