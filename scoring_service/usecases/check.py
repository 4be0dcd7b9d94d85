"""One class per occasion: events are drained, decay comes round, someone asks, someone checks."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from scoring_service.domain.fold import Calendar, fold
from scoring_service.domain.history import (
    HistoryInconsistent,
    Lead,
    LeadNotFound,
    Recorded,
    needs_past,
    record,
    replay,
)
from scoring_service.domain.inspection import Violation, chain_flaw, inspect
from scoring_service.domain.model import ModelNotFound, ResolvedEvent, ScoringModel
from scoring_service.ports import Bell, Commit, LeadOrder, LeadQuery, RecordedEntry, Scores, Views
from shared import logs
from shared.pages import Place

PAGE_LEADS = 500
"""Leads of one decay transaction, and of one page of a verification."""

Clock = Callable[[], datetime]
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A lead, the date through which ticks are to be recorded for it, and the events that are."""

    lead: Lead
    through: date | None
    events: Sequence[ResolvedEvent] = ()


@dataclass(frozen=True, slots=True)
class Drain:
    """Scores the events that wait."""

    scores: Scores
    bell: Bell
    calendar: Calendar
    clock: Clock

    async def step(self, partitions: Sequence[int], most: int) -> int:
        """Scores up to `most` events of some partitions in one transaction and returns their number."""
        started = time.perf_counter()
        events, leads, rung = await self.scores.transact(partial(self._score, partitions, most))
        self.bell.ring(rung)
        if events:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            _LOG.info("drain", partitions=len(partitions), events=events, leads=leads, ms=milliseconds)
        return events

    async def _score(self, partitions: Sequence[int], most: int) -> tuple[int, int, set[int]]:
        batch = await self.scores.waiting(partitions, most)
        if not batch.rows:
            return 0, 0, set()
        through = await self.scores.begin(set(batch.partitions.values()))
        model = await self.scores.model_in_force()
        leads = await self.scores.leads(batch.events)
        due = [
            Due(
                leads.get(lead_id, Lead(lead_id)),
                through[batch.partitions[lead_id]],
                [model.resolve(event) for event in events],
            )
            for lead_id, events in batch.events.items()
        ]
        recorded = await _record(self.scores, model, self.calendar, due)
        rung = await self.scores.append(_commit(recorded, model, self.calendar, self.clock()))
        await self.scores.mark(batch)
        return len(batch.rows), len(recorded), rung


@dataclass(frozen=True, slots=True)
class DecayProgress:
    """Totals so far of a decay run."""

    through: date
    leads_total: int
    leads_checked: int = 0
    leads_changed: int = 0
    entries: int = 0
    points_removed: int = 0
    done: bool = False

    def plus(self, recorded: Sequence[Recorded]) -> "DecayProgress":
        """Returns the totals with some leads more."""
        entries = [entry for each in recorded for entry in each.entries]
        return replace(
            self,
            leads_checked=self.leads_checked + len(recorded),
            leads_changed=self.leads_changed + sum(1 for each in recorded if each.entries),
            entries=self.entries + len(entries),
            points_removed=self.points_removed - sum(entry.delta for entry in entries),
        )


