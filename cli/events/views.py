"""Views of an import: what became of the lines of a file, or what they would become."""

import json
from collections.abc import Iterable, Iterator

from leadscore.ingest.v1 import ingest_pb2 as pb
from rich.console import Group, RenderableType
from rich.padding import Padding

from cli.events.batches import Totals
from cli.events.dry_run import Preview, System, unknown_types
from cli.events.executions import max_executions
from cli.events.lines import Line
from cli.terminal import pieces
from cli.terminal.counts import counted
from shared import wire
from shared.message_files.messages import to_plain

_MAX_PROPERTIES = 400
"""Maximum number of characters of an event's properties that are shown."""


def totals_lines(totals: Totals, unit: str) -> Iterator[str]:
    """Yields the counts, and the first warnings, conflicts and rejected lines; `unit` is what their numbers count."""
    rate = totals.lines / max(totals.seconds, 0.001)
    yield (
        f"{totals.accepted:,} accepted, {totals.duplicate:,} duplicate, {totals.conflict:,} in conflict, "
        f"{totals.rejected:,} rejected in {totals.seconds:.1f} s ({rate:,.0f} events/s)"
    )
    if totals.shortened:
        yield f"  {counted(totals.shortened, 'event')} had too many or too long properties, and were shortened"
    if totals.warned:
        yield f"  {counted(totals.warned, 'event was', 'events were')} accepted with a warning"
    yield from (f"  {unit} {line}: warning: {reason}" for line, reason in totals.warnings)
    yield from (f"  {unit} {line}: conflict: {reason}" for line, reason in totals.conflicts)
    yield from (f"  {unit} {line}: {reason}" for line, reason in totals.rejections)


def totals_json(totals: Totals) -> dict[str, object]:
    """Returns the totals as JSON values."""
    return {
        "accepted": totals.accepted,
        "duplicate": totals.duplicate,
        "conflict": totals.conflict,
        "rejected": totals.rejected,
        "shortened": totals.shortened,
        "warned": totals.warned,
        "seconds": round(totals.seconds, 3),
        "events_per_second": round(totals.lines / max(totals.seconds, 0.001)),
        "warnings": [{"line": line, "reason": reason} for line, reason in totals.warnings],
        "conflicts": [{"line": line, "reason": reason} for line, reason in totals.conflicts],
        "rejections": [{"line": line, "reason": reason} for line, reason in totals.rejections],
    }


def preview_view(preview: Preview, system: System, unit: str) -> RenderableType:
    """Returns the first events as they would be stored, the event types, and the reasons for rejected lines.

    `unit` is what the numbers of lines count.
    """
    sections = list[RenderableType]()
    for line in preview.first:
        sections += _event(line, unit)
    sections += [
        pieces.heading(f"{counted(preview.types.total(), 'event')} would be sent"),
        pieces.bars(preview.types.most_common()),
        *map(pieces.plain, _about_system(preview, system)),
        pieces.heading(f"{counted(preview.rejected, unit)} would be rejected"),
    ]
    for reason in sorted(preview.reasons.values(), key=lambda each: -each.count):
        sections.append(pieces.plain(f"{reason.count:,}, first {unit} {reason.line:,}: {reason.text}"))
    return Group(*sections)


def preview_json(preview: Preview, system: System) -> dict[str, object]:
    """Returns a preview as JSON values; what is unknown is null."""
    return {
        "events": preview.types.total(),
        "event_types": dict(preview.types.most_common()),
        "unknown_event_types": None if system.types is None else unknown_types(preview, system.types),
        "max_executions": None if system.rules is None else max_executions(preview.live, system.rules),
        "rejected": preview.rejected,
        "reasons": [
            {"count": reason.count, "first_line": reason.line, "reason": reason.text}
            for reason in preview.reasons.values()
        ],
        "first_events": [{"line": line.number, **to_plain(line.event)} for line in preview.first if line.event],
    }


def _event(line: Line, unit: str) -> Iterator[RenderableType]:
    if line.event is None:
        return
    event = line.event
    time = wire.to_time(event.event_time).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    mark = ", historical" if event.historical else ""
    yield pieces.plain(f"{unit} {line.number:,}: {event.event_type} of {event.lead_id} at {time} UTC{mark}", "bold")
    yield Padding(pieces.plain(f"id {event.event_id}"), (0, 0, 0, 2))
    if event.properties.fields:
        yield Padding(pieces.plain(_properties(event), "dim"), (0, 0, 0, 2))


def _properties(event: pb.Event) -> str:
    properties = dict(sorted(to_plain(event.properties).items()))
    text = json.dumps(properties, ensure_ascii=False)
    return text if len(text) <= _MAX_PROPERTIES else f"{text[:_MAX_PROPERTIES]}…"


def _about_system(preview: Preview, system: System) -> Iterable[str]:
    if system.types is not None:
        unknown = ", ".join(f"{kind} ({count:,})" for kind, count in unknown_types(preview, system.types).items())
        if unknown:
            yield f"worth 0 points, because the model in force has no rule for them: {unknown}"
    if system.rules:
        counts = max_executions(preview.live, system.rules)
        rules = ", ".join(f"{rule_id} {count:,}" for rule_id, count in counts.items() if count)
        yield f"executions that automation rules would make, at most: {rules or 'none'}"
