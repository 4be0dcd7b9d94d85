"""Converts the progress of verifications to responses, and to the tokens with which they continue."""

from typing import cast

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.usecases.verify import START, Position, VerifyProgress
from shared.rpc.errors import InvalidArgument, InvalidPageToken
from shared.rpc.pagination import read_token, write_token


def verify_progress(request: pb.VerifyScoresRequest, progress: VerifyProgress) -> pb.VerifyScoresResponse:
    """Returns the progress of a verification."""
    return pb.VerifyScoresResponse(
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        entries_checked=progress.entries_checked,
        events_checked=progress.events_checked,
        events_pending=progress.events_pending,
        events_parked=progress.events_parked,
        events_discarded=progress.events_discarded,
        violations=[
            pb.Violation(invariant=each.invariant, lead_id=each.lead_id, message=each.message)
            for each in progress.violations
        ],
        violations_total=progress.violations_total,
        done=progress.done,
        resume_token=_token(request, progress),
        events_total=progress.events_total,
    )


def start_of(request: pb.VerifyScoresRequest) -> VerifyProgress:
    """Returns the progress after which a verification continues.

    Raises:
        InvalidArgument: The resume token is damaged, or from a verification with other arguments.
    """
    try:
        cursor = read_token(_query(request), request.resume_token, int, str, int, int, int, int)
    except InvalidPageToken:
        raise InvalidArgument("resume_token", "is not a resume token of such a verification") from None
    if not cursor:
        return START
    phase, after, leads, entries, events, violations = cast("tuple[int, str, int, int, int, int]", cursor)
    return VerifyProgress(
        position=Position(phase, after),
        leads_checked=leads,
        entries_checked=entries,
        events_checked=events,
        violations_total=violations,
    )


def _token(request: pb.VerifyScoresRequest, progress: VerifyProgress) -> str:
    if progress.position is None:
        return ""
    totals = progress.leads_checked, progress.entries_checked, progress.events_checked, progress.violations_total
    return write_token(_query(request), *progress.position, *totals)


def _query(request: pb.VerifyScoresRequest) -> tuple[str, bool]:
    return "VerifyScores", request.counts_only
