"""Measures how much time and memory `leadscore model fit` takes for many leads, without servers.

`python -m benchmarks.learning [--leads N] [--events N]` makes up history entries as the scoring service streams them,
learns from them, and prints what that took. The entries of one lead are in memory at a time.
"""

import argparse
import math
import random
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.histories import histories
from cli.learning.learning import Plan, learn_from
from shared import wire
from shared.outcomes import Question

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
LANDMARK = timedelta(days=7)
WON, LOST = "won", "lost"
TYPES = {f"type_{number}": (number % 7 - 3) / 5 for number in range(20)}
"""The event types, and what each event of them adds to the log-odds of a conversion."""
HOURS, MONTH, YEAR = 36_000, 30 * 86_400, 365 * 86_400
"""Seconds: the longest time between two events, until the outcome, and in which all leads began."""
COUNTRIES = {"DE": 0.5, "US": 0.0, "FR": -0.5}


def entries(leads: int, events: int) -> Iterator[pb.ScoreEntry]:
    """Yields the entries of leads that began at even intervals in a year, with this many events each on average."""
    chance = random.Random(0)
    names, first = list(TYPES), int(BEGAN.timestamp())
    for lead in range(leads):
        country, size = chance.choice(list(COUNTRIES)), chance.randrange(1, 5_000)
        found = chance.choices(names, k=chance.randrange(1, 2 * events - 4))
        odds = sum(map(TYPES.__getitem__, found)) + COUNTRIES[country] + (size > 1_000)
        began = first + lead * YEAR // leads
        times = [began, *accumulate((chance.randrange(HOURS) for _ in found), initial=began), began + MONTH]
        types = ["identify", "begun", *found, WON if chance.random() < 1 / (1 + math.exp(-odds)) else LOST]
        attributes = wire.to_struct({"country": country, "company": {"size": size}, "mail": f"{lead}@example.com"})
        for number, (event_type, when) in enumerate(zip(types, times, strict=True)):
            yield pb.ScoreEntry(
                lead_id=f"lead-{lead}",
                event_id=f"{lead}-{number}",
                kind=pb.ENTRY_KIND_EVENT,
                event_type=event_type,
                event_time=Timestamp(seconds=when),
                properties=None if number else attributes,
            )


def main() -> None:
    """Learns from the leads that the arguments ask for, and prints what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10, help="events of each lead, on average")
    arguments = parser.parse_args()
    question = Question(frozenset({WON}), frozenset({LOST}), (LANDMARK,), None, None)
    plan, began = Plan(question, UTC), time.monotonic()
    collector = plan.collector(BEGAN + timedelta(days=500))
    read = histories(entries(arguments.leads, arguments.events), collector.with_properties())
    result = learn_from(read, collector, plan)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{arguments.leads:,} leads in {time.monotonic() - began:,.0f} s, at most {peak:,.0f} MiB of memory")
    print(*result.provenance, *result.notes, sep="\n")


if __name__ == "__main__":
    main()
