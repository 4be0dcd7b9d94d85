"""Views of models: versions, publications and differences."""

from collections.abc import Iterable

from leadscore.scoring.v1 import scoring_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from cli.model.differences import Difference
from cli.model.files import mode_of, state_of
from cli.terminal import pieces
from cli.terminal.counts import counted
from shared.message_files.yaml_text import write_plain

_STYLES = {pb.MODEL_STATE_IN_FORCE: "bold green", pb.MODEL_STATE_RETIRED: "dim"}


def mismatch_sentence(found: pb.TypeMismatch) -> str:
    """Returns a sentence about a condition that compares values of different types."""
    if found.field.startswith("fit."):
        where = f"an attribute of {counted(found.count, 'lead')}"
    else:
        where = f"a property of {counted(found.count, 'event')}"
    return (
        f"{found.field} (rule {found.rule_id}): {found.property!r} is compared as {found.expected_type}, "
        f"but is {found.found_type} as {where}, for which the condition does not hold"
    )


def models_table(models: Iterable[pb.ScoringModel]) -> RenderableType:
    """Returns a table with one row per version."""
    columns = ("version", "state", "name", "rules", "stages", "stored (UTC)")
    optional, unbroken = ["stored (UTC)", "rules"], {"stored (UTC)"}
    table = pieces.table(*columns, right={"version", "rules"}, optional=optional, unbroken=unbroken)
    for model in models:
        table.add_row(
            str(model.version),
            Text(state_of(model), _STYLES.get(model.state, "")),
            pieces.plain(model.display_name) or "–",
            f"{len(model.rules):,}",
            Text(", ").join(pieces.styled(stage.stage) for stage in model.stages),
            pieces.minute(model.create_time),
        )
    return table


def publications_table(publications: Iterable[pb.ModelPublication]) -> RenderableType:
    """Returns a table with one row per publication."""
    right = {"#", "version", "before", "leads left"}
    columns = ("#", "published (UTC)", "version", "before", "mode", "by", "note", "leads left")
    table = pieces.table(*columns, right=right, optional=["before", "mode"], unbroken={"published (UTC)"})
    for each in publications:
        table.add_row(
            str(each.publication),
            pieces.minute(each.publish_time),
            str(each.version),
            str(each.base_version or "–"),
            mode_of(each),
            pieces.plain(each.actor),
            pieces.plain(each.note),
            Text(f"{each.leads_left:,}", "yellow" if each.leads_left else "dim"),
        )
    return table


def differences_table(differences: Iterable[Difference]) -> RenderableType:
    """Returns a table with one row per difference."""
    table = pieces.table("what", "before", "after")
    for path, before, after in differences:
        table.add_row(pieces.plain(path), _value(before, "red"), _value(after, "green"))
    return table


def _value(value: object, style: str) -> Text:
    if value is None:
        return Text("–", "dim")
    if isinstance(value, dict | list):
        return Text("\n").join(pieces.plain(line, style) for line in write_plain(value).splitlines())
    return pieces.plain(str(value).lower() if isinstance(value, bool) else str(value), style)
