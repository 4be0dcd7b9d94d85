"""The composition root: the only file that names concrete classes."""

from intelligence_service.clients import ScoringModels, ScoringScores, is_serving
from intelligence_service.servicer import ERRORS, SERVICE, IntelligenceServicer
from intelligence_service.settings import IntelligenceSettings
from intelligence_service.usecases import Intelligence
from shared import calls, wire
from shared.pb.intelligence.v1 import intelligence_pb2_grpc
from shared.server import Service, serve


async def run_server(settings: IntelligenceSettings) -> None:
    """Serves the IntelligenceService until SIGTERM."""
    async with calls.connect(settings.scoring_target) as channel:
        servicer = IntelligenceServicer(Intelligence(ScoringScores(channel), ScoringModels(channel), wire.now))
        await serve(
            Service(
                SERVICE,
                lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: is_serving(channel),
            ),
            settings,
        )
