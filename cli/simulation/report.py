"""The report on a model: one self-contained HTML file, without scripts or external resources."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import jinja2
from leadscore.scoring.v1 import scoring_pb2 as pb
from markupsafe import Markup

from cli.model.views import mismatch_sentence
from cli.simulation import judgement_plots, judgements, plots
from cli.simulation.run import Simulation, change_of, grade_matrix, stage_matrix
from cli.simulation.views import name_of
from cli.terminal.output import printable
from shared import wire

_FILTERS: dict[str, Any] = {
    "number": judgements.count_of,
    "signed": "{:+,}".format,
    "percent": "{:.1%}".format,
    "printable": printable,
    "change": change_of,
    "landmark": judgements.landmark_of,
    "auc": judgements.auc_of,
    "bare_auc": judgements.bare_auc_of,
    "p_value": judgements.p_value_of,
    "precision": judgements.precision_of,
    "lift": judgements.lift_of,
    "base_rate": judgements.base_rate_of,
    "highest_rate": judgements.highest_rate_of,
    "verdict": judgements.verdict,
}
_PERIODS = {pb.PERIOD_DAY: "a day", pb.PERIOD_30_DAYS: "in 30 days", pb.PERIOD_EVER: "in all"}


class _Rule(NamedTuple):
    """A row of the table of rules."""

    share: pb.RuleShare
    points: str
    limits: str


def to_html(simulation: Simulation, provenance: Sequence[str] = (), now: datetime | None = None) -> str:
    """Returns the report as HTML, with all texts escaped.

    `provenance` says, in sentences, what a fitted model was learnt from; `now` is the date of the report, by default
    the current time.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cli"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= _FILTERS
    summary, name = simulation.summary, name_of(simulation.after, simulation.source)
    return environment.get_template("report.html").render(
        title=f"How well {name} predicts" if provenance else f"What publishing {name} would do",
        before=name_of(simulation.before),
        display_name=simulation.after.display_name,
        made=f"{now or wire.now():%Y-%m-%d %H:%M} UTC",
        simulation=simulation,
        summary=summary,
        stages=stage_matrix(simulation),
        grades=grade_matrix(simulation),
        rules=list(_rules(simulation)),
        unused_rules=_unused(summary),
        judgements=summary.judgements,
        notes=list(judgements.notes(summary)),
        warnings=list(_warnings(summary)),
        provenance=provenance,
        plots={name: Markup(svg) for name, svg in _plots(simulation)},  # noqa: S704 (matplotlib escapes texts)
    )


def _unused(summary: pb.SimulationSummary) -> list[str]:
    return [rule.rule_id for rule in summary.rules if not rule.event_count]


def _warnings(summary: pb.SimulationSummary) -> Iterator[str]:
    yield from judgements.warnings(summary)
    yield from map(mismatch_sentence, summary.type_mismatches)
    if unused := _unused(summary):
        yield f"these rules never matched: {', '.join(unused)}"


def _rules(simulation: Simulation) -> Iterator[_Rule]:
    """Yields the rules by their share, largest first."""
    rules = {rule.rule_id: rule for rule in simulation.after.rules}
    for share in sorted(simulation.summary.rules, key=lambda each: (-each.share, each.rule_id)):
        rule = rules.get(share.rule_id, pb.ScoringRule())
        limits = ", ".join(map(_limit_of, rule.limits))
        yield _Rule(share, f"{rule.points:+,}", f"at most {limits}" if limits else "")


def _limit_of(limit: pb.Limit) -> str:
    what = f"{limit.max_times:,} times" if limit.HasField("max_times") else f"{limit.max_points:,} points"
    return f"{'once' if what == '1 times' else what} {_PERIODS.get(limit.period, '')}"


def _plots(simulation: Simulation) -> Iterator[tuple[str, str]]:
    summary, matrix = simulation.summary, stage_matrix(simulation)
    if matrix.limit:
        yield "migration", plots.migration(matrix)
    if any(simulation.changes):
        yield "changes", plots.changes(simulation.changes)
    for number, each in enumerate(summary.judgements):
        yield f"roc{number}", judgement_plots.roc(f"roc{number}", each.before, each.after)
        yield f"distribution{number}", judgement_plots.distribution(f"distribution{number}", each.after)
        yield f"rates{number}", judgement_plots.rates(f"rates{number}", each.before, each.after)
        yield f"gains{number}", judgement_plots.gains(f"gains{number}", each.before, each.after)
        if each.before.HasField("reliability") or each.after.HasField("reliability"):
            yield f"calibration{number}", judgement_plots.calibration(f"calibration{number}", each.before, each.after)
    if simulation.after.rules:
        yield "points", plots.points(simulation.after.rules)
    if summary.rules:
        yield "shares", plots.shares(summary.rules)
