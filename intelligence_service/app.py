"""The composition root: the only file that names concrete classes."""

import contextlib

from leadscore.intelligence.v1 import intelligence_pb2_grpc

from intelligence_service.access import METHODS
from intelligence_service.clients import ScoringModels, ScoringServiceReader, is_serving
from intelligence_service.servicer import ERRORS, SERVICE, STREAMS, IntelligenceServicer
from intelligence_service.settings import IntelligenceSettings
from intelligence_service.store import MongoLeadChanges
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers
from shared import mongo
from shared.access import enforcement
from shared.checkup import Check
from shared.lead_ids import LeadIds
from shared.rpc.channels import connect
from shared.rpc.server import serve
from shared.rpc.service import Service


def checks(settings: IntelligenceSettings) -> list[Check]:
    """Returns the checks of the database for this service."""
    return [LeadIds(settings.lead_ids).check]


async def run_server(settings: IntelligenceSettings) -> None:
    """Serves the IntelligenceService until SIGTERM."""
    database = await mongo.connect(settings.mongo_uri.get_secret_value())
    async with contextlib.aclosing(database.client), connect(settings.scoring_target, settings) as channel:
        lead_ids = LeadIds(settings.lead_ids)
        await lead_ids.check(database)
        intelligence = Intelligence(ScoringServiceReader(channel), ScoringModels(channel))
        watchers = Watchers(MongoLeadChanges(database), intelligence)
        servicer = IntelligenceServicer(intelligence, watchers)
        async with (
            contextlib.aclosing(watchers),
            enforcement.opened(database, settings, METHODS, ERRORS, service="intelligence") as access,
        ):
            service = Service(
                SERVICE,
                lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server),
                ERRORS,
                lambda: is_serving(channel),
                access,
                leave=watchers.stop,
                streams=STREAMS,
                prepare=lead_ids.apply,
            )
            await serve(service, settings)
