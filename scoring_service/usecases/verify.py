"""Verifies what is stored against the invariants.

It checks ranges of leads and then ranges of events, each by itself, so a verification that was interrupted continues
after the last range. No read needs a snapshot for long, because MongoDB keeps one for only five minutes.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from scoring_service.domain.entry import EntryKind, facts_of
from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.verification import Inspection, Stored, Violation, wrong_count
from scoring_service.usecases.cores import Cores, Stores, Work
from scoring_service.usecases.scan import Page, event_ranges, lead_ranges, scan_leads
from shared.contracts.events import digest_of

MESSAGE_VIOLATIONS = 500
"""Largest number of violations in one message: each has at most about 4 KB, and a gRPC client accepts 4 MiB."""
LEADS, EVENTS = 0, 1
"""The two phases of a verification."""


class Position(NamedTuple):
    """How far a verification has come: its phase, and the last id that it has checked in it."""

    phase: int
    after: str


BEGINNING = Position(LEADS, "")


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Totals so far of a verification, and the violations found since the previous message.

    A verification can continue from a message with a `position`. There is none in the summary, nor while more
    violations of the same range follow.
    """

    leads_total: int = 0
    events_total: int = 0
    leads_checked: int = 0
    entries_checked: int = 0
    events_checked: int = 0
    events_pending: int = 0
    events_parked: int = 0
    events_discarded: int = 0
    violations: Sequence[Violation] = ()
    violations_total: int = 0
    position: Position | None = None
    done: bool = False

    def plus(self, found: "_Found") -> "VerifyProgress":
        """Returns the totals with a further range, but without its violations."""
        return replace(
            self,
            leads_checked=self.leads_checked + found.leads,
            entries_checked=self.entries_checked + found.entries,
            events_checked=self.events_checked + found.events,
            position=None,
        )

    def with_violations(self, violations: Sequence[Violation]) -> "VerifyProgress":
        """Returns the totals with more violations."""
        return replace(self, violations=violations, violations_total=self.violations_total + len(violations))


START = VerifyProgress(position=BEGINNING)


