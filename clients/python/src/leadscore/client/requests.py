"""Builds read requests from Python values."""

from collections.abc import Iterable
from datetime import datetime

from leadscore.client.events import timestamp
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

HISTORY_PAGE = 500
WATCH_SECONDS = 3600.0
"""The deadline of a watch stream, in seconds. The client then opens a new stream that continues the watch."""


def lead_request(lead_id: str, as_of: datetime | None) -> intelligence_pb2.GetLeadIntelligenceRequest:
    """Returns the request for one lead, now or at an earlier time."""
    as_of_time = None if as_of is None else timestamp(as_of, field="as_of")
    return intelligence_pb2.GetLeadIntelligenceRequest(lead_id=lead_id, as_of_time=as_of_time)


def history_request(lead_id: str, page_token: str, *, newest_first: bool) -> scoring_pb2.ListScoreHistoryRequest:
    """Returns the request for one page of a history."""
    return scoring_pb2.ListScoreHistoryRequest(
        lead_id=lead_id, page_size=HISTORY_PAGE, page_token=page_token, newest_first=newest_first
    )


def watch_request(
    stages: Iterable[str], minimum_score: int | None, lead_ids: Iterable[str], resume_token: str
) -> intelligence_pb2.WatchLeadsRequest:
    """Returns the request for a stream of changes."""
    return intelligence_pb2.WatchLeadsRequest(
        stages=stages, minimum_score=minimum_score, lead_ids=lead_ids, resume_token=resume_token
    )
