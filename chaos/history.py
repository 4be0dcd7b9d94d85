"""Checks the history of a lead: I3 to I7 and I12, from the rows of one lead."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.payload import canonical
from chaos.replay import Folded, Timeline, steps_of_events, steps_of_history
from chaos.rows import SET_ASIDE, Document, LeadRows
from chaos.violation import Violation


def in_any_snapshot(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    """Yields violations of what must hold at any moment (I4, I5, I6), also for the pseudonym of an erased lead."""
    yield from _own_ids(rows, timeline)
    yield from _chain(rows, timeline)
    yield from _scored_states(rows)


def when_quiesced(rows: LeadRows, timeline: Timeline, through: str, set_aside: Collection[str]) -> Iterator[Violation]:
    """Yields violations of what must hold when no work is pending (I3, I7, I12).

    `through` is the partition's decay date; `set_aside` are the events that are expected to be parked or discarded.
    """
    yield from _one_entry_each(rows, set_aside)
    yield from _verdicts(rows, timeline)
    yield from _replays(rows, timeline, through)


def decayed(partitions: Mapping[int, Document], through: str) -> Iterator[Violation]:
    """Yields partitions behind the date that a decay run reported as done (I12); dates are YYYY-MM-DD."""
    for number, partition in sorted(partitions.items()):
        if partition["through"] < through:
            yield Violation("I12", f"partition {number} is decayed through {partition['through']}, not {through}")


def decayed_ahead(partitions: Mapping[int, Document], today: str) -> Iterator[Violation]:
    """Yields partitions that are decayed through a date that MongoDB's clock has not reached (I12)."""
    for number, partition in sorted(partitions.items()):
        if partition["through"] > today:
            yield Violation("I12", f"partition {number} is decayed through {partition['through']}; today is {today}")


