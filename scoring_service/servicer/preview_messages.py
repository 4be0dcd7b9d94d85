"""Converts what hypothetical events would do to responses."""

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import messages
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.preview import Effect
from scoring_service.usecases.preview import Previewed


def previewed(found: Previewed) -> pb.PreviewLeadScoreResponse:
    """Returns what hypothetical events would do to a lead."""
    return pb.PreviewLeadScoreResponse(
        lead_score=messages.lead_score(found.score),
        event_effects=[_effect(each, found.score.model) for each in found.events],
        rule_effects=[_effect(each, found.score.model) for each in found.rules],
    )


def _effect(effect: Effect, model: ScoringModel) -> pb.ScoreEffect:
    score, calibration = effect.state.score, model.calibration
    fitness = model.fitness(effect.state.attributes.values, score)
    return pb.ScoreEffect(
        rule_id=effect.rule_id,
        event_types=effect.event_types,
        delta=effect.delta,
        score=score,
        stage=model.stage_of(score),
        conversion_probability=messages.conversion_probability(calibration, score) if calibration else None,
        fit_points=fitness.points,
        fit_grade=fitness.grade,
        rating=fitness.rating,
    )