@dataclass(frozen=True, slots=True)
class DecayRun:
    """Applies decay ticks."""

    scores: Scores
    views: Views
    bell: Bell
    calendar: Calendar
    clock: Clock
    partitions: int

    async def run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Applies every tick up to the date of `as_of` that was not applied yet, and yields progress."""
        through = self.calendar.date_of(as_of)
        progress = await self._start(through)
        for partition in range(self.partitions):
            more = True
            while more:
                recorded, rung = await self.scores.transact(partial(self._page, partition, through))
                self.bell.ring(rung)
                more = len(recorded) == PAGE_LEADS
                progress = progress.plus(recorded)
                if recorded:
                    yield progress
        _LOG.info("decay", through=through, leads=progress.leads_changed, points=progress.points_removed)
        yield replace(progress, done=True)

    async def dry_run(self, as_of: datetime) -> AsyncGenerator[DecayProgress, None]:
        """Yields what `run` would, writes nothing."""
        through = self.calendar.date_of(as_of)
        progress = await self._start(through)
        model = await self.views.model_in_force()
        async for lead in self.views.quiet_leads(self._quiet_since(through, model), through):
            progress = progress.plus(await _record(self.views, model, self.calendar, [Due(lead, through)]))
            if progress.leads_checked % PAGE_LEADS == 0:
                yield progress
        yield replace(progress, done=True)

    async def _start(self, through: date) -> DecayProgress:
        quiet_since = self._quiet_since(through, await self.views.model_in_force())
        return DecayProgress(through, await self.views.count_quiet_leads(quiet_since, through))

    async def _page(self, partition: int, through: date) -> tuple[Sequence[Recorded], set[int]]:
        if (await self.scores.begin([partition], through))[partition] != through:
            return (), set()  # a later date was applied before: nothing is left to do for this one
        model = await self.scores.model_in_force()
        quiet_since = self._quiet_since(through, model)
        leads = await self.scores.quiet_leads(partition, quiet_since, through, PAGE_LEADS)
        recorded = await _record(self.scores, model, self.calendar, [Due(lead, through) for lead in leads])
        if not recorded:
            return (), set()
        return recorded, await self.scores.append(_commit(recorded, model, self.calendar, self.clock()))

    def _quiet_since(self, through: date, model: ScoringModel) -> datetime:
        return self.calendar.midnight(through) - model.decay.grace


@dataclass(frozen=True, slots=True)
class LeadScore:
    """A lead's score at a time, with the number of its events in the velocity window that ends then."""

    lead: Lead
    model: ScoringModel
    as_of: datetime
    recent_events: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Answers questions about scores."""

    views: Views
    calendar: Calendar
    clock: Clock

    async def score(self, lead_id: str, as_of: datetime | None) -> LeadScore:
        """Returns the score of a lead, live or as it was at a time.

        Raises:
            LeadNotFound: None of its events was scored (by then).
        """
        for score in await self.scores([lead_id], as_of):
            return score
        raise LeadNotFound(lead_id)

    async def scores(self, lead_ids: Sequence[str], as_of: datetime | None) -> list[LeadScore]:
        """Returns the scores of those of the leads that have one, in the order given."""
        async with self.views.snapshot():
            leads = await self.views.leads(lead_ids)
            if as_of is not None:
                leads = await self._as_they_were(leads, as_of)
            return await self._with_recent([leads[each] for each in lead_ids if each in leads], as_of or self.clock())

    async def page(self, query: LeadQuery, stage: str) -> list[LeadScore]:
        """Returns a page of scores.

        Raises:
            UnknownStage: The model has no such stage.
        """
        if stage:
            model = await self.views.model_in_force()
            low, high = model.scores_of(stage)
            query = replace(query, minimum_score=max(query.minimum_score, low), below_score=high)
        async with self.views.snapshot():
            return await self._with_recent(await self.views.list_leads(query), self.clock())

    async def history(self, lead_id: str, *, after: Place, most: int, newest_first: bool) -> list[RecordedEntry]:
        """Returns a page of a lead's history.

        Raises:
            LeadNotFound: It has none.
        """
        entries = await self.views.entries(lead_id, after=after, most=most, newest_first=newest_first)
        if not entries and not after:
            raise LeadNotFound(lead_id)
        return entries

    async def model(self, version: int) -> ScoringModel:
        """Returns a version of the model, the one in force for 0.

        Raises:
            ModelNotFound: There is no such version.
        """
        model = await self.views.model(version) if version else await self.views.model_in_force()
        if model is None:
            raise ModelNotFound(version)
        return model

    async def backlog(self) -> tuple[int, datetime | None]:
        """Returns how many events wait to be scored, and when the oldest was put."""
        return await self.views.backlog()

    async def _as_they_were(self, leads: dict[str, Lead], as_of: datetime) -> dict[str, Lead]:
        model = await self.views.model_in_force()
        past = await self.views.past([lead_id for lead_id, lead in leads.items() if self._has_moved(lead, as_of)])
        then: dict[str, Lead] = {}
        for lead_id, lead in leads.items():
            if lead_id not in past:
                then[lead_id] = lead
                continue
            events = [event for event in past[lead_id] if event.event_time <= as_of]
            if events:
                through = await self._through(lead_id, as_of)
                then[lead_id] = replace(lead, state=fold(model, self.calendar, events, through))
        return then

    def _has_moved(self, lead: Lead, as_of: datetime) -> bool:
        state = lead.state
        decayed = state.decayed_through
        return (state.last_event_time or as_of) > as_of or (
            decayed is not None and self.calendar.date_of(as_of) < decayed
        )

    async def _through(self, lead_id: str, as_of: datetime) -> date | None:
        decayed = await self.views.decayed_through(lead_id)
        return None if decayed is None else min(decayed, self.calendar.date_of(as_of))

    async def _with_recent(self, leads: Sequence[Lead], as_of: datetime) -> list[LeadScore]:
        model = await self.views.model_in_force()
        window_start = as_of - model.velocity.window
        active = [lead.lead_id for lead in leads if (lead.state.last_event_time or window_start) > window_start]
        recent = await self.views.recent_events(active, window_start, as_of)
        return [LeadScore(lead, model, as_of, recent.get(lead.lead_id, 0)) for lead in leads]


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Totals so far of a verification, and the violations found since the last one."""

    leads_total: int
    leads_checked: int = 0
    entries_checked: int = 0
    events_checked: int = 0
    events_pending: int = 0
    violations: Sequence[Violation] = ()
    violations_total: int = 0
    done: bool = False

    def plus(
        self, violations: Sequence[Violation], *, leads: int = 0, entries: int = 0, events: int = 0
    ) -> "VerifyProgress":
        """Returns the totals with a page more."""
        return replace(
            self,
            leads_checked=self.leads_checked + leads,
            entries_checked=self.entries_checked + entries,
            events_checked=self.events_checked + events,
            violations=violations,
            violations_total=self.violations_total + len(violations),
        )


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Whether a rebuild changed the stored state, and the score that was stored before."""

    changed: bool
    score_before: int


@dataclass(frozen=True, slots=True)
class Check:
    """Checks and rebuilds what is stored."""

    scores: Scores
    views: Views
    calendar: Calendar

    async def verify(self) -> AsyncGenerator[VerifyProgress, None]:
        """Checks every lead, page by page, each page in one snapshot; then that no event and no entry is left over."""
        progress = VerifyProgress(await self.views.count_leads())
        after: Place = ()
        while leads := await self._next(after):
            progress = await self._verify_page(progress, [lead.lead_id for lead in leads])
            yield progress
            after = (leads[-1].lead_id, leads[-1].lead_id)
        events, entries = await self.views.count_scored()
        left = [Violation("I3", "", f"{events} events are stored as scored, {entries} have an entry")]
        progress = progress.plus(left if events != entries else ())
        yield replace(progress, events_pending=(await self.views.backlog())[0], done=True)

    async def rebuild(self, lead_id: str) -> Rebuilt:
        """Stores what a lead's history folds to, should the stored state differ.

        Raises:
            LeadNotFound: It has no history.
            HistoryInconsistent: Its entries contradict each other.
        """
        return await self.scores.transact(partial(self._rebuild, lead_id))

    async def _next(self, after: Place) -> list[Lead]:
        return await self.views.list_leads(LeadQuery(LeadOrder.LEAD_ID, PAGE_LEADS, after=after))

    async def _verify_page(self, progress: VerifyProgress, lead_ids: Sequence[str]) -> VerifyProgress:
        model = await self.views.model_in_force()
        async with self.views.snapshot():
            leads = await self.views.leads(lead_ids)
            histories = await self.views.whole_histories(lead_ids)
            ids = [entry.event_id for entries in histories.values() for entry in entries]
            events = await self.views.scored_events(ids)
        violations = [
            violation
            for lead_id, lead in leads.items()
            for violation in inspect(model, self.calendar, lead, histories.get(lead_id, []), events.get(lead_id, {}))
        ]
        scored = sum(len(each) for each in events.values())
        return progress.plus(violations, leads=len(leads), entries=len(ids), events=scored)

    async def _rebuild(self, lead_id: str) -> Rebuilt:
        model = await self.scores.model_in_force()
        stored = (await self.scores.leads([lead_id])).get(lead_id, Lead(lead_id))
        entries = (await self.views.whole_histories([lead_id])).get(lead_id)
        if not entries:
            raise LeadNotFound(lead_id)
        through = stored.state.decayed_through
        if stored.sequence == 0:
            through = await self.views.decayed_through(lead_id)
        rebuilt = Lead(lead_id, len(entries), replay(model, self.calendar, entries, through))
        flaw = chain_flaw(rebuilt, entries)
        if flaw is not None:
            raise HistoryInconsistent(lead_id, flaw)
        if rebuilt != stored:
            await self.scores.replace(rebuilt, model.version)
        return Rebuilt(rebuilt != stored, stored.state.score)


async def _record(
    past_of: Scores | Views, model: ScoringModel, calendar: Calendar, due: Sequence[Due]
) -> list[Recorded]:
    past = await past_of.past(
        [each.lead.lead_id for each in due if needs_past(calendar, each.lead, each.events, each.through)]
    )
    return [
        record(model, calendar, each.lead, each.events, through=each.through, past=past.get(each.lead.lead_id, ()))
        for each in due
    ]


def _commit(recorded: Sequence[Recorded], model: ScoringModel, calendar: Calendar, now: datetime) -> Commit:
    return Commit(recorded, model.version, now, calendar.date_of(now).isoformat())