def _own_ids(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    """I4: `_id` is unique by itself, so a second entry for one cause must have an id that does not match its cause."""
    events = {each["_id"] for each in rows.events}
    recorded = {each["_id"] for each in rows.entries if each["kind"] == "EVENT"}
    for entry in rows.entries:
        if not _is_own(entry, rows.lead_id, timeline, events, recorded):
            for twin in rows.entries:
                if twin is not entry and _content(twin) == _content(entry):
                    yield Violation(
                        "I4", f"entries {twin['_id']!r} and {entry['_id']!r} of lead {rows.lead_id!r} record the same"
                    )
                    break
            else:
                if entry["kind"] != "EVENT":  # I3 and I6 report entries of events
                    yield Violation("I4", f"entry {entry['_id']!r} of lead {rows.lead_id!r} has a wrong id")


def _is_own(
    entry: Document, lead_id: str, timeline: Timeline, events: Collection[str], recorded: Collection[str]
) -> bool:
    entry_id: str = entry["_id"]
    match entry["kind"]:
        case "EVENT":
            return entry_id in events
        case "MODEL":
            times = {each["publish_time"] for each in timeline.publications}
            return entry_id == f"model:{entry['sequence']}:{lead_id}" and entry["event_time"] in times
        case "DECAY" | "RECALCULATION" | "DECAY_RESET":
            return entry_id == f"{entry['kind'].lower()}:{entry['sequence']}:{lead_id}"
        case "RETRACTION":
            return entry_id.removeprefix("retraction:") in recorded
        case kind:
            return bool(kind == "ADJUSTMENT") and entry_id.startswith("adjustment:")


def _content(entry: Document) -> str:
    return canonical([entry["kind"], entry["event_type"], entry["event_time"], entry.get("properties", {})])


def _chain(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    owner, entries = f"lead {rows.lead_id!r}", rows.entries
    sequences = [each["sequence"] for each in entries]
    wrong = next((at for at, sequence in enumerate(sequences, 1) if at != sequence), None)
    if wrong is not None:
        yield Violation("I5", f"entry number {wrong} of {owner} has sequence {sequences[wrong - 1]}")
    stored = (rows.lead or {}).get("sequence", 0)
    if stored != len(entries):
        yield Violation("I5", f"{owner} counts {stored} entries, but has {len(entries)}")
    total, score = sum(each["delta"] for each in entries), (rows.lead or {}).get("score", 0)
    if total != score:
        yield Violation("I5", f"the deltas of {owner} add up to {total}, but its score is {score}")
    if entries and entries[-1]["score_after"] != score:
        yield Violation(
            "I5", f"the last entry of {owner} ends at {entries[-1]['score_after']}, but its score is {score}"
        )
    for entry in entries:
        yield from _links_within(entry, owner, timeline)
    if entries and entries[0]["score_before"] != 0:
        yield Violation("I5", f"entry {entries[0]['_id']!r}, the first of {owner}, does not start at 0")
    for before, after in pairwise(entries):
        if before["score_after"] != after["score_before"]:
            yield Violation("I5", f"entry {after['_id']!r} of {owner} does not start at the previous entry's score")
        # A new model can rename the stage of a score; the next entry then starts in the new stage.
        stages = {before["stage_after"]} | (timeline.stages(after["score_before"]) if _many(timeline) else set())
        if after["stage_before"] not in stages:
            yield Violation("I5", f"entry {after['_id']!r} of {owner} does not start in the previous entry's stage")


def _links_within(entry: Document, owner: str, timeline: Timeline) -> Iterator[Violation]:
    if entry["score_before"] + entry["delta"] != entry["score_after"]:
        sum_ = f"{entry['score_before']} + {entry['delta']} is not {entry['score_after']}"
        yield Violation("I5", f"entry {entry['_id']!r} of {owner}: {sum_}")
    for side in ("before", "after"):
        if entry[f"stage_{side}"] not in timeline.stages(entry[f"score_{side}"]):
            stage = f"{entry[f'score_{side}']} points and stage {entry[f'stage_{side}']!r}"
            yield Violation("I5", f"entry {entry['_id']!r} of {owner} has {stage} {side}")


def _many(timeline: Timeline) -> bool:
    return len(timeline.publications) > 1


def _scored_states(rows: LeadRows) -> Iterator[Violation]:
    """I6: an event is scored if and only if its entry exists, and the lead counts it."""
    recorded = {each["_id"] for each in rows.entries if each["kind"] == "EVENT"}
    scored = {each["_id"] for each in rows.events if each["state"] == "scored"}
    for event_id in sorted(scored - recorded):
        yield Violation("I6", f"event {event_id!r} of lead {rows.lead_id!r} is marked as scored, but has no entry")
    for event_id in sorted(recorded - scored):
        yield Violation(
            "I6", f"entry {event_id!r} of lead {rows.lead_id!r} belongs to no event that is marked as scored"
        )
    if rows.entries and rows.lead is None:
        yield Violation("I6", f"lead {rows.lead_id!r} has {len(rows.entries)} entries, but no row")
    retracted = {each["_id"].removeprefix("retraction:") for each in rows.entries if each["kind"] == "RETRACTION"}
    counted, count = len(recorded - retracted), (rows.lead or {}).get("event_count", 0)
    if counted != count:
        yield Violation("I6", f"lead {rows.lead_id!r} counts {count} events, but {counted} have an entry")


def changes(rows: LeadRows) -> Iterator[Violation]:
    """I6: each change covers exactly the entries of its transaction, and every entry is covered by a change."""
    reported = 0
    for change in rows.changes:
        entries = [each for each in rows.entries[reported:] if each["sequence"] <= change["sequence"]]
        if (
            not entries
            or _summary(entries) != [change.get(name) for name in _SUMMARY_FIELDS]
            or not _is_path(change, entries)
        ):
            yield Violation("I6", f"change {change['_id']!r} does not match the entries since the previous change")
        live = sorted(each["_id"] for each in entries if each["kind"] == "EVENT" and not each.get("historical"))
        if sorted(event["event_id"] for each in change["transitions"] for event in each["events"]) != live:
            yield Violation("I6", f"change {change['_id']!r} does not have exactly the live events of its entries")
        reported += len(entries)
    for entry in rows.entries[reported:]:
        yield Violation("I6", f"no change covers entry {entry['_id']!r} of lead {rows.lead_id!r}")


_SUMMARY_FIELDS = (
    *("sequence", "score_before", "score_after", "stage_before", "stage_after"),
    *("event_types", "record_time"),
)


def _summary(entries: list[Document]) -> list[Any]:
    first, last = entries[0], entries[-1]
    times = {each["record_time"] for each in entries}
    return [
        last["sequence"],
        first["score_before"],
        last["score_after"],
        first["stage_before"],
        last["stage_after"],
        sorted({each["event_type"] for each in entries if each["kind"] == "EVENT"}),
        times.pop() if len(times) == 1 else None,
    ]


def _is_path(change: Document, entries: list[Document]) -> bool:
    """Returns whether the scores of a change form a path through its entries.

    Late events are one step with the RECALCULATION that follows them, so scores between entries can be missing. A DECAY
    entry can have additional scores within it, each closer to the end of the entry than the previous one.
    """
    points = [entries[0]["score_before"], *(each["score_after"] for each in entries)]
    scores, stages = change["scores"], change["stages"]
    ends = scores[0] == points[0] and scores[-1] == points[-1]
    ends = ends and stages[0] == entries[0]["stage_before"] and stages[-1] == entries[-1]["stage_after"]
    at = 0
    for score in scores:
        while at < len(points) and points[at] != score:
            low, high = sorted(points[at - 1 : at + 1]) if at else (score, score)
            if low < score < high and entries[at - 1]["kind"] == "DECAY":
                break
            at += 1
        if at == len(points):
            return False
    return ends and all(one != other for path in (scores, stages) for one, other in pairwise(path))


def _one_entry_each(rows: LeadRows, set_aside: Collection[str]) -> Iterator[Violation]:
    entries = {each["_id"]: each for each in rows.entries if each["kind"] == "EVENT"}
    events = {each["_id"]: each for each in rows.events}
    for event_id, event in events.items():
        if event_id not in entries and not (event["state"] in SET_ASIDE and event_id in set_aside):
            yield Violation("I3", f"event {event_id!r} of lead {rows.lead_id!r} has no entry")
    for event_id, entry in entries.items():
        if event_id not in events:
            yield Violation("I3", f"entry {event_id!r} of lead {rows.lead_id!r} has no event")
        elif _fact(entry) != _fact(events[event_id]):
            yield Violation("I3", f"entry {event_id!r} of lead {rows.lead_id!r} differs from its event")


def _fact(row: Document) -> str:
    return canonical([row["event_type"], row["event_time"], row.get("properties", {})])


def _verdicts(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    for entry in rows.entries:
        if entry["kind"] == "EVENT":
            verdict = timeline.verdict(entry["model_version"], entry)
            if verdict != (entry["rule_id"], entry["points"]):
                yield Violation(
                    "I7",
                    f"entry {entry['_id']!r} of lead {rows.lead_id!r} records {entry['points']} points of rule "
                    f"{entry['rule_id']!r}, but model {entry['model_version']} gives {verdict}",
                )


def _replays(rows: LeadRows, timeline: Timeline, through: str) -> Iterator[Violation]:
    lead = rows.lead
    if lead is None:
        return  # I6 reports it if there are entries
    live = Folded(lead["score"], lead["event_count"], lead["last_event_time"])
    history, events = steps_of_history(rows.entries), steps_of_events(rows.events, rows.entries)
    for what, steps in (("history", history), ("events", events)):
        folded = timeline.fold(steps, lead["decayed_through"])
        if folded != live:
            yield Violation(
                "I7", f"the {what} of lead {rows.lead_id!r} folds to {_text(folded)}, but stored is {_text(live)}"
            )
    if timeline.fold(history, through).score != timeline.fold(history, lead["decayed_through"]).score:
        yield Violation("I12", f"decay through {through} has not reached lead {rows.lead_id!r}")
    if rows.entries and rows.entries[-1]["stage_after"] not in timeline.stages(lead["score"]):
        yield Violation("I7", f"the last entry of lead {rows.lead_id!r} has another stage than its score")


def _text(folded: Folded) -> str:
    return f"{folded.score} points of {folded.event_count} events, the last at {folded.last_event_time.isoformat()}"
