"""In-memory fakes of the ports of the intelligence service."""

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from intelligence_service.clients import _model
from intelligence_service.domain.insight import Contribution, Hypothesis, LeadFacts, LeadNotFound, ScoreEffect
from intelligence_service.domain.model import Model
from intelligence_service.domain.summary import Grouping, LeadGroup
from intelligence_service.domain.watch import LeadChange
from intelligence_service.ports import EVERYTHING, Order, Page, ScorePreview, StreamPosition, Wanted
from scoring_service import model_codec
from scoring_service.domain.model import Event
from shared.rpc.errors import InvalidArgument, InvalidPageToken
from tests.scoring.models import BUILT_IN

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = _model(model_codec.write_model(BUILT_IN))
"""The built-in model, as it comes over the wire."""


def facts(
    lead_id: str = "ada",
    *,
    score: int = 40,
    stage: str | None = None,
    recent: int = 0,
    inactivity: timedelta = timedelta(hours=1),
    points: Mapping[str, int] | None = None,
) -> LeadFacts:
    """Returns the facts of a lead whose last event was `inactivity` before NOW."""
    return LeadFacts(
        lead_id=lead_id,
        as_of_time=NOW,
        score=score,
        stage=stage or BUILT_IN.stage_of(score),
        event_count=7,
        recent_event_count=recent,
        last_event_time=NOW - inactivity,
        contributions=tuple(Contribution(rule_id, each) for rule_id, each in (points or {}).items()),
        attributes={"company": "Analytical Engines", "seats": 3.0},
        model_version=1,
    )


class FakeScores:
    """`ScoreReader` in memory; pages are cut by position."""

    def __init__(self, *leads: LeadFacts) -> None:
        self.leads = {lead.lead_id: lead for lead in leads}
        self.as_of_times: list[datetime | None] = []
        self.wanted: list[Wanted] = []

    async def one(self, lead_id: str, as_of_time: datetime | None) -> LeadFacts:
        """Returns the facts of a lead."""
        self.as_of_times.append(as_of_time)
        if lead_id not in self.leads:
            raise LeadNotFound(lead_id, as_of_time)
        return self.leads[lead_id]

    async def batch(
        self, lead_ids: Sequence[str], as_of_time: datetime | None, wanted: Wanted = EVERYTHING
    ) -> list[LeadFacts]:
        """Returns the facts of the known leads that are wanted."""
        self.as_of_times.append(as_of_time)
        self.wanted.append(wanted)
        return [_only(wanted, self.leads[lead_id]) for lead_id in lead_ids if lead_id in self.leads]

    async def preview(self, lead_id: str, events: Sequence[Hypothesis]) -> ScorePreview:
        """Returns what events would do to a lead; rules with different types have no conditions and no limits."""
        lead = await self.one(lead_id, None)
        effects, score = list[ScoreEffect](), lead.score
        for event in events:
            effect = _effect(score, event.event_type)
            effects, score = [*effects, effect], effect.score
        rules = [_effect(lead.score, rule.event_types[0]) for rule in BUILT_IN.rules]
        return ScorePreview(lead, effects, sorted(rules, key=lambda each: -abs(each.delta)))

    async def page(self, order: Order, stage: str, page_size: int, page_token: str) -> Page:
        """Returns a page of leads."""
        if stage and stage not in {each.stage for each in MODEL.stages}:
            raise InvalidArgument("stage", "is not a stage")
        asked, _, start = (page_token or f"{order.value}/{stage}:0").rpartition(":")
        if asked != f"{order.value}/{stage}":
            raise InvalidPageToken
        leads = sorted((lead for lead in self.leads.values() if stage in ("", lead.stage)), key=_ORDERS[order])
        end = int(start) + page_size
        return Page(leads[int(start) : end], f"{asked}:{end}" if end < len(leads) else "")

    async def groups(self, grouping: Grouping) -> tuple[list[LeadGroup], datetime]:
        """Returns a group for each lead; the velocity window of all leads is that of the model."""
        assert grouping.recent == MODEL.velocity_window
        groups = []
        for lead in self.leads.values():
            index = max(0, bisect_right(grouping.minimum_scores, lead.score) - 1)
            count = min(lead.recent_event_count, grouping.max_recent_event_counts[index])
            is_idle = lead.inactivity is None or lead.inactivity > grouping.idle
            groups.append(LeadGroup(grouping.minimum_scores[index], count, is_idle, 1))
        return groups, max((lead.as_of_time for lead in self.leads.values()), default=NOW)


def _effect(score: int, event_type: str) -> ScoreEffect:
    rule = BUILT_IN.rule_for(Event("", event_type, NOW))
    after = BUILT_IN.bounded(score + (rule.points if rule else 0))
    rule_id = rule.rule_id if rule else ""
    return ScoreEffect(rule_id, (event_type,), after - score, after, BUILT_IN.stage_of(after))


def _only(wanted: Wanted, lead: LeadFacts) -> LeadFacts:
    names = lead.attributes.keys() if wanted.attributes is None else wanted.attributes
    return lead._replace(
        recent_event_count=lead.recent_event_count if wanted.recent_events else 0,
        contributions=lead.contributions if wanted.contributions else (),
        fit=lead.fit if wanted.fit else None,
        attributes={name: value for name, value in lead.attributes.items() if name in names},
    )


_ORDERS = {
    Order.SCORE: lambda lead: (-lead.score, lead.lead_id),
    Order.LAST_EVENT_TIME: lambda lead: (NOW - lead.last_event_time, lead.lead_id),
}


class FakeModels:
    """`Models` in memory."""

    async def in_force(self) -> Model:
        """Returns the built-in model."""
        return MODEL

    async def version(self, version: int) -> Model:
        """Returns the built-in model."""
        assert version == MODEL.version
        return MODEL


class FakeLeadChanges:
    """`LeadChanges` in memory; tokens are positions in a list. `streams` counts the streams that are being read."""

    def __init__(self) -> None:
        self.streams = 0
        self._changes: list[LeadChange] = []
        self._grown = asyncio.Condition()

    async def commit(self, *changes: LeadChange) -> None:
        """Adds changes."""
        async with self._grown:
            self._changes += changes
            self._grown.notify_all()

    async def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields the changes after a token."""
        position = int(token) if token else len(self._changes)
        self.streams += 1
        try:
            while True:
                yield StreamPosition(f"{position:09}")
                await self._wait_beyond(position)
                while position < len(self._changes):
                    position += 1
                    yield StreamPosition(f"{position:09}", self._changes[position - 1])
        finally:
            self.streams -= 1

    async def _wait_beyond(self, position: int) -> None:
        """Waits at most 0.1 s for a change: a database, too, reports its position while nothing changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1), self._grown:
                await self._grown.wait_for(lambda: len(self._changes) > position)
