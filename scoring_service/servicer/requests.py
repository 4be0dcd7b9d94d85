"""gRPC → domain: reads the fields of requests. Each function raises InvalidArgument for a malformed field."""

from datetime import date, datetime, timedelta
from itertools import pairwise

from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.entry_query import EntryQuery, TimeRange
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_counts import CountQuery
from scoring_service.domain.lead_query import LeadOrder
from scoring_service.domain.model_validation import MAX_SCORE
from scoring_service.domain.preview import Hypothesis
from scoring_service.domain.timeline import Mode
from scoring_service.usecases.corrections import AdjustmentRequest
from scoring_service.usecases.queries import Wanted
from shared import logs, wire
from shared.access import callers
from shared.outcomes import DEFAULT_LANDMARK, Question
from shared.rpc import arguments
from shared.rpc.arguments import identifier, identifiers, optional_time
from shared.rpc.errors import InvalidArgument
from shared.rpc.read_masks import ReadMask

MAX_IDS = 500
"""Largest number of ids in one request."""
MAX_PAGE = 1_000
"""Largest number of leads or entries on one page."""
MAX_REASON = 1_024
"""Largest number of characters in a reason or a note."""
MAX_RANGES = 200
"""Largest number of score ranges in one request."""
MAX_COUNT = 2**62
"""More events than any lead has."""
MAX_SPAN = timedelta(days=3_650)
"""Longest time for which events can be recent, or after which leads can be idle, are judged or convert."""
MAX_HYPOTHESES = 100
"""Largest number of hypothetical events in one request."""
MAX_LANDMARKS = 10
_ORDERS = {
    pb.LEAD_ORDER_UNSPECIFIED: LeadOrder.SCORE,
    pb.LEAD_ORDER_SCORE: LeadOrder.SCORE,
    pb.LEAD_ORDER_LAST_EVENT_TIME: LeadOrder.LAST_EVENT_TIME,
    pb.LEAD_ORDER_LEAD_ID: LeadOrder.LEAD_ID,
}
_MODES = {pb.PUBLICATION_MODE_FORWARD: Mode.FORWARD, pb.PUBLICATION_MODE_RESCORE: Mode.RESCORE}
_KINDS = {pb.EntryKind.Value(f"ENTRY_KIND_{kind.value}"): kind for kind in EntryKind}
CURSOR_KEYS: dict[LeadOrder, type[str | int | datetime]] = {
    LeadOrder.SCORE: int,
    LeadOrder.LAST_EVENT_TIME: datetime,
    LeadOrder.LEAD_ID: str,
}
"""The types of the order keys in a cursor."""


def wanted_parts(mask: ReadMask) -> Wanted:
    """Returns which costly parts of a score the read mask asks for."""
    return Wanted(
        recent_events=mask.names_any("recent_event_count"),
        fitness=mask.names_any("fit_points", "fit_grade", "rating"),
        attributes=mask.attributes,
    )


def model_version(field: str, version: int, *, least: int = 1) -> int:
    """Checks the number of a model version; `least` is 0 where 0 means the version in force."""
    if version < least:
        raise InvalidArgument(field, f"is {version}, must be at least {least}")
    return version


def publication_mode(mode: pb.PublicationMode) -> Mode:
    """Returns the mode of a publication that a caller may choose."""
    if mode not in _MODES:
        raise InvalidArgument("mode", "is missing or unknown, must be forward or rescore")
    return _MODES[mode]


def conversion_question(request: pb.SimulateScoringModelRequest) -> Question | None:
    """Returns what scores should predict, or None if the request names no conversion."""
    landmarks = [long_span("landmarks", each) for each in request.landmarks] or [DEFAULT_LANDMARK]
    if len(landmarks) > MAX_LANDMARKS:
        raise InvalidArgument("landmarks", f"are {len(landmarks)}, must be at most {MAX_LANDMARKS}")
    horizon = long_span("horizon", request.horizon) if request.HasField("horizon") else None
    if not request.conversion_event_types:
        return None
    conversions, losses = outcome_types(request)
    train_before = optional_time("train_before", request)
    return Question(conversions, losses, tuple(dict.fromkeys(landmarks)), horizon, train_before, request.as_known)


