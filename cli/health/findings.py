"""What the figures of `CheckModelHealth` mean: a verdict and a sentence of advice for each.

A change counts only if chance alone would rarely make one as large. The limits are in the constants below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sqrt

from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.simulation.judgements import bare_auc_of, base_rate_of
from cli.terminal.counts import counted
from cli.terminal.findings import Level, word


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, its `figures` before the date and since, as text, and what to do.

    If too little is known to tell, the level is OK and `is_known` is false.
    """

    subject: str
    figures: tuple[str, str]
    level: Level
    advice: str
    is_known: bool = True

    @property
    def verdict(self) -> str:
        """The level in a word."""
        return word(self.level) if self.is_known else "unknown"


MIN_LEADS = 100
"""With fewer leads in a period, rates say nothing."""
MIN_EVENTS = 100
RATE_WARNING, RATE_CRITICAL = 0.10, 0.25
"""Change of the conversion rate, relative to the one before."""
RARE, VERY_RARE = 2.576, 3.291
"""Standard deviations that chance exceeds in 1 % and in 0.1 % of cases."""
PSI_WARNING, PSI_CRITICAL = 0.10, 0.25
"""The usual limits of the population stability index."""
ERROR_WARNING, ERROR_CRITICAL = 0.03, 0.05
"""Mean difference between probability and conversion rate."""
UNKNOWN_WARNING, UNKNOWN_CRITICAL = 0.02, 0.10
"""Growth of the share of events that no rule matches."""


def findings(health: pb.ModelHealth, *, judged: bool) -> Iterator[Finding]:
    """Yields what was found; conversion is looked at only if it was asked for (`judged`)."""
    yield _scores(health)
    if judged:
        yield _base_rate(health.before.ranking, health.since.ranking)
        yield _auc(health.before.ranking, health.since.ranking)
        if health.before.ranking.HasField("reliability") or health.since.ranking.HasField("reliability"):
            yield _calibration(health.before.ranking, health.since.ranking)
    yield _unknown_events(health)


def _scores(health: pb.ModelHealth) -> Finding:
    few = min(health.before.lead_count, health.since.lead_count)
    if few < MIN_LEADS or not health.HasField("stability"):
        return _unknown("scores (PSI)", ("", "–"), _too_few(few, "that reached the landmark"))
    index, chance = health.stability.index, health.stability.chance_index
    level = _level(index, PSI_WARNING, PSI_CRITICAL) if index > chance else Level.OK
    advice = {
        Level.OK: "the scores are distributed as before",
        Level.WARNING: "the scores have shifted a little: look at the bins, and check again in a week",
        Level.CRITICAL: "different leads come in, or they behave differently: look at the bins below; if it lasts, fit "
        "the model again, or move the stages",
    }[level]
    return Finding("scores (PSI)", ("", f"{index:.3f}"), level, advice)


def _base_rate(before: pb.Ranking, since: pb.Ranking) -> Finding:
    rates = [each.converted_count / (each.lead_count or 1) for each in (before, since)]
    shown = base_rate_of(before), base_rate_of(since)
    few = min(before.lead_count, since.lead_count)
    if few < MIN_LEADS:
        return _unknown("conversion rate", shown, _too_few(few, "with a known outcome"))
    pooled = (before.converted_count + since.converted_count) / (before.lead_count + since.lead_count)
    error = sqrt(pooled * (1 - pooled) * (1 / before.lead_count + 1 / since.lead_count)) or 1.0
    size, change = abs(rates[1] - rates[0]) / error, abs(rates[1] - rates[0]) / (rates[0] or pooled or 1.0)
    level = Level.OK
    if size > RARE and change > RATE_WARNING:
        level = Level.CRITICAL if size > VERY_RARE and change > RATE_CRITICAL else Level.WARNING
    direction = "more" if rates[1] > rates[0] else "less"
    advice = {
        Level.OK: "leads convert as often as before",
        Level.WARNING: f"leads convert {direction} often than before; probabilities are off by about as much",
        Level.CRITICAL: f"leads convert {direction} often than those that came before: fit the calibration again "
        "before you rely on probabilities, and adjust the limits of the stages",
    }[level]
    return Finding("conversion rate", shown, level, advice)


