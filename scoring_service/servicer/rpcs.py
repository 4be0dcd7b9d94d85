"""The RPCs of the ScoringService."""

from collections.abc import AsyncIterator
from datetime import datetime

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import messages, model_codec
from scoring_service.domain.lead import Decision
from scoring_service.domain.timeline import StoredModel
from scoring_service.servicer import health_messages, simulation_messages, verification_messages
from scoring_service.servicer.leads import LeadRpcs
from scoring_service.servicer.requests import (
    MAX_IDS,
    MAX_REASON,
    actor,
    adjustment,
    as_of_time,
    calendar_date,
    conversion_question,
    model_version,
    publication_mode,
)
from scoring_service.usecases.backlog import BacklogReport
from scoring_service.usecases.corrections import Corrections
from scoring_service.usecases.decay import DecayRun
from scoring_service.usecases.export import Export
from scoring_service.usecases.health import CheckHealth
from scoring_service.usecases.inactive_leads import InactiveLeads
from scoring_service.usecases.preview import Previews
from scoring_service.usecases.publishing import Publishing
from scoring_service.usecases.queries import Queries
from scoring_service.usecases.rebuild import Rebuild
from scoring_service.usecases.simulate import Simulate
from scoring_service.usecases.verify import Verification
from shared import wire
from shared.inbox.parking import Parking
from shared.rpc.admission import StreamKind, StreamTable
from shared.rpc.arguments import identifier, ids_or_all, optional_text
from shared.rpc.handlers import Context
from shared.rpc.pagination import asked_page
from shared.tasks import to_the_end

SERVICE = "leadscore.scoring.v1.ScoringService"

STREAMS: StreamTable = {
    "CheckModelHealth": StreamKind.HEAVY,
    "DecayScores": StreamKind.HEAVY,
    "RebuildLeadScores": StreamKind.HEAVY,
    "ResetDecay": StreamKind.HEAVY,
    "SimulateScoringModel": StreamKind.HEAVY,
    "VerifyScores": StreamKind.HEAVY,
}