@dataclass(frozen=True, slots=True)
class Verification:
    """Checks every stored lead and every scored event. It cannot write."""

    cores: Cores

    async def run(
        self, start: VerifyProgress = START, *, counts_only: bool = False
    ) -> AsyncGenerator[VerifyProgress, None]:
        """Checks what comes after the position of `start`, and adds to its totals.

        With `counts_only`, it counts the entries of each lead but does not read them.
        """
        lead_reader = self.cores.stores.lead_reader
        progress = replace(
            start, leads_total=await lead_reader.count_leads(), events_total=await lead_reader.events.count()
        )
        works = self._works(start.position or BEGINNING, _count if counts_only else _verify)
        async for found in self.cores.for_leads(progress.leads_total).each(works):
            progress = progress.plus(found)
            *some, last = _portions(found.violations)
            for violations in some:
                progress = progress.with_violations(violations)
                yield progress
            progress = progress.with_violations(last)
            yield replace(progress, position=found.reached)
        unscored = await lead_reader.events.count_unscored()
        yield replace(
            progress,
            events_pending=unscored.pending,
            events_parked=unscored.parked,
            events_discarded=unscored.discarded,
            violations=(),
            done=True,
        )

    async def _works(
        self, position: Position, check: "Callable[[IdRange, Stores], Awaitable[_Found]]"
    ) -> "AsyncGenerator[Work[_Found], None]":
        lead_reader, (phase, after) = self.cores.stores.lead_reader, position
        if phase == LEADS:
            async for leads in lead_ranges(lead_reader, after):
                yield partial(check, leads)
            after = ""
        async for events in event_ranges(lead_reader, after):
            yield partial(_find_unrecorded, events)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was checked, the violations that were found, and the position that was reached; None at the end of all."""

    leads: int = 0
    entries: int = 0
    events: int = 0
    violations: Sequence[Violation] = ()
    reached: Position | None = None

    def __add__(self, more: "_Found") -> "_Found":
        return _Found(
            self.leads + more.leads,
            self.entries + more.entries,
            self.events + more.events,
            [*self.violations, *more.violations],
        )


async def _verify(leads: IdRange, stores: Stores) -> _Found:
    """Checks the leads of a range."""
    found = _Found()
    async for page in scan_leads(stores.lead_reader, leads, check=True):
        async for stored in page.one_by_one():
            found += await _inspect(stores, page, stored)
    return replace(found, reached=_after(leads))


async def _count(leads: IdRange, stores: Stores) -> _Found:
    """Compares the number of entries in the row of each lead of a range with the number in its history."""
    async with stores.lead_reader.snapshot():
        sequences = await stores.lead_reader.sequences(leads)
        counts = await stores.lead_reader.count_entries(leads)
    lead_ids = sorted({*sequences, *counts})
    violations = [
        Violation(invariant, lead_id, text)
        for lead_id in lead_ids
        for invariant, text in wrong_count(sequences.get(lead_id), counts.get(lead_id, 0))
    ]
    return _Found(len(lead_ids), sum(counts.values()), violations=violations, reached=_after(leads))


async def _find_unrecorded(ids: IdRange, stores: Stores) -> _Found:
    """Finds the events of a range that are marked as scored and have no entry."""
    events = stores.lead_reader.events
    async with stores.lead_reader.snapshot():
        scored = await events.leads_of_scored(ids)
        recorded = await events.recorded([*scored])
    violations = [
        Violation("I3", lead_id, f"event {event_id!r} is stored as scored, but has no entry")
        for event_id, lead_id in scored.items()
        if event_id not in recorded
    ]
    reached = None if ids.end is None else Position(EVENTS, ids.end)
    return _Found(events=len(scored), violations=violations, reached=reached)


def _after(leads: IdRange) -> Position:
    return Position(EVENTS, "") if leads.end is None else Position(LEADS, leads.end)


async def _inspect(stores: Stores, page: Page, stored: Stored) -> _Found:
    inspection = Inspection(page.timeline, stores.calendar, stored, page.checkpoints.get(stored.lead_id, {}), digest_of)
    if stored.entries is None:
        return await _inspect_in_pieces(stores, inspection, stored)
    flaws = [*inspection.entries(stored.entries, page.events.get(stored.lead_id, {}))]
    inspection.facts(facts_of(stored.entries))
    flaws += inspection.end()
    return _Found(1, len(stored.entries), violations=_violations(stored, flaws))


async def _inspect_in_pieces(stores: Stores, inspection: Inspection, stored: Stored) -> _Found:
    """Inspects a lead with a long history, up to the sequence of its row. Later entries do not change earlier ones."""
    until = stored.lead.sequence if stored.lead else None
    flaws: list[tuple[str, str]] = []
    entries = 0
    async for piece in stores.lead_reader.whole_history(stored.lead_id, until=until):
        ids = [entry.event_id for entry in piece if entry.kind is EntryKind.EVENT]
        known = (await stores.lead_reader.events.scored(ids)).get(stored.lead_id, {})
        flaws += await asyncio.to_thread(lambda: list(inspection.entries(piece, known)))  # noqa: B023
        entries += len(piece)
    async for facts in stores.fact_reader.facts(stored.lead_id, until=until):
        await asyncio.to_thread(inspection.facts, facts)
    flaws += inspection.end()
    async with stores.lead_reader.snapshot():
        lead = (await stores.lead_reader.leads([stored.lead_id])).get(stored.lead_id)
        last = await stores.lead_reader.history(stored.lead_id, after=(), limit=1, newest_first=True)
    if until is not None and (lead is None or lead.sequence < until):
        return _Found(1, entries)  # the lead was erased in the meantime
    if lead is not None and last and last[0].sequence != lead.sequence:
        flaws.append(("I5", f"the last entry has sequence {last[0].sequence}, the lead's row has {lead.sequence}"))
    return _Found(1, entries, violations=_violations(stored, flaws))


def _violations(stored: Stored, flaws: Sequence[tuple[str, str]]) -> list[Violation]:
    return [Violation(invariant, stored.lead_id, text) for invariant, text in flaws]


def _portions(violations: Sequence[Violation]) -> list[Sequence[Violation]]:
    """Returns the violations in lists for one message each; at least one list."""
    starts = range(0, max(1, len(violations)), MESSAGE_VIOLATIONS)
    return [violations[start : start + MESSAGE_VIOLATIONS] for start in starts]