def _auc(before: pb.Ranking, since: pb.Ranking) -> Finding:
    shown = bare_auc_of(before), bare_auc_of(since)
    if not (before.HasField("auc_low") and since.HasField("auc_low")) or since.lead_count < MIN_LEADS:
        few = min(before.lead_count, since.lead_count)
        return _unknown("ranking (AUC)", shown, _too_few(few, "with a known outcome"))
    level = Level.OK
    if since.auc_high < before.auc:
        level = Level.CRITICAL if since.auc_high < before.auc_low else Level.WARNING
    advice = {
        Level.OK: "the score ranks leads as well as before",
        Level.WARNING: "the score may rank leads worse than before: check again with more leads",
        Level.CRITICAL: "the score ranks leads worse than before: fit the model again, and compare with `simulate`",
    }[level]
    return Finding("ranking (AUC)", shown, level, advice)


def _calibration(before: pb.Ranking, since: pb.Ranking) -> Finding:
    shown = _error_of(before), _error_of(since)
    if since.lead_count < MIN_LEADS:
        return _unknown("calibration error", shown, _too_few(since.lead_count, "with a known outcome"))
    error = since.reliability.calibration_error
    level = (
        _level(error, ERROR_WARNING, ERROR_CRITICAL) if error > 2 * _error_by_chance(since.reliability) else Level.OK
    )
    advice = {
        Level.OK: "the probabilities agree with what happens",
        Level.WARNING: "the probabilities are off a little: check again with more leads",
        Level.CRITICAL: "the probabilities do not agree with what happens: fit the calibration again",
    }[level]
    return Finding("calibration error", shown, level, advice)


def _unknown_events(health: pb.ModelHealth) -> Finding:
    shares = [each.unknown_event_count / (each.event_count or 1) for each in (health.before, health.since)]
    shown = f"{shares[0]:.1%}", f"{shares[1]:.1%}"
    few = min(health.before.event_count, health.since.event_count)
    if few < MIN_EVENTS:
        return _unknown("events without a rule", shown, f"too few events to tell: {few:,}")
    level = _level(shares[1] - shares[0], UNKNOWN_WARNING, UNKNOWN_CRITICAL)
    new = [each for each in health.unknown_event_types if each.since_count and not each.before_count]
    types = ", ".join(f"{each.event_type} ({counted(each.since_count, 'event')})" for each in new[:3])
    if new:
        advice = f"new types that no rule matches: {types}{' and others' if len(new) > 3 else ''}; give them a rule"
        return Finding("events without a rule", shown, max(level, Level.WARNING), advice)
    advice = {
        Level.OK: "no new type of event, and no more events without a rule than before",
        Level.WARNING: "more events than before have no rule: look at their types with `simulate in-force`",
        Level.CRITICAL: "many more events than before have no rule, so the score misses what leads do: add rules, or "
        "fit the model again",
    }[level]
    return Finding("events without a rule", shown, level, advice)


def _unknown(subject: str, figures: tuple[str, str], reason: str) -> Finding:
    return Finding(subject, figures, Level.OK, reason, is_known=False)


def _level(value: float, warning: float, critical: float) -> Level:
    if value > critical:
        return Level.CRITICAL
    return Level.WARNING if value > warning else Level.OK


def _error_of(ranking: pb.Ranking) -> str:
    return f"{ranking.reliability.calibration_error:.3f}" if ranking.HasField("reliability") else "–"


def _error_by_chance(found: pb.Reliability) -> float:
    """Returns the calibration error to expect of perfect probabilities: the mean deviation of each bin's rate."""
    leads = sum(each.lead_count for each in found.bins) or 1
    return (
        sum(
            each.lead_count * sqrt(2 / pi * each.mean_probability * (1 - each.mean_probability) / each.lead_count)
            for each in found.bins
        )
        / leads
    )


def _too_few(leads: int, which: str) -> str:
    return f"too few leads {which} in one of the periods: {leads:,}, but {MIN_LEADS} are needed"
