"""The invariants of a lead's history: I3 to I7, from the rows of one lead."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.payload import canonical
from chaos.replay import Folded, Timeline, steps_of_events, steps_of_history
from chaos.rows import SET_ASIDE, Document, LeadRows
from chaos.violation import Violation


def in_any_snapshot(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    """Yields what must not be seen at any moment (I4, I5, I6)."""
    yield from _own_ids(rows, timeline)
    yield from _chain(rows, timeline)
    yield from _marks(rows)
    yield from _changes(rows)


def when_quiesced(rows: LeadRows, timeline: Timeline, through: str, aside: Collection[str]) -> Iterator[Violation]:
    """Yields what must not be seen when nothing is left to do (I3, I7, I12).

    `through` is the partition's date, `aside` are the events that are expected to be parked or discarded.
    """
    yield from _one_entry_each(rows, aside)
    yield from _verdicts(rows, timeline)
    yield from _replays(rows, timeline, through)


def decayed(partitions: Mapping[int, Document], through: str) -> Iterator[Violation]:
    """Yields partitions that a decay run has not reached, although it said that it has (I12); dates are YYYY-MM-DD."""
    for number, partition in sorted(partitions.items()):
        if partition["through"] < through:
            yield Violation("I12", f"partition {number} is decayed through {partition['through']}, not {through}")


def decayed_ahead(partitions: Mapping[int, Document], today: str) -> Iterator[Violation]:
    """Yields partitions that are decayed through a date that MongoDB's clock has not reached (I12)."""
    for number, partition in sorted(partitions.items()):
        if partition["through"] > today:
            yield Violation("I12", f"partition {number} is decayed through {partition['through']}; today is {today}")


