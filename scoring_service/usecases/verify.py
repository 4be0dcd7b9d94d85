"""Verifies what is stored against the invariants."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from scoring_service.domain.entry import EntryKind, facts_of
from scoring_service.domain.lead_query import LeadRange
from scoring_service.domain.verification import Inspection, Stored, Violation
from scoring_service.usecases.cores import Cores, Stores
from scoring_service.usecases.scan import Page, ranges, scan_leads
from shared.contracts.events import digest_of

MESSAGE_VIOLATIONS = 500
"""Largest number of violations in one message: each has at most about 4 KB, and a gRPC client accepts 4 MiB."""


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Totals so far of a verification, and the violations found since the previous message."""

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

    def plus(self, found: "_Found") -> "VerifyProgress":
        """Returns the totals with more leads."""
        return replace(
            self,
            leads_checked=self.leads_checked + found.leads,
            entries_checked=self.entries_checked + found.entries,
            events_checked=self.events_checked + found.events,
        )

    def with_violations(self, violations: Sequence[Violation]) -> "VerifyProgress":
        """Returns the totals with more violations."""
        return replace(self, violations=violations, violations_total=self.violations_total + len(violations))


@dataclass(frozen=True, slots=True)
class Verification:
    """Checks every stored lead. It cannot write."""

    cores: Cores

    async def run(self) -> AsyncGenerator[VerifyProgress, None]:
        """Checks every lead, one snapshot per page; then compares the numbers of scored events and EVENT entries."""
        lead_reader = self.cores.stores.lead_reader
        progress = VerifyProgress(await lead_reader.count_leads())
        works = (partial(_verify, each) async for each in ranges(lead_reader))
        async for found in self.cores.for_leads(progress.leads_total).each(works):
            progress = progress.plus(found)
            for start in range(0, max(1, len(found.violations)), MESSAGE_VIOLATIONS):
                progress = progress.with_violations(found.violations[start : start + MESSAGE_VIOLATIONS])
                yield progress
        scored, recorded = await lead_reader.count_scored()
        sentence = f"the number of events stored as scored is {scored}, but the number in the histories is {recorded}"
        mismatch = [Violation("I3", "", sentence)]
        progress = progress.with_violations(mismatch if scored != recorded else ())
        unscored = await lead_reader.count_unscored()
        yield replace(
            progress,
            events_pending=unscored.pending,
            events_parked=unscored.parked,
            events_discarded=unscored.discarded,
            done=True,
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What was checked, and the violations that were found."""

    leads: int = 0
    entries: int = 0
    events: int = 0
    violations: Sequence[Violation] = ()

    def __add__(self, more: "_Found") -> "_Found":
        return _Found(
            self.leads + more.leads,
            self.entries + more.entries,
            self.events + more.events,
            [*self.violations, *more.violations],
        )


async def _verify(leads: LeadRange, stores: Stores) -> _Found:
    """Checks the leads of a range."""
    found = _Found()
    async for page in scan_leads(stores.lead_reader, leads, check=True):
        async for stored in page.one_by_one():
            found += await _inspect(stores, page, stored)
    return found


async def _inspect(stores: Stores, page: Page, stored: Stored) -> _Found:
    inspection = Inspection(page.timeline, stores.calendar, stored, page.checkpoints.get(stored.lead_id, {}), digest_of)
    if stored.entries is None:
        return await _inspect_in_pieces(stores, inspection, stored)
    events = page.events.get(stored.lead_id, {})
    flaws = [*inspection.entries(stored.entries, events)]
    inspection.facts(facts_of(stored.entries))
    flaws += inspection.end()
    return _Found(1, len(stored.entries), len(events), _violations(stored, flaws))


async def _inspect_in_pieces(stores: Stores, inspection: Inspection, stored: Stored) -> _Found:
    """Inspects a lead with a long history, in a snapshot of its own."""
    flaws: list[tuple[str, str]] = []
    entries = events = 0
    async with stores.lead_reader.snapshot():
        async for piece in stores.lead_reader.whole_history(stored.lead_id):
            ids = [entry.event_id for entry in piece if entry.kind is EntryKind.EVENT]
            known = (await stores.lead_reader.scored_events(ids)).get(stored.lead_id, {})
            flaws += await asyncio.to_thread(lambda: list(inspection.entries(piece, known)))  # noqa: B023
            entries, events = entries + len(piece), events + len(known)
        async for facts in stores.fact_reader.facts(stored.lead_id):
            await asyncio.to_thread(inspection.facts, facts)
        # If the lead has changed since its page was read, its new entries do not contradict the old row.
        lead = (await stores.lead_reader.leads([stored.lead_id])).get(stored.lead_id)
    if lead != stored.lead:
        return _Found(1, entries, events)
    flaws += inspection.end()
    return _Found(1, entries, events, _violations(stored, flaws))


def _violations(stored: Stored, flaws: Sequence[tuple[str, str]]) -> list[Violation]:
    return [Violation(invariant, stored.lead_id, text) for invariant, text in flaws]
