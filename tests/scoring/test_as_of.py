"""A score as of a time is the score in a database that contains only what had happened by then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring_service.domain.entry import Entry, EntryKind, facts_of
from scoring_service.domain.errors import LeadNotFound
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Adjustment, Position, Timeline
from scoring_service.usecases import as_of
from scoring_service.usecases.queries import Queries
from tests.examples import examples
from tests.scoring import reference
from tests.scoring.conftest import NOW
from tests.scoring.living import UTC_DAYS
from tests.scoring.strategies import START
from tests.scoring.test_worlds import Live, lasts, lived, many_checkpoints
from tests.scoring.worlds import Act, models, scripts

_ = many_checkpoints


@pytest.fixture(autouse=True, params=[1, 1_000], ids=["from checkpoints", "from the beginning"])
def _start(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leads with fewer facts than this are folded from their first fact."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(as_of, "CHECKPOINT_FACTS", request.param)
        yield


@dataclass
class OneLead:
    """Reads a live lead: the methods of `LeadReader` and `FactReader` that `Queries` calls."""

    live: Live

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Does nothing: the lead does not change."""
        yield

    async def timeline(self) -> Timeline:
        """Returns the current timeline."""
        return self.live.timeline

    async def leads(self, lead_ids: Iterable[str], attributes: None = None) -> dict[str, Lead]:
        """Returns the lead."""
        return dict.fromkeys(lead_ids, self.live.lead)

    async def known_at(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns the lead if it had a fact by a time."""
        facts = [each for each in self.live.entries if each.kind.is_fact and each.event_time <= time]
        return set(lead_ids) if facts else set()

    async def retracted_since(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns the lead if an event of it was retracted after a time."""
        later = [each for each in self.live.entries if _is_retraction(each) and each.record_time > time]
        return set(lead_ids) if later else set()

    async def facts_of(self, lead_ids: Sequence[str], *, as_of: datetime) -> dict[str, list[Event | Adjustment]]:
        """Returns the facts of the lead."""
        return {lead_id: facts_of(self.live.entries, as_of) for lead_id in lead_ids}

    async def facts(
        self, lead_id: str, *, after: Position | None, as_of: datetime
    ) -> AsyncIterator[list[Event | Adjustment]]:
        """Yields the facts of the lead after a position."""
        happened = sorted(facts_of(self.live.entries, as_of), key=lambda each: (each.event_time, each.event_id))
        for each in happened:
            if after is None or (each.event_time, each.event_id) > after:
                yield [each]

    async def checkpoint(self, lead_id: str, before: Position, max_facts: int | None) -> LeadState:
        """Returns the last checkpoint before a position."""
        kept = self.live.stored.checkpoints.values()
        before_it = [state for state in kept if state.last_fact and state.last_fact < before]
        return max(before_it, key=lambda state: state.fact_count, default=EMPTY)

    async def decayed_through(self, lead_ids: Sequence[str]) -> dict[str, date | None]:
        """Returns the decay date."""
        return dict.fromkeys(lead_ids, self.live.through)

    async def recent_events(
        self, lead_ids: Sequence[str], after: datetime, until: datetime, *, retracted_by: datetime | None
    ) -> dict[str, int]:
        """Returns no counts."""
        return {}


def known_by(live: Live, then: datetime) -> reference.World | None:
    """Returns a lead as a database of that time had it; None if it did not have the lead."""
    happened = [each for each in live.entries if each.kind in (EntryKind.EVENT, EntryKind.ADJUSTMENT)]
    happened = [each for each in happened if each.event_time <= then]
    gone = {
        each.event_id.removeprefix("retraction:")
        for each in live.entries
        if each.kind is EntryKind.RETRACTION and each.record_time <= then
    }
    if not happened:
        return None
    return reference.World(
        live.models,
        [each for each in live.publications if each.number == 1 or each.publish_time <= then],
        [
            Event(each.event_id, each.event_type, each.event_time, each.properties)
            for each in happened
            if each.kind is EntryKind.EVENT and each.event_id not in gone
        ],
        [
            Adjustment(each.event_id, each.event_time, each.points, "", "")
            for each in happened
            if each.kind is EntryKind.ADJUSTMENT
        ],
    )


_days = st.integers(-1, 90).map(lambda days: START + timedelta(days=days, hours=6 * (days % 4)))


@given(st.data(), models(), scripts(), lasts, _days)
@examples(500)
def test_as_of_returns_what_a_database_of_that_time_would_return(
    data: st.DataObject, model: ScoringModel, script: list[Act], last: date | None, then: datetime
) -> None:
    live = lived(model, script, last)
    live.stored.entries = [
        each._replace(record_time=data.draw(_days)) if _is_retraction(each) else each for each in live.entries
    ]
    world = known_by(live, then)
    lead_reader: Any = OneLead(live)
    ask = Queries(lead_reader, lead_reader, UTC_DAYS, lambda: NOW)
    try:
        found = asyncio.run(ask.score("lead", then))
    except LeadNotFound:
        assert world is None
        return
    assert world is not None
    through = live.through and min(live.through, then.date())
    assert found.lead.state.score == reference.score_of(world, through)
    assert found.lead.state.event_count == len(list(world.events))
    assert found.model == world.model_at(then)


@given(models(), scripts(), lasts)
def test_as_of_a_time_after_all_events_is_the_current_score(
    model: ScoringModel, script: list[Act], last: date | None
) -> None:
    live = lived(model, script, last)
    lead_reader: Any = OneLead(live)
    ask = Queries(lead_reader, lead_reader, UTC_DAYS, lambda: NOW)
    late = START + timedelta(days=1_000)
    assume(max(each.publish_time for each in live.publications) <= late)
    then, now = asyncio.run(ask.score("lead", late)), asyncio.run(ask.score("lead", None))
    assert (then.lead, then.model) == (now.lead, now.model)


def _is_retraction(entry: Entry) -> bool:
    return entry.kind is EntryKind.RETRACTION