def outcome_types(
    request: pb.SimulateScoringModelRequest | pb.CheckModelHealthRequest,
) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the event types that mean conversion, and those that mean that a lead is lost."""
    conversions, losses = (
        frozenset(identifiers(field, names, limit=100) if (names := getattr(request, field)) else ())
        for field in ("conversion_event_types", "lost_event_types")
    )
    if both := sorted(conversions & losses):
        raise InvalidArgument("lost_event_types", f"{both[0]!r} is a conversion event type, too")
    return conversions, losses


def adjustment(request: pb.AdjustLeadScoreRequest) -> AdjustmentRequest:
    """Returns the requested adjustment."""
    change = request.WhichOneof("change")
    if change is None:
        raise InvalidArgument("delta", "is missing: give delta or target")
    if abs(getattr(request, change)) > MAX_SCORE:
        raise InvalidArgument(
            change, f"is {getattr(request, change)}, must be between -{MAX_SCORE:,} and {MAX_SCORE:,}"
        )
    return AdjustmentRequest(
        request_id=identifier("request_id", request.request_id),
        lead_id=identifier("lead_id", request.lead_id),
        delta=request.delta if change == "delta" else None,
        target=request.target if change == "target" else None,
        reason=identifier("reason", request.reason, limit=MAX_REASON),
        actor=actor(request.actor),
    )


def actor(claimed: str) -> str:
    """Returns the actor to record: the caller's name, or the claimed one if authentication is off."""
    return identifier("actor", callers.actor(claimed))


def calendar_date(field: str, text: str) -> date:
    """Returns a date in the form YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(field, f"{logs.cut(text)!r} is not a date such as 2026-11-27") from None


def as_of_time(
    request: pb.GetLeadScoreRequest | pb.BatchGetLeadScoresRequest | pb.DecayScoresRequest,
) -> datetime | None:
    """Returns the `as_of_time` of a request, or None for now."""
    return arguments.optional_time("as_of_time", request)


def count_query(request: pb.CountLeadsRequest) -> CountQuery:
    """Returns how to group leads."""
    scores = request.minimum_scores
    if not 1 <= len(scores) <= MAX_RANGES:
        raise InvalidArgument("minimum_scores", f"has {len(scores)} scores, must have 1 to {MAX_RANGES}")
    if any(low >= high for low, high in pairwise(scores)):
        raise InvalidArgument("minimum_scores", "must ascend")
    limits = tuple(request.max_recent_event_counts) or (MAX_COUNT,) * len(scores)
    if len(limits) != len(scores) or min(limits) < 0:
        raise InvalidArgument("max_recent_event_counts", "must have one number of at least 0 for each range")
    return CountQuery(tuple(scores), _span("recent", request.recent), _span("idle", request.idle), limits)


def hypotheses(request: pb.PreviewLeadScoreRequest) -> list[Hypothesis]:
    """Returns the hypothetical events of a request."""
    if len(request.events) > MAX_HYPOTHESES:
        raise InvalidArgument("events", f"has {len(request.events)} events, at most {MAX_HYPOTHESES} are allowed")
    return [
        Hypothesis(identifier(f"events[{index}].event_type", each.event_type), wire.to_dict(each.properties))
        for index, each in enumerate(request.events)
    ]


def entry_query(request: pb.ListScoreEntriesRequest) -> EntryQuery:
    """Returns which entries to list."""
    for kind in request.kinds:
        if kind not in _KINDS:
            raise InvalidArgument("kinds", f"has {kind}, must be values of EntryKind")
    return EntryQuery(frozenset(_KINDS[kind] for kind in request.kinds), time_range(request))


def time_range(request: pb.ListScoreEntriesRequest | pb.ListEventsRequest) -> TimeRange:
    """Returns the range of event times to list."""
    return TimeRange(
        arguments.optional_time("from_time", request),
        arguments.optional_time("until_time", request),
    )


def _span(field: str, duration: Duration) -> timedelta:
    span = wire.to_span(duration)
    if not timedelta() <= span <= MAX_SPAN:
        raise InvalidArgument(field, f"is {span}, must be from 0 to {MAX_SPAN.days:,} days")
    return span


def long_span(field: str, duration: Duration) -> timedelta:
    """Returns a span of more than 0."""
    if not (span := _span(field, duration)):
        raise InvalidArgument(field, "is 0, must be more")
    return span


def lead_order(order: pb.LeadOrder) -> LeadOrder:
    """Returns the requested order of a list of leads."""
    if order not in _ORDERS:
        raise InvalidArgument("order", f"is {order}, must be a value of LeadOrder")
    return _ORDERS[order]


def cursor_of(order: LeadOrder, lead: Lead) -> tuple[str | int | datetime, str]:
    """Returns the cursor of a lead in a list: its order key and its id."""
    keys: dict[LeadOrder, str | int | datetime] = {
        LeadOrder.SCORE: lead.state.score,
        LeadOrder.LAST_EVENT_TIME: lead.state.last_event_time or wire.EARLIEST,
        LeadOrder.LEAD_ID: lead.lead_id,
    }
    return keys[order], lead.lead_id
