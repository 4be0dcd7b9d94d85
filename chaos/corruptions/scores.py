"""Corruptions of histories, leads, decay and publications."""

from datetime import timedelta

from chaos.corruptions.snapshot import Snapshot


def an_entry_is_missing(snapshot: Snapshot) -> str:
    entry = snapshot.entry()
    snapshot.drop("score_history", entry)
    return repr(entry["_id"])


def the_last_entry_is_rolled_back(snapshot: Snapshot) -> str:
    last = max(sequence for lead_id, sequence in snapshot.journal.shown if lead_id == "ada")
    snapshot.drop("score_history", snapshot.entry(last))
    return f"entry {last} of lead 'ada'"


def an_entry_is_duplicated_under_another_id(snapshot: Snapshot) -> str:
    entry = snapshot.of("score_history", kind="EVENT", lead_id="ada")
    snapshot.add("score_history", entry, _id="another")
    return "'another'"


def an_entry_is_duplicated_at_the_end(snapshot: Snapshot) -> str:
    """Everything adds up; only the id and the replay show it."""
    last = snapshot.entry(max(sequence for lead_id, sequence in snapshot.journal.shown if lead_id == "ada"))
    first = snapshot.of("score_history", kind="EVENT", lead_id="ada")
    same = dict.fromkeys(("score_before", "score_after"), last["score_after"])
    same |= dict.fromkeys(("stage_before", "stage_after"), last["stage_after"])
    sequence = last["sequence"] + 1
    snapshot.add("score_history", first, _id="another", sequence=sequence, delta=0, **same)
    lead = snapshot.of("leads", _id="ada")
    lead["sequence"], lead["event_count"] = sequence, lead["event_count"] + 1
    scores = {"scores": [last["score_after"]], "stages": [last["stage_after"]], **same}
    change, row = snapshot.change(lead_id="ada", sequence=last["sequence"])
    another = change | scores | {"sequence": sequence, "event_types": [first["event_type"]]}
    another["transitions"] = [{**scores, "events": [{"event_id": "another", "event_type": first["event_type"]}]}]
    times = {"record_time": first["record_time"], "date_bucket": "2026-03-20"}
    snapshot.add("score_changes", row, _id="another", changes=[another], **times)
    return "'another'"


def a_tick_is_duplicated_under_another_id(snapshot: Snapshot) -> str:
    tick = snapshot.of("score_history", kind="DECAY")
    snapshot.add("score_history", tick, _id=f"{tick['_id']}:again", sequence=10_000)
    return f"'{tick['_id']}:again'"


def two_entries_share_a_sequence(snapshot: Snapshot) -> str:
    snapshot.entry(3)["sequence"] = 2
    return "'ada'"


def a_sequence_is_skipped(snapshot: Snapshot) -> str:
    last = max(sequence for lead_id, sequence in snapshot.journal.shown if lead_id == "ada")
    snapshot.entry(last)["sequence"] = last + 1
    return "'ada'"


def a_delta_is_changed(snapshot: Snapshot) -> str:
    entry = snapshot.entry()
    entry["delta"] += 1
    return repr(entry["_id"])


def points_are_changed(snapshot: Snapshot) -> str:
    entry = snapshot.of("score_history", kind="EVENT", lead_id="ada")
    entry["points"] += 1
    return repr(entry["_id"])


def a_stage_is_changed(snapshot: Snapshot) -> str:
    entry = snapshot.entry()
    entry["stage_after"] = "lukewarm"
    return repr(entry["_id"])


def a_score_is_changed(snapshot: Snapshot) -> str:
    snapshot.of("leads", _id="ada")["score"] += 1
    return "'ada'"


def a_score_and_its_whole_history_are_changed(snapshot: Snapshot) -> str:
    """The history is consistent in itself; only the replay and the executions show it."""
    last = snapshot.entry(max(sequence for lead_id, sequence in snapshot.journal.shown if lead_id == "ada"))
    lead = snapshot.of("leads", _id="ada")
    change, _ = snapshot.change(lead_id="ada", sequence=last["sequence"])
    last["delta"] += 1
    for row, field in ((last, "score_after"), (lead, "score"), (change, "score_after")):
        row[field] += 1
    change["scores"][-1] += 1
    snapshot.journal.shown["ada", last["sequence"]]["score_after"] += 1
    return "'ada'"


def a_count_is_changed(snapshot: Snapshot) -> str:
    snapshot.of("leads", _id="ada")["event_count"] += 1
    return "'ada'"


def a_last_event_time_is_changed(snapshot: Snapshot) -> str:
    snapshot.of("leads", _id="ada")["last_event_time"] += timedelta(milliseconds=1)
    return "'ada'"


def a_lead_is_lost(snapshot: Snapshot) -> str:
    snapshot.drop("leads", snapshot.of("leads", _id="ada"))
    return "'ada'"


def decay_skipped_a_lead(snapshot: Snapshot) -> str:
    for partition in snapshot.collections["scoring_partitions"]:
        partition["through"] = "2026-06-01"
    return "'ada'"


def decay_did_not_reach_the_date_it_reported(snapshot: Snapshot) -> str:
    snapshot.journal.decayed_through = "2026-06-01"
    return "2026-06-01"


def a_publication_is_not_rolled_out(snapshot: Snapshot) -> str:
    snapshot.of("model_publications", _id=2)["rolled_out"] = False
    return "publication 2"


def decay_ran_ahead_of_the_clock(snapshot: Snapshot) -> str:
    """Alters a partition without leads; with leads, other invariants would break, too."""
    taken = {lead["partition"] for lead in snapshot.collections["leads"]}
    partition = next(each for each in snapshot.collections["scoring_partitions"] if each["_id"] not in taken)
    partition["through"] = "2999-01-01"
    return "2999-01-01"
