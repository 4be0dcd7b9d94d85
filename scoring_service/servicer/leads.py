"""The RPCs that read leads and histories."""

from datetime import datetime

from leadscore.scoring.v1 import scoring_pb2 as pb
from leadscore.scoring.v1 import scoring_pb2_grpc

from scoring_service import messages
from scoring_service.domain.lead_query import ANY_SCORE, LeadQuery
from scoring_service.servicer.export_messages import accepted_event, exported_entry
from scoring_service.servicer.preview_messages import previewed
from scoring_service.servicer.requests import (
    CURSOR_KEYS,
    MAX_IDS,
    MAX_PAGE,
    as_of_time,
    count_query,
    cursor_of,
    entry_query,
    hypotheses,
    lead_order,
    time_range,
    wanted_parts,
)
from scoring_service.usecases.export import Export
from scoring_service.usecases.inactive_leads import InactiveLeads
from scoring_service.usecases.preview import Previews
from scoring_service.usecases.queries import Queries
from shared.rpc.arguments import identifier, identifiers, optional_text, optional_time, time
from shared.rpc.handlers import Context
from shared.rpc.pagination import asked_page
from shared.rpc.read_masks import read_mask
from shared.tasks import unhurried


class LeadRpcs(scoring_pb2_grpc.ScoringServiceServicer):
    """The part of the servicer that reads leads and histories; `lists` answers the queries that may be stale."""

    def __init__(
        self, queries: Queries, lists: Queries, previews: Previews, export: Export, inactive_leads: InactiveLeads
    ) -> None:
        self._queries = queries
        self._lists = lists
        self._previews = previews
        self._export = export
        self._inactive_leads = inactive_leads

    async def GetLeadScore(self, request: pb.GetLeadScoreRequest, context: Context) -> pb.GetLeadScoreResponse:
        """See `scoring.proto`."""
        score = await self._queries.score(identifier("lead_id", request.lead_id), as_of_time(request))
        return pb.GetLeadScoreResponse(lead_score=messages.lead_score(score))

    async def BatchGetLeadScores(
        self, request: pb.BatchGetLeadScoresRequest, context: Context
    ) -> pb.BatchGetLeadScoresResponse:
        """See `scoring.proto`."""
        lead_ids = identifiers("lead_ids", request.lead_ids, limit=MAX_IDS)
        mask = read_mask(request, pb.LeadScore)
        scores = await self._queries.scores(lead_ids, as_of_time(request), wanted_parts(mask))
        found = {score.lead.lead_id for score in scores}
        return pb.BatchGetLeadScoresResponse(
            lead_scores=await unhurried(lambda score: mask.apply(messages.lead_score(score)), scores),
            missing_lead_ids=[lead_id for lead_id in lead_ids if lead_id not in found],
        )

    async def ListLeadScores(self, request: pb.ListLeadScoresRequest, context: Context) -> pb.ListLeadScoresResponse:
        """See `scoring.proto`."""
        order = lead_order(request.order)
        minimum = request.minimum_score if request.HasField("minimum_score") else ANY_SCORE
        active_since = optional_time("active_since", request)
        asked = ("ListLeadScores", order.value, optional_text("stage", request.stage), minimum, str(active_since))
        page = asked_page(request, asked, CURSOR_KEYS[order], str, default=50, limit=MAX_PAGE)
        query = LeadQuery(order, page.limit, minimum, active_since=active_since, after=page.after)
        scores, token = page.cut(
            await self._lists.page(query, request.stage), lambda score: cursor_of(order, score.lead)
        )
        return pb.ListLeadScoresResponse(
            lead_scores=await unhurried(messages.lead_score, scores), next_page_token=token
        )

    async def ListInactiveLeads(
        self, request: pb.ListInactiveLeadsRequest, context: Context
    ) -> pb.ListInactiveLeadsResponse:
        """See `scoring.proto`."""
        since = time("inactive_since", request.inactive_since)
        page = asked_page(request, ("ListInactiveLeads", since.isoformat()), datetime, str, default=50, limit=MAX_PAGE)
        found = await self._inactive_leads.page(since, page.after, page.limit)
        leads, token = page.cut(found.leads, lambda lead: (lead.last_event_time, lead.lead_id))
        return messages.inactive_leads(leads, found.model, found.decayed_through, token)

    async def CountLeads(self, request: pb.CountLeadsRequest, context: Context) -> pb.CountLeadsResponse:
        """See `scoring.proto`."""
        as_of, groups = await self._lists.counts(count_query(request))
        return messages.lead_counts(as_of, groups)

    async def PreviewLeadScore(
        self, request: pb.PreviewLeadScoreRequest, context: Context
    ) -> pb.PreviewLeadScoreResponse:
        """See `scoring.proto`."""
        lead_id = identifier("lead_id", request.lead_id)
        return previewed(await self._previews.of(lead_id, hypotheses(request)))

    async def ListScoreHistory(
        self, request: pb.ListScoreHistoryRequest, context: Context
    ) -> pb.ListScoreHistoryResponse:
        """See `scoring.proto`."""
        lead_id = identifier("lead_id", request.lead_id)
        asked = ("ListScoreHistory", lead_id, request.newest_first)
        page = asked_page(request, asked, int, default=100, limit=MAX_PAGE)
        found = await self._queries.history(
            lead_id, after=page.after, limit=page.limit, newest_first=request.newest_first
        )
        entries, token = page.cut(found, lambda entry: (entry.sequence,))
        return pb.ListScoreHistoryResponse(
            entries=[messages.score_entry(lead_id, each) for each in entries], next_page_token=token
        )

    async def ListScoreEntries(
        self, request: pb.ListScoreEntriesRequest, context: Context
    ) -> pb.ListScoreEntriesResponse:
        """See `scoring.proto`."""
        query = entry_query(request)
        kinds = sorted(kind.value for kind in query.kinds)
        asked = ("ListScoreEntries", kinds, str(query.times))
        page = asked_page(request, asked, str, int, default=100, limit=MAX_PAGE)
        found, is_full = await self._export.entries(query, after=page.after, limit=page.limit)
        entries, token = page.cut(found, lambda each: (each.lead_id, each.entry.sequence), is_full=is_full)
        return pb.ListScoreEntriesResponse(entries=await unhurried(exported_entry, entries), next_page_token=token)

    async def JudgeEvents(self, request: pb.JudgeEventsRequest, context: Context) -> pb.JudgeEventsResponse:
        """See `scoring.proto`."""
        lead_ids = identifiers("lead_ids", request.lead_ids, limit=MAX_IDS)
        event_ids = identifiers("event_ids", request.event_ids, limit=MAX_IDS)
        found = await self._queries.verdicts(lead_ids, event_ids)
        return pb.JudgeEventsResponse(
            judged_events=[messages.judged_events(verdicts, ids) for verdicts, ids in found.items()]
        )

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        """See `scoring.proto`."""
        times = time_range(request)
        page = asked_page(request, ("ListEvents", str(times)), str, default=100, limit=MAX_PAGE)
        found, is_full = await self._export.events(times, after=page.after, limit=page.limit)
        events, token = page.cut(found, lambda row: (row["_id"],), is_full=is_full)
        return pb.ListEventsResponse(events=await unhurried(accepted_event, events), next_page_token=token)
