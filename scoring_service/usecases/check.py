"""Someone checks what is stored, or rebuilds it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import HistoryInconsistent, LeadNotFound
from scoring_service.domain.inspection import Stored, Violation, inspect, rebuilt
from scoring_service.ports import Scores, Views
from scoring_service.usecases.walk import walk
from shared import logs

MESSAGE_VIOLATIONS = 500
"""Violations of one message: some 4 KB each at most, and a gRPC client takes 4 MiB."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Totals so far of a verification, and the violations found since the last one."""

    leads_total: int
    leads_checked: int = 0
    entries_checked: int = 0
    events_checked: int = 0
    events_pending: int = 0
    events_parked: int = 0
    events_discarded: int = 0
    violations: Sequence[Violation] = ()
    violations_total: int = 0
    done: bool = False

    def plus(self, *, entries: int, events: int) -> "VerifyProgress":
        """Returns the totals with a lead more."""
        return replace(
            self,
            leads_checked=self.leads_checked + 1,
            entries_checked=self.entries_checked + entries,
            events_checked=self.events_checked + events,
        )

    def having(self, violations: Sequence[Violation]) -> "VerifyProgress":
        """Returns the totals with violations that were found since."""
        return replace(self, violations=violations, violations_total=self.violations_total + len(violations))


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
        async for page in walk(self.views, events=True):
            found: list[Violation] = []
            async for stored in page.one_by_one():
                events = page.events.get(stored.lead_id, {})
                found += inspect(page.timeline, self.calendar, stored, events)
                progress = progress.plus(entries=len(stored.entries), events=len(events))
            for start in range(0, max(1, len(found)), MESSAGE_VIOLATIONS):
                progress = progress.having(found[start : start + MESSAGE_VIOLATIONS])
                yield progress
        scored, recorded = await self.views.count_scored()
        left = [Violation("I3", "", f"{scored} events are stored as scored, {recorded} have an entry")]
        progress = progress.having(left if scored != recorded else ())
        backlog = await self.views.backlog()
        yield replace(
            progress,
            events_pending=backlog.pending,
            events_parked=backlog.parked,
            events_discarded=backlog.discarded,
            done=True,
        )

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
            HistoryInconsistent: The entries of a lead contradict each other; all other leads are rebuilt.
        """
        progress = RebuildProgress(await self.views.count_leads())
        inconsistent: HistoryInconsistent | None = None
        async for page in walk(self.views):
            changed: list[str] = []
            async for stored in page.one_by_one():
                try:
                    if rebuilt(page.timeline, self.calendar, stored) != stored.lead:
                        if not check_only:
                            await self.rebuild(stored.lead_id)
                        changed.append(stored.lead_id)
                except HistoryInconsistent as error:
                    _LOG.warning("rebuild left a lead out", lead=stored.lead_id, error=str(error))
                    inconsistent = inconsistent or error
            progress = replace(
                progress,
                leads_checked=progress.leads_checked + len(page.leads),
                leads_changed=progress.leads_changed + len(changed),
                changed=changed,
            )
            yield progress
        if inconsistent is not None:
            raise inconsistent
        yield replace(progress, changed=(), done=True)

    async def _rebuild(self, lead_id: str) -> Rebuilt:
        partition = self.scores.partition_of(lead_id)
        stands = (await self.scores.begin([partition]))[partition]
        entries = await self.views.whole_history(lead_id)
        if not entries:
            raise LeadNotFound(lead_id)
        lead = (await self.scores.leads([lead_id])).get(lead_id)
        timeline = await self.scores.timeline(stands.publication)
        found = rebuilt(timeline, self.calendar, Stored(lead_id, lead, entries, stands.through))
        if found != lead:
            await self.scores.replace(found)
        return Rebuilt(found != lead, lead.state.score if lead else 0)
