"""Verifies what is stored against the invariants."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import EntryKind, facts_of
from scoring_service.domain.verification import Inspection, Stored, Violation
from scoring_service.store.facts import FactReader
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.scan import Page, scan_leads

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

    def plus(self, *, entries: int, events: int) -> "VerifyProgress":
        """Returns the totals with one more lead."""
        return replace(
            self,
            leads_checked=self.leads_checked + 1,
            entries_checked=self.entries_checked + entries,
            events_checked=self.events_checked + events,
        )

    def with_violations(self, violations: Sequence[Violation]) -> "VerifyProgress":
        """Returns the totals with more violations."""
        return replace(self, violations=violations, violations_total=self.violations_total + len(violations))


@dataclass(frozen=True, slots=True)
class Verification:
    """Checks every stored lead. It cannot write."""

    lead_reader: LeadReader
    fact_reader: FactReader
    calendar: Calendar

    async def run(self) -> AsyncGenerator[VerifyProgress, None]:
        """Checks every lead, one snapshot per page; then compares the numbers of scored events and EVENT entries."""
        progress = VerifyProgress(await self.lead_reader.count_leads())
        async for page in scan_leads(self.lead_reader, check=True):
            found: list[Violation] = []
            async for stored in page.one_by_one():
                violations, entries, events = await self._inspect(page, stored)
                found += violations
                progress = progress.plus(entries=entries, events=events)
            for start in range(0, max(1, len(found)), MESSAGE_VIOLATIONS):
                progress = progress.with_violations(found[start : start + MESSAGE_VIOLATIONS])
                yield progress
        scored, recorded = await self.lead_reader.count_scored()
        sentence = f"the number of events stored as scored is {scored}, but the number in the histories is {recorded}"
        mismatch = [Violation("I3", "", sentence)]
        progress = progress.with_violations(mismatch if scored != recorded else ())
        unscored = await self.lead_reader.count_unscored()
        yield replace(
            progress,
            events_pending=unscored.pending,
            events_parked=unscored.parked,
            events_discarded=unscored.discarded,
            done=True,
        )

    async def _inspect(self, page: Page, stored: Stored) -> tuple[list[Violation], int, int]:
        """Returns the violations of a lead and the numbers of its entries and events."""
        inspection = Inspection(page.timeline, self.calendar, stored, page.checkpoints.get(stored.lead_id, {}))
        if stored.entries is None:
            return await self._inspect_in_pieces(inspection, stored)
        events = page.events.get(stored.lead_id, {})
        found = [*inspection.entries(stored.entries, events)]
        inspection.facts(facts_of(stored.entries))
        found += inspection.end()
        return [Violation(each, stored.lead_id, text) for each, text in found], len(stored.entries), len(events)

    async def _inspect_in_pieces(self, inspection: Inspection, stored: Stored) -> tuple[list[Violation], int, int]:
        """Inspects a lead with a long history, in a snapshot of its own."""
        found: list[tuple[str, str]] = []
        entries = events = 0
        async with self.lead_reader.snapshot():
            async for piece in self.lead_reader.whole_history(stored.lead_id):
                ids = [entry.event_id for entry in piece if entry.kind is EntryKind.EVENT]
                known = (await self.lead_reader.scored_events(ids)).get(stored.lead_id, {})
                found += await asyncio.to_thread(lambda: list(inspection.entries(piece, known)))  # noqa: B023
                entries, events = entries + len(piece), events + len(known)
            async for facts in self.fact_reader.facts(stored.lead_id):
                await asyncio.to_thread(inspection.facts, facts)
            # If the lead has changed since its page was read, its new entries do not contradict the old row.
            lead = (await self.lead_reader.leads([stored.lead_id])).get(stored.lead_id)
        if lead != stored.lead:
            return [], entries, events
        found += inspection.end()
        return [Violation(each, stored.lead_id, text) for each, text in found], entries, events
