"""gRPC ⇄ domain, and what callers see of each error."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import grpc

from scoring_service import messages
from scoring_service.domain.history import HistoryInconsistent, Lead, LeadNotFound
from scoring_service.domain.model import ModelNotFound, UnknownStage
from scoring_service.ports import ANY_SCORE, LeadOrder, LeadQuery
from scoring_service.usecases import Ask, Check, DecayRun
from shared import arguments, wire
from shared.arguments import identifier, identifiers, optional_text
from shared.errors import ARGUMENTS, ErrorRow, ErrorTable, InvalidArgument
from shared.pages import page_size, read_token, write_token
from shared.pb.scoring.v1 import scoring_pb2 as pb
from shared.pb.scoring.v1 import scoring_pb2_grpc
from shared.server import Context

SERVICE = "leadscore.scoring.v1.ScoringService"

ERRORS: ErrorTable = {
    **ARGUMENTS,
    LeadNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "LEAD_NOT_FOUND"),
    ModelNotFound: ErrorRow(grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
    UnknownStage: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID"),
    HistoryInconsistent: ErrorRow(grpc.StatusCode.DATA_LOSS, "HISTORY_INCONSISTENT"),
}

MOST_IDS = 500
MOST_PAGE = 1_000
_CLOCK_SKEW = timedelta(minutes=1)
_ORDERS = {
    pb.LEAD_ORDER_UNSPECIFIED: LeadOrder.SCORE,
    pb.LEAD_ORDER_SCORE: LeadOrder.SCORE,
    pb.LEAD_ORDER_LAST_EVENT_TIME: LeadOrder.LAST_EVENT_TIME,
    pb.LEAD_ORDER_LEAD_ID: LeadOrder.LEAD_ID,
}
_KEYS: dict[LeadOrder, type[str | int | datetime]] = {
    LeadOrder.SCORE: int,
    LeadOrder.LAST_EVENT_TIME: datetime,
    LeadOrder.LEAD_ID: str,
}


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Translates; the use cases do the work."""

    def __init__(self, ask: Ask, decay: DecayRun, check: Check) -> None:
        self._ask = ask
        self._decay = decay
        self._check = check

    async def GetLeadScore(self, request: pb.GetLeadScoreRequest, context: Context) -> pb.GetLeadScoreResponse:
        """See `scoring.proto`."""
        score = await self._ask.score(identifier("lead_id", request.lead_id), _as_of(request))
        return pb.GetLeadScoreResponse(lead_score=messages.lead_score(score))

    async def BatchGetLeadScores(
        self, request: pb.BatchGetLeadScoresRequest, context: Context
    ) -> pb.BatchGetLeadScoresResponse:
        """See `scoring.proto`."""
        lead_ids = identifiers("lead_ids", request.lead_ids, most=MOST_IDS)
        scores = await self._ask.scores(lead_ids, _as_of(request))
        found = {score.lead.lead_id for score in scores}
        return pb.BatchGetLeadScoresResponse(
            lead_scores=[messages.lead_score(score) for score in scores],
            missing_lead_ids=[lead_id for lead_id in lead_ids if lead_id not in found],
        )

    async def ListLeadScores(self, request: pb.ListLeadScoresRequest, context: Context) -> pb.ListLeadScoresResponse:
        """See `scoring.proto`."""
        most = page_size(request.page_size, default=50, most=MOST_PAGE)
        order = _order(request.order)
        minimum = request.minimum_score if request.HasField("minimum_score") else ANY_SCORE
        asked = ("ListLeadScores", order.value, optional_text("stage", request.stage), minimum)
        query = LeadQuery(order, most + 1, minimum, after=read_token(asked, request.page_token, _KEYS[order], str))
        scores = await self._ask.page(query, request.stage)
        token = write_token(asked, *_place_of(order, scores[most - 1].lead)) if len(scores) > most else ""
        return pb.ListLeadScoresResponse(
            lead_scores=[messages.lead_score(score) for score in scores[:most]], next_page_token=token
        )

    async def ListScoreHistory(
        self, request: pb.ListScoreHistoryRequest, context: Context
    ) -> pb.ListScoreHistoryResponse:
        """See `scoring.proto`."""
        lead_id = identifier("lead_id", request.lead_id)
        most = page_size(request.page_size, default=100, most=MOST_PAGE)
        asked = ("ListScoreHistory", lead_id, request.newest_first)
        entries = await self._ask.history(
            lead_id,
            after=read_token(asked, request.page_token, int),
            most=most + 1,
            newest_first=request.newest_first,
        )
        token = write_token(asked, entries[most - 1].entry.sequence) if len(entries) > most else ""
        return pb.ListScoreHistoryResponse(
            entries=[messages.score_entry(lead_id, each) for each in entries[:most]], next_page_token=token
        )

    async def DecayScores(
        self, request: pb.DecayScoresRequest, context: Context
    ) -> AsyncIterator[pb.DecayScoresResponse]:
        """See `scoring.proto`."""
        now = wire.now()
        as_of = _as_of(request) or now
        if as_of > now + _CLOCK_SKEW:
            raise InvalidArgument("as_of_time", f"{as_of.isoformat()} lies in the future")
        run = self._decay.dry_run(as_of) if request.dry_run else self._decay.run(as_of)
        async for progress in run:
            yield messages.decay_progress(progress, dry_run=request.dry_run)

    async def RebuildLeadScore(
        self, request: pb.RebuildLeadScoreRequest, context: Context
    ) -> pb.RebuildLeadScoreResponse:
        """See `scoring.proto`."""
        lead_id = identifier("lead_id", request.lead_id)
        rebuilt = await self._check.rebuild(lead_id)
        score = await self._ask.score(lead_id, None)
        return pb.RebuildLeadScoreResponse(
            lead_score=messages.lead_score(score), changed=rebuilt.changed, score_before=rebuilt.score_before
        )

    async def VerifyScores(
        self, request: pb.VerifyScoresRequest, context: Context
    ) -> AsyncIterator[pb.VerifyScoresResponse]:
        """See `scoring.proto`."""
        async for progress in self._check.verify():
            yield messages.verify_progress(progress)

    async def GetScoringBacklog(
        self, request: pb.GetScoringBacklogRequest, context: Context
    ) -> pb.GetScoringBacklogResponse:
        """See `scoring.proto`."""
        pending, oldest = await self._ask.backlog()
        return pb.GetScoringBacklogResponse(
            pending_events=pending, oldest_put_time=wire.to_timestamp(oldest) if oldest else None
        )

    async def GetScoringModel(self, request: pb.GetScoringModelRequest, context: Context) -> pb.GetScoringModelResponse:
        """See `scoring.proto`."""
        if request.version < 0:
            raise InvalidArgument("version", f"is {request.version}, must not be negative")
        return pb.GetScoringModelResponse(scoring_model=messages.scoring_model(await self._ask.model(request.version)))


def _as_of(
    request: pb.GetLeadScoreRequest | pb.BatchGetLeadScoresRequest | pb.DecayScoresRequest,
) -> datetime | None:
    return arguments.time("as_of_time", request.as_of_time) if request.HasField("as_of_time") else None


def _order(order: pb.LeadOrder) -> LeadOrder:
    if order not in _ORDERS:
        raise InvalidArgument("order", f"{order} is no LeadOrder")
    return _ORDERS[order]


def _place_of(order: LeadOrder, lead: Lead) -> tuple[str | int | datetime, str]:
    """Returns the lead's place in an order: its key and its id."""
    keys: dict[LeadOrder, str | int | datetime] = {
        LeadOrder.SCORE: lead.state.score,
        LeadOrder.LAST_EVENT_TIME: lead.state.last_event_time or wire.EPOCH,
        LeadOrder.LEAD_ID: lead.lead_id,
    }
    return keys[order], lead.lead_id
