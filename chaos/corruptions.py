"""Single corruptions of a correct world, each with the invariants that it breaks."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from chaos.journal import Backlog, Bystander, Health, Journal, Request, Seen
from chaos.rows import Document


@dataclass
class World:
    """Collections by name, and what the outside saw of them."""

    collections: dict[str, list[Document]]
    journal: Journal

    def of(self, collection: str, **fields: Any) -> Document:
        """Returns the first row with these fields."""
        return next(
            row for row in self.collections[collection] if all(row.get(name) == value for name, value in fields.items())
        )

    def entry(self, sequence: int = 2) -> Document:
        """Returns an entry of the lead that most corruptions are of."""
        return self.of("score_history", lead_id="ada", sequence=sequence)

    def drop(self, collection: str, row: Document) -> None:
        """Removes a row."""
        self.collections[collection].remove(row)

    def add(self, collection: str, row: Document, **fields: Any) -> None:
        """Adds a copy of a row with other fields."""
        self.collections[collection].append(copy.deepcopy(row) | fields)


Corruption = Callable[[World], str]
"""Corrupts a world in one place, and returns the id that a violation must name."""


def an_acknowledged_event_is_lost(world: World) -> str:
    world.drop("events", world.of("events", _id="e0"))
    world.drop("score_history", world.of("score_history", _id="e0"))
    return "'e0'"


def an_event_was_never_sent(world: World) -> str:
    del world.journal.sent["e0"]
    return "'e0'"


def an_event_has_another_payload(world: World) -> str:
    world.of("events", _id="e4")["source"] = "elsewhere"
    return "'e4'"


def a_true_has_become_a_one(world: World) -> str:
    world.journal.sent["e4"].properties["phone"] = True
    world.of("events", _id="e4")["properties"]["phone"] = 1.0
    world.of("score_history", _id="e4")["properties"]["phone"] = 1.0
    return "'e4'"


def a_refused_payload_changed_the_event(world: World) -> str:
    world.journal.refused.add("e4")
    return an_event_has_another_payload(world)


def a_conflict_was_accepted(world: World) -> str:
    world.journal.wrongly_accepted.append("event 'e4' with another payload was called DUPLICATE")
    return "'e4'"


def an_entry_is_missing(world: World) -> str:
    entry = world.entry()
    world.drop("score_history", entry)
    return repr(entry["_id"])


def the_last_entry_is_taken_back_whole(world: World) -> str:
    last = max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada")
    world.drop("score_history", world.entry(last))
    return f"entry {last} of lead 'ada'"


def an_entry_is_doubled_under_another_id(world: World) -> str:
    entry = world.of("score_history", kind="EVENT", lead_id="ada")
    world.add("score_history", entry, _id="another")
    return "'another'"


def an_entry_is_doubled_at_the_end(world: World) -> str:
    """Everything adds up: only the id and the replay tell."""
    last = world.entry(max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada"))
    first = world.of("score_history", kind="EVENT", lead_id="ada")
    same = dict.fromkeys(("score_before", "score_after"), last["score_after"])
    same |= dict.fromkeys(("stage_before", "stage_after"), last["stage_after"])
    sequence = last["sequence"] + 1
    world.add("score_history", first, _id="another", sequence=sequence, delta=0, **same)
    lead = world.of("leads", _id="ada")
    lead["sequence"], lead["event_count"] = sequence, lead["event_count"] + 1
    scores = {"scores": [last["score_after"]], "stages": [last["stage_after"]], **same}
    change = world.of("score_changes", lead_id="ada", sequence=last["sequence"])
    told = {"sequence": sequence, "event_types": [first["event_type"]], "record_time": first["record_time"]}
    world.add("score_changes", change, _id=f"ada:{sequence}", date_bucket="2026-03-20", **told, **scores)
    return "'another'"


def a_tick_is_doubled_under_another_id(world: World) -> str:
    tick = world.of("score_history", kind="DECAY")
    world.add("score_history", tick, _id=f"{tick['_id']}:again", sequence=10_000)
    return f"'{tick['_id']}:again'"


def two_entries_share_a_sequence(world: World) -> str:
    world.entry(3)["sequence"] = 2
    return "'ada'"


def a_sequence_is_skipped(world: World) -> str:
    last = max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada")
    world.entry(last)["sequence"] = last + 1
    return "'ada'"


def a_delta_is_changed(world: World) -> str:
    entry = world.entry()
    entry["delta"] += 1
    return repr(entry["_id"])


def points_are_changed(world: World) -> str:
    entry = world.of("score_history", kind="EVENT", lead_id="ada")
    entry["points"] += 1
    return repr(entry["_id"])


def a_stage_is_changed(world: World) -> str:
    entry = world.entry()
    entry["stage_after"] = "lukewarm"
    return repr(entry["_id"])


def a_score_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["score"] += 1
    return "'ada'"


def a_score_and_its_whole_history_are_changed(world: World) -> str:
    """The history is consistent in itself; only the replay tells, and what automation was told."""
    last = world.entry(max(sequence for lead_id, sequence in world.journal.shown if lead_id == "ada"))
    lead = world.of("leads", _id="ada")
    change = world.of("score_changes", lead_id="ada", sequence=last["sequence"])
    last["delta"] += 1
    for row, field in ((last, "score_after"), (lead, "score"), (change, "score_after")):
        row[field] += 1
    change["scores"][-1] += 1
    world.journal.shown["ada", last["sequence"]]["score_after"] += 1
    return "'ada'"


def a_count_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["event_count"] += 1
    return "'ada'"


def a_last_event_time_is_changed(world: World) -> str:
    world.of("leads", _id="ada")["last_event_time"] += timedelta(milliseconds=1)
    return "'ada'"


def a_lead_is_lost(world: World) -> str:
    world.drop("leads", world.of("leads", _id="ada"))
    return "'ada'"


def decay_left_a_lead_out(world: World) -> str:
    for partition in world.collections["scoring_partitions"]:
        partition["through"] = "2026-06-01"
    return "'ada'"


def an_unscored_event_is_marked_scored(world: World) -> str:
    world.journal.sent["unscored"] = copy.deepcopy(world.journal.sent["e0"])
    world.add("events", world.of("events", _id="e0"), _id="unscored")
    return "'unscored'"


def a_scored_event_is_marked_pending(world: World) -> str:
    world.of("events", _id="e4")["state"] = "pending"
    return "'e4'"


def a_scored_event_is_marked_parked(world: World) -> str:
    world.of("events", _id="e4")["state"] = "parked"
    return "'e4'"


def a_change_is_not_told(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    world.drop("score_changes", change)
    world.collections["automation_executions"] = [
        each
        for each in world.collections["automation_executions"]
        if (each["lead_id"], each["change_sequence"]) != ("bob", change["sequence"])
    ]
    kept = {
        delivery["delivery_id"]
        for each in world.collections["automation_executions"]
        for delivery in each["deliveries"]
    }
    world.journal.requests = [each for each in world.journal.requests if each.delivery_id in kept]
    return "'bob:"


def a_change_tells_another_way(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["scores"].insert(1, 9_999)
    return repr(change["_id"])


def a_change_waits(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "pending"
    return repr(change["_id"])


def a_change_is_parked(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "parked"
    return repr(change["_id"])


def a_change_has_an_unknown_state(world: World) -> str:
    change = world.of("score_changes", lead_id="bob")
    change["state"] = "half done"
    return repr(change["_id"])


def a_change_has_another_date(world: World) -> str:
    """A change that fired nothing, so that no execution tells of it."""
    taken = {(each["lead_id"], each["change_sequence"]) for each in world.collections["automation_executions"]}
    change = next(
        each
        for each in world.collections["score_changes"]
        if (each["lead_id"], each["sequence"]) not in taken and each["stage_after"] == "cold"
    )
    change["date_bucket"] = "2026-01-01"
    return repr(change["_id"])


def an_execution_is_missing(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.drop("automation_executions", execution)
    return f"'{execution['lead_id']}:{execution['change_sequence']}'"


def an_execution_is_doubled(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.add("automation_executions", execution, _id="another")
    return repr(execution["lead_id"])


def an_execution_has_another_date(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    execution["date_bucket"] = "2026-04-09"
    return repr(execution["_id"])


def an_execution_has_no_change(world: World) -> str:
    execution = world.of("automation_executions", rule_id="entered")
    world.add("automation_executions", execution, _id="another", change_sequence=10_000, date_bucket="2026-04-09")
    return "'another'"


def an_execution_is_of_no_firing(world: World) -> str:
    change = world.of("score_changes", stage_after="cold")
    same = {"lead_id": change["lead_id"], "change_sequence": change["sequence"], "score": change["score_after"]}
    same |= {name: change[name] for name in ("date_bucket", "stage_before", "stage_after")}
    world.add("automation_executions", world.of("automation_executions", rule_id="entered"), _id="another", **same)
    return "'another'"


def an_execution_waits(world: World) -> str:
    execution = world.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "pending"
    return repr(execution["_id"])


def a_delivery_was_never_seen(world: World) -> str:
    return repr(world.journal.requests.pop().delivery_id)


def a_delivery_was_taken_by_nobody(world: World) -> str:
    refused = world.journal.requests[0]
    others = [each for each in world.journal.requests if each.delivery_id != refused.delivery_id]
    world.journal.requests = [*others, replace(refused, answered=500)]
    return repr(refused.delivery_id)


def a_delivery_failed_for_nothing(world: World) -> str:
    execution = world.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "failed"
    return repr(execution["deliveries"][0]["delivery_id"])


def a_delivery_was_cancelled_for_nothing(world: World) -> str:
    execution = world.of("automation_executions", rule_id="while")
    execution["state"] = execution["deliveries"][0]["state"] = "cancelled"
    return repr(execution["deliveries"][0]["delivery_id"])


def a_delivery_that_was_refused_was_cancelled(world: World) -> str:
    named = a_delivery_was_cancelled_for_nothing(world)
    requests = world.journal.requests
    world.journal.requests = [
        replace(each, answered=410) if repr(each.delivery_id) == named else each for each in requests
    ]
    return named


def an_execution_lacks_a_delivery(world: World) -> str:
    execution = world.of("automation_executions", rule_id="while")
    gone = execution["deliveries"].pop()["delivery_id"]
    world.journal.requests = [each for each in world.journal.requests if each.delivery_id != gone]
    return repr(execution["_id"])


def a_request_has_another_body(world: World) -> str:
    request = world.journal.requests[0]
    world.journal.requests.append(replace(request, body=request.body + b" "))
    return repr(request.delivery_id)


def a_request_is_unsigned(world: World) -> str:
    request = world.journal.requests[0]
    world.journal.requests.append(replace(request, is_signed_well=False))
    return repr(request.delivery_id)


def a_request_is_of_no_execution(world: World) -> str:
    world.journal.requests.append(Request("nobody", b"{}", is_signed_well=True, answered=200))
    return "'nobody'"


def what_was_shown_is_gone(world: World) -> str:
    world.journal.shown["ada", 10_000] = {"score_after": 1}
    return "entry 10000 of lead 'ada'"


def what_was_shown_is_another_score(world: World) -> str:
    world.journal.shown["ada", 1]["score_after"] += 1
    return "entry 1 of lead 'ada'"


def what_was_shown_is_another_entry(world: World) -> str:
    """As one that was lost with its primary and made again: all points are the same."""
    world.journal.shown["ada", 1]["record_time"] -= timedelta(milliseconds=1)
    return "entry 1 of lead 'ada'"


def decay_did_not_do_what_it_said(world: World) -> str:
    world.journal.decayed_through = "2026-06-01"
    return "2026-06-01"


def a_call_was_turned_away_for_nothing(world: World) -> str:
    world.journal.calls.append(Seen("IngestEvent", grpc.StatusCode.UNAVAILABLE, 0.1, 1.0, under_fault=False))
    return "UNAVAILABLE"


def a_call_ended_with_internal(world: World) -> str:
    world.journal.calls.append(Seen("IngestEvent", grpc.StatusCode.INTERNAL, 0.1, 1.0, under_fault=True))
    return "INTERNAL"


def a_call_outlasted_its_deadline(world: World) -> str:
    world.journal.calls.append(Seen("GetLeadScore", grpc.StatusCode.DEADLINE_EXCEEDED, 1.6, 1.0, under_fault=True))
    return "GetLeadScore"


def a_publication_is_not_rolled_out(world: World) -> str:
    world.of("model_publications", _id=2)["rolled_out"] = False
    return "publication 2"


def decay_ran_ahead_of_the_clock(world: World) -> str:
    """In a partition without leads: with leads there would be more to see."""
    taken = {lead["partition"] for lead in world.collections["leads"]}
    partition = next(each for each in world.collections["scoring_partitions"] if each["_id"] not in taken)
    partition["through"] = "2999-01-01"
    return "2999-01-01"


def a_bystander_was_late(world: World) -> str:
    world.journal.bystanders.append(Bystander("near", "visible", seconds=2.1, allowed=2.0, during="heavy"))
    return "'near'"


def a_bystander_was_never_seen(world: World) -> str:
    world.journal.bystanders.append(Bystander("near", "delivered", 30.0, 5.0, "heavy", is_lost=True))
    return "'near'"


def health_was_slow(world: World) -> str:
    world.journal.health.append(Health("scoring", seconds=3.1, is_serving=True, during="heavy"))
    return "scoring"


def health_was_bad(world: World) -> str:
    world.journal.health.append(Health("scoring", seconds=0.1, is_serving=False, during="heavy"))
    return "scoring"


LOOK = datetime(2026, 3, 20, 12, tzinfo=UTC)


def _waited(shown_since: datetime | None) -> Backlog:
    return Backlog("event", "e4", LOOK - timedelta(seconds=40), shown_since, LOOK, timedelta(seconds=30))


def what_waited_was_not_shown(world: World) -> str:
    world.journal.backlogs.append(_waited(None))
    return "'e4'"


def what_waited_was_shown_as_younger(world: World) -> str:
    """As a backlog whose age is reset by each attempt."""
    world.journal.backlogs.append(_waited(LOOK - timedelta(seconds=8)))
    return "'e4'"


CORRUPTIONS: list[tuple[Corruption, set[str]]] = [
    (an_acknowledged_event_is_lost, {"I1", "I5", "I6", "I7", "I10"}),
    (an_event_was_never_sent, {"I2"}),
    (an_event_has_another_payload, {"I1"}),
    (a_true_has_become_a_one, {"I1"}),
    (a_refused_payload_changed_the_event, {"I11"}),
    (a_conflict_was_accepted, {"I11"}),
    (an_entry_is_missing, {"I3", "I5", "I6", "I7", "I10"}),
    (the_last_entry_is_taken_back_whole, {"I5", "I6", "I10"}),
    (an_entry_is_doubled_under_another_id, {"I3", "I4", "I5", "I6", "I7", "I10"}),
    (an_entry_is_doubled_at_the_end, {"I3", "I4", "I6", "I7"}),
    (a_tick_is_doubled_under_another_id, {"I4", "I5", "I6"}),
    (two_entries_share_a_sequence, {"I5", "I6", "I10"}),
    (a_sequence_is_skipped, {"I4", "I5", "I6", "I10"}),
    (a_delta_is_changed, {"I5"}),
    (points_are_changed, {"I7"}),
    (a_stage_is_changed, {"I5"}),
    (a_score_is_changed, {"I5", "I7"}),
    (a_score_and_its_whole_history_are_changed, {"I7", "I8"}),
    (a_count_is_changed, {"I6", "I7"}),
    (a_last_event_time_is_changed, {"I7"}),
    (a_lead_is_lost, {"I5", "I6"}),
    (decay_left_a_lead_out, {"I12"}),
    (decay_did_not_do_what_it_said, {"I12"}),
    (decay_ran_ahead_of_the_clock, {"I12"}),
    (an_unscored_event_is_marked_scored, {"I3", "I6", "I7"}),
    (a_scored_event_is_marked_pending, {"I6", "I7", "I13"}),
    (a_scored_event_is_marked_parked, {"I6", "I7", "I13"}),
    (a_change_is_not_told, {"I6"}),
    (a_change_tells_another_way, {"I6"}),
    (a_change_waits, {"I13"}),
    (a_change_is_parked, {"I13"}),
    (a_change_has_an_unknown_state, {"I13"}),
    (a_change_has_another_date, {"I8"}),
    (an_execution_is_missing, {"I8"}),
    (an_execution_is_doubled, {"I8"}),
    (an_execution_has_another_date, {"I8"}),
    (an_execution_has_no_change, {"I8"}),
    (an_execution_is_of_no_firing, {"I8"}),
    (an_execution_waits, {"I13"}),
    (a_delivery_was_never_seen, {"I9"}),
    (a_delivery_was_taken_by_nobody, {"I9"}),
    (a_delivery_failed_for_nothing, {"I9"}),
    (a_delivery_was_cancelled_for_nothing, {"I9"}),
    (a_delivery_that_was_refused_was_cancelled, {"I9"}),
    (an_execution_lacks_a_delivery, {"I9"}),
    (a_request_has_another_body, {"I9"}),
    (a_request_is_unsigned, {"I9"}),
    (a_request_is_of_no_execution, {"I9"}),
    (what_was_shown_is_gone, {"I10"}),
    (what_was_shown_is_another_score, {"I10"}),
    (what_was_shown_is_another_entry, {"I10"}),
    (a_call_ended_with_internal, {"I15"}),
    (a_call_was_turned_away_for_nothing, {"I15"}),
    (a_call_outlasted_its_deadline, {"I15"}),
    (a_publication_is_not_rolled_out, {"I13"}),
    (a_bystander_was_late, {"I16"}),
    (a_bystander_was_never_seen, {"I16"}),
    (health_was_slow, {"I16"}),
    (health_was_bad, {"I16"}),
    (what_waited_was_not_shown, {"I17"}),
    (what_waited_was_shown_as_younger, {"I17"}),
]
