"""The report of a simulation: one self-contained HTML file, without scripts or external resources."""

from datetime import datetime

import jinja2
from markupsafe import Markup

from cli.model.views import mismatch_sentence
from cli.simulation import judgements, plots
from cli.simulation.run import Simulation, change_of, grade_matrix, stage_matrix
from cli.simulation.views import name_of
from cli.terminal.output import printable
from shared import wire


def to_html(simulation: Simulation, now: datetime | None = None) -> str:
    """Returns the report as HTML, with all texts escaped. It is dated `now`; default: the current time."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cli"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"number": judgements.count_of, "signed": "{:+,}".format, "percent": "{:.1%}".format}
    environment.filters |= {
        "landmark": judgements.landmark_of,
        "p_value": judgements.p_value_of,
        "precision": judgements.precision_of,
        "lift": judgements.lift_of,
        "base_rate": judgements.base_rate_of,
    }
    environment.filters |= {"printable": printable, "auc": judgements.auc_of, "change": change_of}
    summary = simulation.summary
    return environment.get_template("simulation.html").render(
        before=name_of(simulation.before),
        after=name_of(simulation.after, simulation.source),
        display_name=simulation.after.display_name,
        made=f"{now or wire.now():%Y-%m-%d %H:%M} UTC",
        simulation=simulation,
        summary=summary,
        stages=stage_matrix(simulation),
        grades=grade_matrix(simulation),
        rules=sorted(summary.rules, key=lambda rule: (-rule.share, rule.rule_id)),
        unused_rules=[rule.rule_id for rule in summary.rules if not rule.event_count],
        mismatches=[mismatch_sentence(each) for each in summary.type_mismatches],
        judgements=summary.judgements,
        notes=[*judgements.notes(summary), *judgements.warnings(summary)],
        plots={name: Markup(svg) for name, svg in _plots(simulation).items()},  # noqa: S704 (matplotlib escapes texts)
    )


def _plots(simulation: Simulation) -> dict[str, str]:
    summary, matrix = simulation.summary, stage_matrix(simulation)
    drawn = {}
    if matrix.limit:
        drawn["migration"] = plots.migration(matrix)
    if any(simulation.changes):
        drawn["changes"] = plots.changes(simulation.changes)
    for number, each in enumerate(summary.judgements):
        drawn[f"rates{number}"] = plots.rates(f"rates{number}", each.before, each.after)
        drawn[f"gains{number}"] = plots.gains(f"gains{number}", each.before, each.after)
    if summary.rules:
        drawn["shares"] = plots.shares(summary.rules)
    return drawn
