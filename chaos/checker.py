"""The checker: reads the database, holds it against the journal, and says which invariants do not hold."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pymongo
from pymongo import AsyncMongoClient

from chaos import firing, history, outside, rows, stuck, waiting
from chaos.journal import Journal
from chaos.replay import Timeline
from chaos.rows import Document, Rows
from chaos.violation import Unsupported, Violation, reported

__all__ = ["Checker", "Unsupported", "Violation"]

SNAPSHOT_LEADS = 20
"""Leads that a snapshot looks at closely, beside the hot one and those whose sums are wrong."""
SNAPSHOT_SECONDS = 5.0


class Checker:
    """Checks one database; to be made and closed in the event loop that uses it."""

    def __init__(self, uri: str, journal: Journal, *, has_live_receiver: bool = True) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri, tz_aware=True, tzinfo=UTC, serverSelectionTimeoutMS=2_000, appname="checker"
        )
        self._database = self._client.get_default_database("leadscore")
        self._journal = journal
        self._is_live = has_live_receiver

    async def snapshot(self) -> list[Violation]:
        """Reads one snapshot while faults are on and returns what is wrong with it: I2, I4, I5, I6, I8.

        The sums of every lead are checked, and closely some leads at random, the one with the longest history, and
        each whose sums are wrong.

        Raises:
            PyMongoError: The database cannot be read at the moment.
            Unsupported: It holds what the checker does not know.
        """
        with pymongo.timeout(SNAPSHOT_SECONDS):
            async with rows.one_moment(self._database):
                lead_ids = await rows.chosen(self._database, SNAPSHOT_LEADS) | await rows.isolated_retries(
                    self._database
                )
                found = await rows.read(self._database, lead_ids)
        return await asyncio.to_thread(lambda: reported(self._in_any_snapshot(found)))

    async def quiesced(self, seconds: float = 60.0) -> list[Violation]:
        """Reads everything when nothing is left to do and returns what is wrong: I1 to I11, I13, I15 to I17.

        I12 is among them as far as one database tells: a date's decay that some leads of a partition did not get.

        Raises:
            PyMongoError: The database cannot be read, or not within so many seconds.
            Unsupported: It holds what the checker does not know.
        """
        with pymongo.timeout(seconds):
            async with rows.one_moment(self._database):
                found = await rows.read(self._database)
            transactions = await rows.open_transactions(self._database)
            unique = await rows.unique_keys(self._database)
            now = await rows.now(self._database)
        return await asyncio.to_thread(
            lambda: reported([*self._when_quiesced(found, transactions, now), *stuck.indexes(unique)])
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    def _in_any_snapshot(self, found: Rows) -> Iterator[Violation]:
        timeline = Timeline(found)
        for each in found.leads.values():
            yield from history.in_any_snapshot(each, timeline)
            yield from firing.in_any_snapshot(each, found.rules, timeline.zone)
            yield from outside.invented(each.events, self._journal)

    def _when_quiesced(self, found: Rows, transactions: list[Document], now: datetime) -> Iterator[Violation]:
        yield from self._in_any_snapshot(found)
        timeline, journal = Timeline(found), self._journal
        yield from history.decayed(found.partitions, journal.decayed_through)
        yield from history.decayed_ahead(found.partitions, now.astimezone(timeline.zone).date().isoformat())
        for each in found.leads.values():
            through = found.partitions[each.lead["partition"]]["through"] if each.lead else ""
            yield from history.when_quiesced(each, timeline, through, journal.parked | journal.discarded)
            yield from firing.when_quiesced(each, found.rules, journal.parked | journal.discarded)
        yield from firing.deliveries(found.executions(), found.rules, journal.requests, is_live=self._is_live)
        yield from outside.kept(found.events(), journal)
        yield from outside.shown(found.entries(), journal)
        yield from outside.answers(journal.calls)
        yield from waiting.bystanders(journal.bystanders)
        yield from waiting.health(journal.health)
        yield from waiting.backlogs(journal.backlogs)
        yield from stuck.in_database(found, transactions, journal.parked, journal.discarded, is_live=self._is_live)
