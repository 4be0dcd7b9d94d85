"""Domain → protobuf: the answers of the ScoringService."""

from scoring_service.domain.model import ScoringModel
from scoring_service.ports import RecordedEntry
from scoring_service.usecases import DecayProgress, LeadScore, VerifyProgress
from shared import wire
from shared.pb.scoring.v1 import scoring_pb2 as pb

_RISKS = {None: pb.RISK_UNSPECIFIED, "low": pb.RISK_LOW, "high": pb.RISK_HIGH}


def lead_score(score: LeadScore) -> pb.LeadScore:
    """Returns a lead's score."""
    state = score.lead.state
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
        attributes=wire.to_struct(state.attributes),
        sequence=score.lead.sequence,
        model_version=score.model.version,
        as_of_time=wire.to_timestamp(score.as_of),
    )


def score_entry(lead_id: str, recorded: RecordedEntry) -> pb.ScoreEntry:
    """Returns a history entry."""
    entry = recorded.entry
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
        record_time=wire.to_timestamp(recorded.record_time),
    )


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


def verify_progress(progress: VerifyProgress) -> pb.VerifyScoresResponse:
    """Returns the progress of a verification."""
    return pb.VerifyScoresResponse(
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        entries_checked=progress.entries_checked,
        events_checked=progress.events_checked,
        events_pending=progress.events_pending,
        violations=[
            pb.Violation(invariant=each.invariant, lead_id=each.lead_id, message=each.message)
            for each in progress.violations
        ],
        violations_total=progress.violations_total,
        done=progress.done,
    )


def scoring_model(model: ScoringModel) -> pb.ScoringModel:
    """Returns a version of the model."""
    return pb.ScoringModel(
        version=model.version,
        rules=[
            pb.ScoringRule(rule_id=each.rule_id, event_type=each.event_type, points=each.points) for each in model.rules
        ],
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        stages=[pb.Stage(stage=each.stage, minimum_score=each.minimum_score) for each in model.stages],
        decay=pb.Decay(grace=model.decay.grace, percent_per_day=model.decay.percent_per_day),
        velocity=pb.Velocity(window=model.velocity.window, weight=model.velocity.weight),
        risk=pb.RiskThreshold(idle=model.idle),
        next_actions=[
            pb.NextAction(
                next_action=each.next_action,
                stages=each.stages,
                minimum_velocity=each.minimum_velocity,
                risk=_RISKS[each.risk],
            )
            for each in model.next_actions
        ],
        churn_stages=model.churn_stages,
    )