class ScoringServicer(LeadRpcs):
    """Translates requests and responses; the use cases do the work."""

    def __init__(
        self,
        queries: Queries,
        lists: Queries,
        previews: Previews,
        export: Export,
        inactive_leads: InactiveLeads,
        decay: DecayRun,
        verification: Verification,
        rebuild: Rebuild,
        corrections: Corrections,
        publishing: Publishing,
        simulate: Simulate,
        check_health: CheckHealth,
        parking: Parking,
        backlog: BacklogReport,
    ) -> None:
        super().__init__(queries, lists, previews, export, inactive_leads)
        self._decay = decay
        self._verification = verification
        self._rebuild = rebuild
        self._corrections = corrections
        self._publishing = publishing
        self._simulate = simulate
        self._check_health = check_health
        self._parking = parking
        self._backlog = backlog

    async def DecayScores(
        self, request: pb.DecayScoresRequest, context: Context
    ) -> AsyncIterator[pb.DecayScoresResponse]:
        """See `scoring.proto`."""
        as_of = as_of_time(request) or wire.now()
        run = self._decay.dry_run(as_of) if request.dry_run else self._decay.run(as_of)
        async for progress in run:
            yield messages.decay_progress(progress, dry_run=request.dry_run)

    async def ResetDecay(self, request: pb.ResetDecayRequest, context: Context) -> AsyncIterator[pb.ResetDecayResponse]:
        """See `scoring.proto`."""
        to = calendar_date("to_date", request.to_date)
        decision = Decision(identifier("reason", request.reason, limit=MAX_REASON), actor(request.actor))
        async for progress in self._decay.reset(to, decision):
            yield messages.reset_progress(progress)

    async def RebuildLeadScore(
        self, request: pb.RebuildLeadScoreRequest, context: Context
    ) -> pb.RebuildLeadScoreResponse:
        """See `scoring.proto`."""
        lead_id = identifier("lead_id", request.lead_id)
        rebuilt = await self._rebuild.one(lead_id)
        score = await self._queries.score(lead_id, None)
        return pb.RebuildLeadScoreResponse(
            lead_score=messages.lead_score(score), changed=rebuilt.changed, score_before=rebuilt.score_before
        )

    async def VerifyScores(
        self, request: pb.VerifyScoresRequest, context: Context
    ) -> AsyncIterator[pb.VerifyScoresResponse]:
        """See `scoring.proto`."""
        start = verification_messages.start_of(request)
        async for progress in self._verification.run(start, counts_only=request.counts_only):
            yield verification_messages.verify_progress(request, progress)

    async def GetScoringBacklog(
        self, request: pb.GetScoringBacklogRequest, context: Context
    ) -> pb.GetScoringBacklogResponse:
        """See `scoring.proto`."""
        return messages.backlog(await self._backlog.now())

    async def ListParkedEvents(
        self, request: pb.ListParkedEventsRequest, context: Context
    ) -> pb.ListParkedEventsResponse:
        """See `scoring.proto`."""
        page = asked_page(request, ("ListParkedEvents",), datetime, str, default=50, limit=500)
        found = await self._parking.page(page.after, page.limit)
        parked, token = page.cut(found, lambda each: (each.park_time, each.row_id))
        return pb.ListParkedEventsResponse(parked_events=map(messages.parked_event, parked), next_page_token=token)

    async def RetryParkedEvents(
        self, request: pb.RetryParkedEventsRequest, context: Context
    ) -> pb.RetryParkedEventsResponse:
        """See `scoring.proto`."""
        event_ids = ids_or_all("event_ids", request.event_ids, every=request.all, limit=MAX_IDS)
        return pb.RetryParkedEventsResponse(retried_count=await self._parking.retry(event_ids))

    async def DiscardParkedEvents(
        self, request: pb.DiscardParkedEventsRequest, context: Context
    ) -> pb.DiscardParkedEventsResponse:
        """See `scoring.proto`."""
        count = await self._parking.discard(
            ids_or_all("event_ids", request.event_ids, every=request.all, limit=MAX_IDS),
            identifier("reason", request.reason, limit=MAX_REASON),
            actor(request.actor),
        )
        return pb.DiscardParkedEventsResponse(discarded_count=count)

    async def GetScoringModel(self, request: pb.GetScoringModelRequest, context: Context) -> pb.GetScoringModelResponse:
        """See `scoring.proto`."""
        stored = await self._publishing.model(model_version("version", request.version, least=0))
        return pb.GetScoringModelResponse(scoring_model=(await self._shown(stored))[0])

    async def ListScoringModels(
        self, request: pb.ListScoringModelsRequest, context: Context
    ) -> pb.ListScoringModelsResponse:
        """See `scoring.proto`."""
        page = asked_page(request, ("ListScoringModels",), int, default=20, limit=100)
        found = await self._publishing.models.page(page.after, page.limit)
        models, token = page.cut(found, lambda each: (each.model.version,))
        return pb.ListScoringModelsResponse(scoring_models=await self._shown(*models), next_page_token=token)

    async def CreateScoringModel(
        self, request: pb.CreateScoringModelRequest, context: Context
    ) -> pb.CreateScoringModelResponse:
        """See `scoring.proto`."""
        model = model_codec.read_model(request.scoring_model, 0)
        if request.validate_only:
            return pb.CreateScoringModelResponse(
                scoring_model=model_codec.write_model(model),
                type_mismatches=simulation_messages.type_mismatches(await self._publishing.type_mismatches(model)),
            )
        stored = await self._publishing.create(model)
        return pb.CreateScoringModelResponse(scoring_model=(await self._shown(stored))[0])

    async def PublishScoringModel(
        self, request: pb.PublishScoringModelRequest, context: Context
    ) -> pb.PublishScoringModelResponse:
        """See `scoring.proto`."""
        made = await to_the_end(  # a caller that disconnects must not leave partitions on different publications
            self._publishing.publish(
                model_version("version", request.version),
                model_version("base_version", request.base_version),
                publication_mode(request.mode),
                actor(request.actor),
                optional_text("note", request.note, limit=MAX_REASON),
                quiet=request.quiet,
            )
        )
        _, leads_left = await self._publishing.leads_left()
        return pb.PublishScoringModelResponse(publication=messages.publication(made, leads_left))

    async def ListModelPublications(
        self, request: pb.ListModelPublicationsRequest, context: Context
    ) -> pb.ListModelPublicationsResponse:
        """See `scoring.proto`."""
        page = asked_page(request, ("ListModelPublications",), int, default=20, limit=100)
        found = await self._publishing.publications(page.after, page.limit)
        publications, token = page.cut(found, lambda each: (each.number,))
        last, left = await self._publishing.leads_left()
        return pb.ListModelPublicationsResponse(
            publications=[messages.publication(each, left if each.number == last else 0) for each in publications],
            next_page_token=token,
        )

    async def SimulateScoringModel(
        self, request: pb.SimulateScoringModelRequest, context: Context
    ) -> AsyncIterator[pb.SimulateScoringModelResponse]:
        """See `scoring.proto`."""
        question = conversion_question(request)
        if request.HasField("draft"):
            model = model_codec.read_model(request.draft, 0)
        else:
            model = (await self._publishing.model(model_version("version", request.version))).model
        async for progress in self._simulate.run(model, question):
            yield simulation_messages.simulation_progress(progress)

    async def CheckModelHealth(
        self, request: pb.CheckModelHealthRequest, context: Context
    ) -> AsyncIterator[pb.CheckModelHealthResponse]:
        """See `scoring.proto`."""
        async for progress in self._check_health.run(health_messages.health_question(request)):
            yield health_messages.health_progress(progress)

    async def AdjustLeadScore(self, request: pb.AdjustLeadScoreRequest, context: Context) -> pb.AdjustLeadScoreResponse:
        """See `scoring.proto`."""
        entry = await to_the_end(self._corrections.adjust(adjustment(request)))
        return pb.AdjustLeadScoreResponse(entry=messages.score_entry(request.lead_id, entry))

    async def RetractEvent(self, request: pb.RetractEventRequest, context: Context) -> pb.RetractEventResponse:
        """See `scoring.proto`."""
        lead_id, entry = await to_the_end(
            self._corrections.retract(
                identifier("event_id", request.event_id),
                identifier("reason", request.reason, limit=MAX_REASON),
                actor(request.actor),
            )
        )
        if entry is None:
            return pb.RetractEventResponse(lead_id=lead_id, discarded=True)
        return pb.RetractEventResponse(lead_id=lead_id, entry=messages.score_entry(lead_id, entry))

    async def RebuildLeadScores(
        self, request: pb.RebuildLeadScoresRequest, context: Context
    ) -> AsyncIterator[pb.RebuildLeadScoresResponse]:
        """See `scoring.proto`."""
        async for progress in self._rebuild.all(check_only=request.check_only):
            yield messages.rebuild_progress(progress)

    async def _shown(self, *stored: StoredModel) -> list[pb.ScoringModel]:
        publications = await self._publishing.models.publications()
        published = {each.version for each in publications}
        return [messages.scoring_model(each, publications[-1].version, published) for each in stored]
