"""Helpers for tests that watch leads: changes, insights, and watches that have begun."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from intelligence_service.domain.watch import (
    Interest,
    LeadChange,
)
from intelligence_service.ports import ScoreReader
from intelligence_service.usecases import Intelligence
from intelligence_service.watchers import Watchers, WatchUpdate
from tests.intelligence.fakes import NOW, FakeModels, FakeScores, facts

ALL = Interest()
LEADS = [facts("ada", score=70), facts("bob", score=35), facts("cyd", score=5)]


def change(lead_id: str, sequence: int = 1, score: int = 40, stage: str = "hot") -> LeadChange:
    return LeadChange(lead_id, sequence, 0, score, "cold", stage, ("page_view",), NOW)


def intelligence(scores: ScoreReader | None = None) -> Intelligence:
    return Intelligence(scores or FakeScores(*LEADS), FakeModels())


async def begin(watchers: Watchers, interest: Interest = ALL, token: str = "") -> AsyncGenerator[WatchUpdate, None]:
    """Returns a watch that has begun."""
    watch = watchers.watch(interest, token)
    [first] = await take(watch, 1)
    assert (first.change, first.insight) == (None, None)
    return watch


async def take(watch: AsyncGenerator[WatchUpdate, None], count: int) -> list[WatchUpdate]:
    async with asyncio.timeout(30):
        return [await anext(watch) for _ in range(count)]


def seen(updates: Sequence[WatchUpdate]) -> list[tuple[str, int]]:
    return [(each.change.lead_id, each.change.sequence) for each in updates if each.change]
