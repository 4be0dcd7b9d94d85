"""Leads whose true points are known, and what can be learnt from them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from cli.learning.facts import Facts
from cli.learning.histories import History, Seen
from cli.learning.recency import FOREVER
from cli.learning.sample import Collector
from cli.learning.scorecard import Scorecard, fit
from cli.learning.selection import Constraints
from shared.outcomes import Question

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUESTION = Question(frozenset({"won"}), frozenset({"lost"}), (7 * DAY,), None, None)
TRUE_POINTS = {"signup": 3, "demo_request": 10, "page_view": 1, "unsubscribe": -6, "download": 5}


def made(leads: int, points: Mapping[str, int] = TRUE_POINTS, seed: int = 1) -> list[list[Seen]]:
    """Returns leads, one an hour, that convert by points: each event happens for half of them, on the first day."""
    chance, found = np.random.default_rng(seed), []
    for number in range(leads):
        began = BEGAN + number * timedelta(hours=1)
        names = [name for name in points if chance.random() < 0.5]
        odds = 0.2 * (sum(points[name] for name in names) - 6)
        converts = chance.random() < 1 / (1 + np.exp(-odds))
        events = [Seen("first", began, {}), *(Seen(name, began + 3 * timedelta(hours=1), {}) for name in names)]
        found.append([*events, Seen("won" if converts else "lost", began + 10 * DAY, {})])
    return found


def with_outcomes(
    leads: Sequence[list[Seen]], odds: Sequence[float] | npt.NDArray[np.floating[Any]], days: int = 10, seed: int = 1
) -> list[list[Seen]]:
    """Returns leads that convert by their log-odds, some days after they began."""
    chance = np.random.default_rng(seed)
    return [
        [*events, Seen("won" if chance.random() < 1 / (1 + np.exp(-each)) else "lost", events[0].time + days * DAY, {})]
        for events, each in zip(leads, odds, strict=True)
    ]


def identified(attributes: Sequence[Mapping[str, Any]]) -> list[list[Seen]]:
    """Returns leads, one an hour, with these attributes."""
    times = [BEGAN + number * timedelta(hours=1) for number in range(len(attributes))]
    return [[Seen("identify", time, each)] for time, each in zip(times, attributes, strict=True)]


def collected(leads: Sequence[list[Seen]], question: Question = QUESTION, **options: Any) -> Collector:
    """Returns leads that were collected until the last event of the last one."""
    collector = Collector(question, leads[-1][-1].time, **options)
    for number, events in enumerate(leads):
        collector.add(History(f"lead-{number}", events))
    return collector


def facts_of(leads: Sequence[list[Seen]], **options: Any) -> Facts:
    """Returns the facts about leads."""
    return Facts.of(collected(leads, **options))


def fitted(facts: Facts, max_rules: int = 30, seed: int = 0, constraints: Constraints | None = None) -> Scorecard:
    """Returns a scorecard."""
    return fit(facts, max_rules=max_rules, seed=seed, constraints=constraints or Constraints(recencies=(FOREVER,)))
