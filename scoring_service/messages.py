"""Converts domain objects to the responses of the ScoringService."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.calibration import Calibration
from scoring_service.domain.entry import Entry
from scoring_service.domain.lead_counts import LeadGroup
from scoring_service.domain.lead_query import InactiveLead
from scoring_service.domain.model import ScoringModel, Verdicts
from scoring_service.domain.timeline import Mode, Publication, StoredModel
from scoring_service.usecases.backlog import Backlog, DecayedThrough
from scoring_service.usecases.decay import DecayProgress
from scoring_service.usecases.queries import LeadScore
from scoring_service.usecases.rebuild import RebuildProgress
from shared import wire
from shared.inbox.breaker import StoppedDrain
from shared.inbox.parking import Parked

_MODES = {
    Mode.FORWARD: pb.PUBLICATION_MODE_FORWARD,
    Mode.RESCORE: pb.PUBLICATION_MODE_RESCORE,
    Mode.REFOLD: pb.PUBLICATION_MODE_REFOLD,
}


def lead_score(score: LeadScore) -> pb.LeadScore:
    """Returns a lead's score."""
    state, fitness, calibration = score.lead.state, score.fitness, score.model.calibration
    contributions = sorted(state.contributions.items(), key=lambda each: (-each[1], each[0]))
    return pb.LeadScore(
        lead_id=score.lead.lead_id,
        score=state.score,
        stage=score.model.stage_of(state.score),
        event_count=state.event_count,
        first_event_time=wire.to_timestamp(state.first_event_time) if state.first_event_time else None,
        last_event_time=wire.to_timestamp(state.last_event_time) if state.last_event_time else None,
        recent_event_count=score.recent_events,
        contributions=[
            pb.RuleContribution(rule_id=rule_id, points=points) for rule_id, points in contributions if points
        ],
        attributes=wire.to_struct(state.attributes.values),
        attributes_left_out=state.attributes.left_out,
        last_event_historical=state.last_event_historical,
        sequence=score.lead.sequence,
        model_version=score.model.version,
        as_of_time=wire.to_timestamp(score.as_of),
        fit_points=fitness.points,
        fit_grade=fitness.grade,
        rating=fitness.rating,
        conversion_probability=conversion_probability(calibration, state.score) if calibration else None,
    )


def conversion_probability(calibration: Calibration, score: int) -> pb.ConversionProbability:
    """Returns how likely a lead with this score converts."""
    step = calibration.at(score)
    return pb.ConversionProbability(
        probability=step.probability,
        low=step.low,
        high=step.high,
        lead_count=step.leads,
        landmark=calibration.landmark,
        horizon=calibration.horizon,
    )


def inactive_leads(
    leads: Iterable[InactiveLead], model: ScoringModel, decayed_through: date | None, token: str
) -> pb.ListInactiveLeadsResponse:
    """Returns a page of inactive leads."""
    found = [
        pb.InactiveLead(
            lead_id=lead.lead_id,
            score=lead.score,
            stage=model.stage_of(lead.score),
            last_event_time=wire.to_timestamp(lead.last_event_time),
            sequence=lead.sequence,
        )
        for lead in leads
    ]
    day = decayed_through.isoformat() if decayed_through else ""
    return pb.ListInactiveLeadsResponse(inactive_leads=found, next_page_token=token, decayed_through_date=day)


def lead_counts(as_of: datetime, groups: Mapping[LeadGroup, int]) -> pb.CountLeadsResponse:
    """Returns the numbers of leads in groups."""
    return pb.CountLeadsResponse(
        groups=[
            pb.LeadGroup(minimum_score=minimum_score, recent_event_count=recent_events, idle=is_idle, lead_count=count)
            for (minimum_score, recent_events, is_idle), count in groups.items()
        ],
        as_of_time=wire.to_timestamp(as_of),
    )


