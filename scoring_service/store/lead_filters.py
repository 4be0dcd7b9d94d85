"""MongoDB filters for leads that a background job has to visit, and for parts of leads."""

from collections.abc import Collection
from datetime import date, timedelta

from scoring_service.domain.decay import Due
from scoring_service.domain.timeline import Mode, Timeline
from shared.mongo import Document


def inactive(due: Due) -> Document:
    """Returns the filter for leads to which decay ticks may apply.

    They have a score that decays and no recent event, or deferred ticks.
    """
    decays = {"$ne": 0} if due.includes_negative else {"$gt": 0}
    return {
        "decayed_through": {"$lt": due.through.isoformat()},
        "$or": [{"score": decays, "last_event_time": {"$lte": due.inactive_since}}, {"deferred_ticks": True}],
    }


def decayed_beyond(day: date) -> Document:
    """Returns the filter for leads to which ticks after a date were applied."""
    return {"decayed_through": {"$gt": day.isoformat()}}


def stale(timeline: Timeline) -> Document:
    """Returns the filter for leads that the last publication may change and has not reached yet.

    It depends on the publication that a lead follows. If a rescore came later, or if the stages had other thresholds,
    every such lead is stale. Otherwise only the leads with a fact or a tick since the next publication are.
    """
    rescored = max((each.number for each in timeline.publications if each.mode is not Mode.FORWARD), default=1)
    either: list[Document] = [{"publication": {"$lt": rescored}}]
    for number in range(rescored, timeline.number):
        follows: Document = {"publication": number}
        if timeline.model_after(number).stages == timeline.latest.stages:
            begins = timeline.publications[number].begins
            # The earliest date that can begin at that time or later, whatever the time zone.
            day = (begins + timedelta(hours=12) - timedelta(milliseconds=1)).date()
            follows["$or"] = [{"last_fact_time": {"$gte": begins}}, {"decayed_through": {"$gte": day.isoformat()}}]
        either.append(follows)
    return {"$or": either}


def only(attributes: Collection[str]) -> Document:
    """Returns the expression that keeps only the named attributes of a lead.

    A projection by path would not work, because names may contain dots or start with a dollar sign.
    """
    if not attributes:
        return {"$literal": {}}
    is_named = {"$in": ["$$this.k", {"$literal": list(attributes)}]}
    return {"$arrayToObject": {"$filter": {"input": {"$objectToArray": "$attributes"}, "cond": is_named}}}