def _own_ids(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    """I4: `_id` is unique whatever the code does, so a second entry can only hide under an id that is not its own."""
    events = {each["_id"] for each in rows.events}
    recorded = {each["_id"] for each in rows.entries if each["kind"] == "EVENT"}
    for entry in rows.entries:
        if not _is_own(entry, rows.lead_id, timeline, events, recorded):
            for twin in rows.entries:
                if twin is not entry and _says(twin) == _says(entry):
                    yield Violation(
                        "I4", f"entries {twin['_id']!r} and {entry['_id']!r} of lead {rows.lead_id!r} record one thing"
                    )
                    break
            else:
                if entry["kind"] != "EVENT":  # an event's is told by I3 and I6
                    yield Violation("I4", f"entry {entry['_id']!r} of lead {rows.lead_id!r} has an id not its own")


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


def _says(entry: Document) -> str:
    return canonical([entry["kind"], entry["event_type"], entry["event_time"], entry.get("properties", {})])


def _chain(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    whose, entries = f"lead {rows.lead_id!r}", rows.entries
    sequences = [each["sequence"] for each in entries]
    wrong = next((at for at, sequence in enumerate(sequences, 1) if at != sequence), None)
    if wrong is not None:
        yield Violation("I5", f"entry number {wrong} of {whose} has sequence {sequences[wrong - 1]}")
    stored = (rows.lead or {}).get("sequence", 0)
    if stored != len(entries):
        yield Violation("I5", f"{whose} counts {stored} entries, there are {len(entries)}")
    total, score = sum(each["delta"] for each in entries), (rows.lead or {}).get("score", 0)
    if total != score:
        yield Violation("I5", f"the deltas of {whose} add up to {total}, its score is {score}")
    if entries and entries[-1]["score_after"] != score:
        yield Violation("I5", f"the last entry of {whose} leaves {entries[-1]['score_after']}, its score is {score}")
    for entry in entries:
        yield from _links_within(entry, whose, timeline)
    if entries and entries[0]["score_before"] != 0:
        yield Violation("I5", f"entry {entries[0]['_id']!r}, the first of {whose}, begins at another score than 0")
    for before, after in pairwise(entries):
        if before["score_after"] != after["score_before"]:
            yield Violation("I5", f"entry {after['_id']!r} of {whose} does not begin where the one before ended")
        # A model published from now on may name a score's stage anew; then the new name begins, without an entry.
        stages = {before["stage_after"]} | (timeline.stages(after["score_before"]) if _many(timeline) else set())
        if after["stage_before"] not in stages:
            yield Violation("I5", f"entry {after['_id']!r} of {whose} begins in another stage than the one before left")


def _links_within(entry: Document, whose: str, timeline: Timeline) -> Iterator[Violation]:
    if entry["score_before"] + entry["delta"] != entry["score_after"]:
        sum_ = f"{entry['score_before']} + {entry['delta']} is not {entry['score_after']}"
        yield Violation("I5", f"entry {entry['_id']!r} of {whose}: {sum_}")
    for side in ("before", "after"):
        if entry[f"stage_{side}"] not in timeline.stages(entry[f"score_{side}"]):
            stage = f"{entry[f'score_{side}']} points and stage {entry[f'stage_{side}']!r}"
            yield Violation("I5", f"entry {entry['_id']!r} of {whose} has {stage} {side}")


def _many(timeline: Timeline) -> bool:
    return len(timeline.publications) > 1


def _marks(rows: LeadRows) -> Iterator[Violation]:
    """I6: an event is scored if and only if its entry exists, and the lead counts it."""
    recorded = {each["_id"] for each in rows.entries if each["kind"] == "EVENT"}
    scored = {each["_id"] for each in rows.events if each["state"] == "scored"}
    for event_id in sorted(scored - recorded):
        yield Violation("I6", f"event {event_id!r} of lead {rows.lead_id!r} is marked scored and has no entry")
    for event_id in sorted(recorded - scored):
        yield Violation("I6", f"entry {event_id!r} of lead {rows.lead_id!r} is of no event that is marked scored")
    if rows.entries and rows.lead is None:
        yield Violation("I6", f"lead {rows.lead_id!r} has {len(rows.entries)} entries and no row")
    retracted = {each["_id"].removeprefix("retraction:") for each in rows.entries if each["kind"] == "RETRACTION"}
    counted, count = len(recorded - retracted), (rows.lead or {}).get("event_count", 0)
    if counted != count:
        yield Violation("I6", f"lead {rows.lead_id!r} counts {count} events, {counted} have an entry")


def _changes(rows: LeadRows) -> Iterator[Violation]:
    """I6: each change tells of exactly the entries of its transaction, and all entries are told of."""
    told = 0
    for change in rows.changes:
        entries = [each for each in rows.entries[told:] if each["sequence"] <= change["sequence"]]
        if not entries or _told(entries) != [change.get(name) for name in _TOLD] or not _is_path(change, entries):
            yield Violation("I6", f"change {change['_id']!r} does not tell what the entries since the one before did")
        if change["_id"] != f"{rows.lead_id}:{change['sequence']}":
            yield Violation("I6", f"change {change['_id']!r} of lead {rows.lead_id!r} has an id not its own")
        told += len(entries)
    for entry in rows.entries[told:]:
        yield Violation("I6", f"no change tells of entry {entry['_id']!r} of lead {rows.lead_id!r}")


_TOLD = (
    *("sequence", "score_before", "score_after", "stage_before", "stage_after"),
    *("event_types", "record_time"),
)


def _told(entries: list[Document]) -> list[Any]:
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
    """Tells whether a change's scores are a way through its entries.

    Late events count as one step with the RECALCULATION that follows them, so points between entries may be left out; a
    DECAY entry may have further ones within it, each lower than the one before.
    """
    points = [entries[0]["score_before"], *(each["score_after"] for each in entries)]
    scores, stages = change["scores"], change["stages"]
    ends = scores[0] == points[0] and scores[-1] == points[-1]
    ends = ends and stages[0] == entries[0]["stage_before"] and stages[-1] == entries[-1]["stage_after"]
    at = 0
    for score in scores:
        while at < len(points) and points[at] != score:
            within = at and entries[at - 1]["kind"] == "DECAY" and points[at - 1] > score > points[at]
            if within:
                break
            at += 1
        if at == len(points):
            return False
    return ends and all(one != other for path in (scores, stages) for one, other in pairwise(path))


def _one_entry_each(rows: LeadRows, aside: Collection[str]) -> Iterator[Violation]:
    entries = {each["_id"]: each for each in rows.entries if each["kind"] == "EVENT"}
    events = {each["_id"]: each for each in rows.events}
    for event_id, event in events.items():
        if event_id not in entries and not (event["state"] in SET_ASIDE and event_id in aside):
            yield Violation("I3", f"event {event_id!r} of lead {rows.lead_id!r} has no entry")
    for event_id, entry in entries.items():
        if event_id not in events:
            yield Violation("I3", f"entry {event_id!r} of lead {rows.lead_id!r} has no event")
        elif _fact(entry) != _fact(events[event_id]):
            yield Violation("I3", f"entry {event_id!r} of lead {rows.lead_id!r} says another thing than its event")


def _fact(row: Document) -> str:
    return canonical([row["event_type"], row["event_time"], row.get("properties", {})])


def _verdicts(rows: LeadRows, timeline: Timeline) -> Iterator[Violation]:
    for entry in rows.entries:
        if entry["kind"] == "EVENT":
            verdict = timeline.verdict(entry["model_version"], entry)
            if verdict != (entry["rule_id"], entry["points"]):
                yield Violation(
                    "I7",
                    f"entry {entry['_id']!r} of lead {rows.lead_id!r} says that {entry['rule_id']!r} gave "
                    f"{entry['points']}, model {entry['model_version']} says {verdict}",
                )


def _replays(rows: LeadRows, timeline: Timeline, through: str) -> Iterator[Violation]:
    lead = rows.lead
    if lead is None:
        return  # told by I6, if it has entries
    live = Folded(lead["score"], lead["event_count"], lead["last_event_time"])
    history, events = steps_of_history(rows.entries), steps_of_events(rows.events, rows.entries)
    for what, steps in (("history", history), ("events", events)):
        folded = timeline.fold(steps, lead["decayed_through"])
        if folded != live:
            yield Violation(
                "I7", f"the {what} of lead {rows.lead_id!r} folds to {_text(folded)}, stored is {_text(live)}"
            )
    if timeline.fold(history, through).score != timeline.fold(history, lead["decayed_through"]).score:
        yield Violation("I12", f"decay through {through} has not reached lead {rows.lead_id!r}")
    if rows.entries and rows.entries[-1]["stage_after"] not in timeline.stages(lead["score"]):
        yield Violation("I7", f"lead {rows.lead_id!r} ends in another stage than its score has")


def _text(folded: Folded) -> str:
    return f"{folded.score} points of {folded.event_count} events, the last at {folded.last_event_time.isoformat()}"