def score_entry(lead_id: str, entry: Entry) -> pb.ScoreEntry:
    """Returns a history entry."""
    return pb.ScoreEntry(
        lead_id=lead_id,
        sequence=entry.sequence,
        kind=f"ENTRY_KIND_{entry.kind.value}",
        event_id=entry.event_id,
        event_type=entry.event_type,
        rule_id=entry.rule_id,
        model_version=entry.model_version,
        points=entry.points,
        delta=entry.delta,
        score_before=entry.score_before,
        score_after=entry.score_after,
        stage_before=entry.stage_before,
        stage_after=entry.stage_after,
        event_time=wire.to_timestamp(entry.event_time),
        record_time=wire.to_timestamp(entry.record_time),
        reason=entry.reason,
        actor=entry.actor,
        first_tick_date=entry.first_tick.isoformat() if entry.first_tick else "",
        last_tick_date=entry.last_tick.isoformat() if entry.last_tick else "",
        tick_count=entry.tick_count,
        historical=entry.historical,
    )


def judged_events(verdicts: Verdicts, event_ids: Iterable[str]) -> pb.JudgedEvents:
    """Returns events with the same verdicts."""
    each = [pb.Verdict(model_version=version, rule_id=rule_id) for version, rule_id in verdicts]
    return pb.JudgedEvents(event_ids=event_ids, verdicts=each)


def decay_progress(progress: DecayProgress, *, dry_run: bool) -> pb.DecayScoresResponse:
    """Returns the progress of a decay run."""
    return pb.DecayScoresResponse(
        through_date=progress.through.isoformat(),
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        leads_changed=progress.leads_changed,
        entries_appended=progress.entries,
        points_removed=progress.points_removed,
        done=progress.done,
        dry_run=dry_run,
    )


def reset_progress(progress: DecayProgress) -> pb.ResetDecayResponse:
    """Returns the progress of a decay reset."""
    return pb.ResetDecayResponse(
        to_date=progress.through.isoformat(),
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        leads_changed=progress.leads_changed,
        points_restored=-progress.points_removed,
        done=progress.done,
    )


def parked_event(parked: Parked) -> pb.ParkedEvent:
    """Returns a parked event."""
    return pb.ParkedEvent(
        event_id=parked.row_id,
        lead_id=str(parked.row.get("lead_id") or ""),  # the row may be damaged
        attempts=parked.attempts,
        reason=parked.reason,
        reason_code=f"PARK_REASON_CODE_{parked.reason_code.value}",
        park_time=wire.to_timestamp(parked.park_time),
    )


def backlog(found: Backlog) -> pb.GetScoringBacklogResponse:
    """Returns the scoring backlog."""
    return pb.GetScoringBacklogResponse(
        pending_events=found.pending_events,
        oldest_accept_time=wire.to_timestamp(found.oldest_accept_time) if found.oldest_accept_time else None,
        parked_events=found.parked_events,
        discarded_events=found.discarded_events,
        stopped_drain=_stopped(found.stopped) if found.stopped else None,
        partitions_behind=[
            pb.PartitionBehind(
                partition=partition, oldest_accept_time=wire.to_timestamp(each.oldest), pending_events=each.items
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


def rebuild_progress(progress: RebuildProgress) -> pb.RebuildLeadScoresResponse:
    """Returns the progress of a rebuild of all leads."""
    return pb.RebuildLeadScoresResponse(
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        leads_changed=progress.leads_changed,
        changed_lead_ids=progress.changed,
        done=progress.done,
    )


def scoring_model(stored: StoredModel, in_force: int, published: Iterable[int]) -> pb.ScoringModel:
    """Returns a version of the model with its state."""
    message = model_codec.write_model(stored.model)
    message.create_time.CopyFrom(wire.to_timestamp(stored.create_time))
    retired = pb.MODEL_STATE_RETIRED if stored.model.version in published else pb.MODEL_STATE_DRAFT
    message.state = pb.MODEL_STATE_IN_FORCE if stored.model.version == in_force else retired
    return message


def publication(made: Publication, leads_left: int) -> pb.ModelPublication:
    """Returns a publication."""
    return pb.ModelPublication(
        publication=made.number,
        version=made.version,
        base_version=made.base_version,
        mode=_MODES[made.mode],
        publish_time=wire.to_timestamp(made.publish_time),
        actor=made.actor,
        note=made.note,
        leads_left=leads_left,
        quiet=made.quiet,
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
