"""`python -m intelligence_service serve`."""

from intelligence_service.app import run_server
from intelligence_service.settings import IntelligenceSettings
from shared import entrypoint, event_loops, processes


def serve(settings: IntelligenceSettings) -> None:
    """Serve the IntelligenceService until SIGTERM."""
    processes.fork(settings)
    event_loops.run(run_server(settings))


if __name__ == "__main__":
    entrypoint.run("intelligence_service", IntelligenceSettings, {"serve": serve})
