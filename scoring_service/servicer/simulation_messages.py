"""Converts the results of simulations to responses."""

from collections.abc import Mapping, Sequence

from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.calibration import Reliability
from scoring_service.domain.judgement import Judgement
from scoring_service.domain.ranking import ConversionRate, Ranking
from scoring_service.domain.simulation import Difference, Summary
from scoring_service.domain.type_mismatches import Mismatch
from scoring_service.usecases.simulate import SimulationProgress


def simulation_progress(progress: SimulationProgress) -> pb.SimulateScoringModelResponse:
    """Returns the progress of a simulation."""
    return pb.SimulateScoringModelResponse(
        leads_checked=progress.leads_checked,
        leads_total=progress.leads_total,
        differences=[_difference(each) for each in progress.differences],
        summary=_summary(progress.summary) if progress.summary else None,
        done=progress.summary is not None,
    )


def type_mismatches(found: Sequence[tuple[Mismatch, int]]) -> list[pb.TypeMismatch]:
    """Returns mismatches with their counts."""
    return [
        pb.TypeMismatch(
            field=each.field,
            rule_id=each.rule_id,
            property=each.property,
            expected_type=each.expected_type,
            found_type=each.found_type,
            count=count,
        )
        for each, count in found
    ]


def _difference(found: Difference) -> pb.LeadDifference:
    return pb.LeadDifference(
        lead_id=found.lead_id,
        score_before=found.score_before,
        score_after=found.score_after,
        stage_before=found.stage_before,
        stage_after=found.stage_after,
        fit_grade_before=found.fit_grade_before,
        fit_grade_after=found.fit_grade_after,
        last_event_historical=found.last_event_historical,
    )


def _summary(summary: Summary) -> pb.SimulationSummary:
    return pb.SimulationSummary(
        leads_changed=summary.leads_changed,
        points_before=summary.points_before,
        points_after=summary.points_after,
        stages=_migrations(summary.stages),
        fit_grades=_migrations(summary.fit_grades),
        rules=[
            pb.RuleShare(rule_id=each.rule_id, event_count=each.events, points=each.points, share=each.share)
            for each in summary.rules
        ],
        unknown_event_types=[
            pb.UnknownEventType(event_type=event_type, event_count=count)
            for event_type, count in summary.unknown_event_types
        ],
        type_mismatches=type_mismatches(summary.type_mismatches),
        judgements=[_judgement(each) for each in summary.judgements],
        leaks=[
            pb.Leak(rule_id=each.rule_id, event_count=each.events, followed_count=each.followed)
            for each in summary.leaks
        ],
        began_before_count=summary.began_before,
        horizon=summary.horizon,
    )


def _migrations(counts: Mapping[tuple[str, str], int]) -> list[pb.Migration]:
    return [
        pb.Migration(before=before, after=after, lead_count=count) for (before, after), count in sorted(counts.items())
    ]


def _judgement(found: Judgement) -> pb.Judgement:
    comparison = found.comparison
    return pb.Judgement(
        landmark=found.landmark,
        decided_before_count=found.decided_before,
        censored_count=found.censored,
        before=ranking_message(found.before),
        after=ranking_message(found.after),
        comparison=pb.Comparison(auc_difference=comparison.difference, p_value=comparison.p_value)
        if comparison
        else None,
        recorded_later_count=found.recorded_later,
    )


def ranking_message(ranking: Ranking) -> pb.Ranking:
    """Returns how well scores rank leads."""
    return pb.Ranking(
        lead_count=ranking.leads,
        converted_count=ranking.converted,
        auc=ranking.auc.value if ranking.auc else None,
        auc_low=ranking.auc.low if ranking.auc else None,
        auc_high=ranking.auc.high if ranking.auc else None,
        average_precision=ranking.average_precision,
        stages=[_rate(each) for each in ranking.stages],
        deciles=[_rate(each) for each in ranking.deciles],
        reliability=_reliability(ranking.reliability) if ranking.reliability else None,
        ranges=[
            pb.ScoreRange(minimum_score=each.minimum, lead_count=each.leads, converted_count=each.converted)
            for each in ranking.ranges
        ],
    )


def _reliability(found: Reliability) -> pb.Reliability:
    return pb.Reliability(
        brier_score=found.brier_score,
        calibration_error=found.calibration_error,
        bins=[
            pb.ReliabilityBin(
                mean_probability=each.mean_probability,
                lead_count=each.leads,
                converted_count=each.converted,
                rate=each.rate,
            )
            for each in found.bins
        ],
        landmark=found.calibration.landmark,
        horizon=found.calibration.horizon,
    )


def _rate(found: ConversionRate) -> pb.ConversionRate:
    return pb.ConversionRate(
        name=found.name, lead_count=found.leads, converted_count=found.converted, rate=found.rate, lift=found.lift
    )
