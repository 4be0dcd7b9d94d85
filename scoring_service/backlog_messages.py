"""Domain → protobuf: what waits to be scored."""

from scoring_service.domain.timeline import Publication
from scoring_service.usecases.backlog import Backlog, DecayedThrough
from shared import wire
from shared.breaker import StoppedDrain
from shared.pb.scoring.v1 import scoring_pb2 as pb


def backlog(found: Backlog) -> pb.GetScoringBacklogResponse:
    """Returns what waits to be scored."""
    return pb.GetScoringBacklogResponse(
        pending_events=found.pending_events,
        oldest_put_time=wire.to_timestamp(found.oldest_put_time) if found.oldest_put_time else None,
        parked_events=found.parked_events,
        discarded_events=found.discarded_events,
        stopped_drain=_stopped(found.stopped) if found.stopped else None,
        partitions_behind=[
            pb.PartitionBehind(
                partition=partition, oldest_put_time=wire.to_timestamp(each.oldest), pending_events=each.rows
            )
            for partition, each in found.behind
        ],
        heaviest_leads=[
            pb.HeavyLead(lead_id=lead_id, pending_events=events) for lead_id, events in found.heaviest_leads
        ],
        isolated_events=[
            pb.IsolatedEvents(attempts=attempts, event_count=events)
            for attempts, events in sorted(found.isolated.items())
        ],
        decayed_through=_decayed_through(found.decayed_through),
        rollout=_rollout(found.rollout) if found.rollout else None,
    )


def _stopped(stopped: StoppedDrain) -> pb.StoppedDrain:
    return pb.StoppedDrain(
        error=stopped.error, failed_events=stopped.failed_rows, stop_time=wire.to_timestamp(stopped.stop_time)
    )


def _decayed_through(found: DecayedThrough) -> pb.DecayedThrough:
    return pb.DecayedThrough(
        earliest_date=found.earliest.isoformat() if found.earliest else "",
        latest_date=found.latest.isoformat() if found.latest else "",
        days_behind=found.days_behind,
    )


def _rollout(publication: Publication) -> pb.ModelRollout:
    return pb.ModelRollout(
        publication=publication.number,
        version=publication.version,
        publish_time=wire.to_timestamp(publication.publish_time),
    )
