"""Someone checks what is stored, or rebuilds it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import Entry, HistoryInconsistent, Lead, LeadNotFound, replay
from scoring_service.domain.inspection import Violation, chain_flaw, inspect
from scoring_service.domain.timeline import Timeline
from scoring_service.ports import LeadOrder, LeadQuery, Partition, Scores, Views
from shared.pages import Place

PAGE_LEADS = 500
"""Leads of one snapshot."""


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Totals so far of a verification, and the violations found since the last one."""

    leads_total: int
    leads_checked: int = 0
    entries_checked: int = 0
    events_checked: int = 0
    events_pending: int = 0
    events_parked: int = 0
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
class RebuildProgress:
    """Totals so far of a rebuild of all leads, and the leads that differed since the last one."""

    leads_total: int
    leads_checked: int = 0
    leads_changed: int = 0
    changed: Sequence[str] = ()
    done: bool = False


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
        async for lead_ids in self._pages():
            progress = await self._verify_page(progress, lead_ids)
            yield progress
        events, entries = await self.views.count_scored()
        left = [Violation("I3", "", f"{events} events are stored as scored, {entries} have an entry")]
        progress = progress.plus(left if events != entries else ())
        backlog = await self.views.backlog()
        yield replace(progress, events_pending=backlog.pending, events_parked=backlog.parked, done=True)

    async def rebuild(self, lead_id: str) -> Rebuilt:
        """Stores what a lead's history folds to, should the stored state differ.

        Raises:
            LeadNotFound: It has no history.
            HistoryInconsistent: Its entries contradict each other.
        """
        return await self.scores.transact(partial(self._rebuild, lead_id))

    async def rebuild_all(self, *, check_only: bool) -> AsyncGenerator[RebuildProgress, None]:
        """Folds every lead's history again and yields progress; stores what differs unless told only to check.

        Raises:
            HistoryInconsistent: The entries of a lead contradict each other.
        """
        progress = RebuildProgress(await self.views.count_leads())
        async for lead_ids in self._pages():
            changed = await self._differing(lead_ids)
            if not check_only:
                for lead_id in changed:
                    await self.rebuild(lead_id)
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(lead_ids),
                leads_changed=progress.leads_changed + len(changed),
                changed=changed,
            )
            yield progress
        yield replace(progress, changed=(), done=True)

    async def _pages(self) -> AsyncGenerator[list[str], None]:
        after: Place = ()
        while leads := await self.views.list_leads(LeadQuery(LeadOrder.LEAD_ID, PAGE_LEADS, after=after)):
            yield [lead.lead_id for lead in leads]
            after = (leads[-1].lead_id, leads[-1].lead_id)

    async def _verify_page(self, progress: VerifyProgress, lead_ids: Sequence[str]) -> VerifyProgress:
        async with self.views.snapshot():
            timeline = await self.views.timeline()
            leads = await self.views.leads(lead_ids)
            histories = await self.views.whole_histories(lead_ids)
            ids = [entry.event_id for entries in histories.values() for entry in entries]
            events = await self.views.scored_events(ids)
        violations = [
            violation
            for lead_id, lead in leads.items()
            for violation in inspect(timeline, self.calendar, lead, histories.get(lead_id, []), events.get(lead_id, {}))
        ]
        scored = sum(len(each) for each in events.values())
        return progress.plus(violations, leads=len(leads), entries=len(ids), events=scored)

    async def _differing(self, lead_ids: Sequence[str]) -> list[str]:
        async with self.views.snapshot():
            timeline = await self.views.timeline()
            leads = await self.views.leads(lead_ids)
            histories = await self.views.whole_histories(lead_ids)
        return [
            lead_id
            for lead_id, lead in leads.items()
            if self._folded(timeline, lead, histories.get(lead_id, [])) != lead
        ]

    async def _rebuild(self, lead_id: str) -> Rebuilt:
        partition = self.scores.partition_of(lead_id)
        stands = (await self.scores.begin([partition]))[partition]
        entries = (await self.views.whole_histories([lead_id])).get(lead_id)
        if not entries:
            raise LeadNotFound(lead_id)
        stored = (await self.scores.leads([lead_id])).get(lead_id) or _lost(lead_id, stands)
        rebuilt = self._folded(await self.scores.timeline(stands.publication), stored, entries)
        if rebuilt != stored:
            await self.scores.replace(rebuilt)
        return Rebuilt(rebuilt != stored, stored.state.score)

    def _folded(self, timeline: Timeline, stored: Lead, entries: Sequence[Entry]) -> Lead:
        """Returns the lead as its history says, by the publication that its state follows: the last, or one before."""
        timeline = timeline.upto(stored.publication)
        state = replay(timeline, self.calendar, entries, stored.state.decayed_through)
        rebuilt = Lead(stored.lead_id, len(entries), state, stored.publication)
        flaw = chain_flaw(rebuilt, entries)
        if flaw is not None:
            raise HistoryInconsistent(stored.lead_id, flaw)
        return rebuilt


def _lost(lead_id: str, stands: Partition) -> Lead:
    """Returns what is known of a lead whose row is lost: where its partition stands."""
    lead = Lead(lead_id, publication=stands.publication)
    return replace(lead, state=replace(lead.state, decayed_through=stands.through))
