# /// script
# requires-python = ">=3.11"
# dependencies = ["eventsourcing[postgres]==9.5.6", "psycopg[binary]==3.3.9"]
# ///
"""Scores events with the library `eventsourcing`, one aggregate a lead: `scorer.py NAME EVENTS LEADS`.

It finds the server in the environment, as the library does. It prints a line when it is ready, waits for a line on its
input, and prints the seconds of its work at the end. Each event is one transaction: the aggregate is read, its event
is appended, and the uniqueness of aggregate and version keeps others out, as the library recommends.
"""

import random
import sys
import time
from uuid import UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event

NAMESPACE = UUID(int=1)
POINTS = 5
MAX_SCORE = 10_000
KINDS = ("page_view", "download", "signup", "email_click")


class Lead(Aggregate):
    """A lead and its score."""

    def __init__(self, lead_id: str) -> None:
        self.lead_id = lead_id
        self.score = 0

    @staticmethod
    def create_id(lead_id: str) -> UUID:
        """Returns the id of the aggregate."""
        return uuid5(NAMESPACE, lead_id)

    @event("Scored")
    def record(self, event_id: str, event_type: str, event_time: str, properties: dict[str, object]) -> None:
        """Adds the points of an event."""
        self.score = min(MAX_SCORE, self.score + POINTS)


class Leads(Application[UUID]):
    """Stores leads."""

    def score(self, lead_id: str, event_id: str, event_type: str, properties: dict[str, object]) -> None:
        """Scores one event, in one transaction."""
        try:
            lead = self.repository.get(Lead.create_id(lead_id))
        except AggregateNotFoundError:
            lead = Lead(lead_id)
        lead.record(event_id, event_type, "2026-01-01T00:00:00+00:00", properties)
        self.save(lead)


def main(name: str, events: int, leads: int) -> None:
    """Scores the events of one process."""
    chance, application = random.Random(name), Leads()
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for number in range(events):
        properties = {"url": f"https://shop.example/products/{number % 97}", "duration": float(number % 60)}
        lead_id = f"{name}-{chance.randrange(leads)}"
        application.score(lead_id, f"{name}-event-{number}", chance.choice(KINDS), properties)
    print(time.monotonic() - began, flush=True)
    application.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
