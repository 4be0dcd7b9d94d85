"""The checker: reads the database, compares it with the journal, and returns the violated invariants."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pymongo
from pymongo import AsyncMongoClient

from chaos import erased, firing, history, outside, rows, stuck, waiting
from chaos.journal import Journal
from chaos.replay import Timeline
from chaos.rows import Document, Rows
from chaos.violation import Unsupported, Violation, reported

__all__ = ["Checker", "Unsupported", "Violation"]

SNAPSHOT_LEADS = 20
"""Leads that a snapshot checks in full, besides the one with the longest history and those whose sums are wrong."""
SNAPSHOT_SECONDS = 5.0


class Checker:
    """Checks one database; create and close it in the event loop that uses it."""

    def __init__(self, uri: str, journal: Journal, *, has_live_receiver: bool = True) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri, tz_aware=True, tzinfo=UTC, serverSelectionTimeoutMS=2_000, appname="checker"
        )
        self._database = self._client.get_default_database("leadscore")
        self._journal = journal
        self._is_live = has_live_receiver

    async def snapshot(self) -> list[Violation]:
        """Reads one snapshot during a fault and returns violations of I2, I4, I5, I6 and I8.

        Checks the sums of every lead. Checks in full some random leads, the one with the longest history, and each
        lead whose sums are wrong.

        Raises:
            PyMongoError: The database cannot be read at the moment.
            Unsupported: The database contains something that the checker does not know.
        """
        with pymongo.timeout(SNAPSHOT_SECONDS):
            async with rows.one_moment(self._database):
                lead_ids = await rows.chosen(self._database, SNAPSHOT_LEADS) | await rows.isolated_retries(
                    self._database
                )
                found = await rows.read(self._database, lead_ids)
        return await asyncio.to_thread(lambda: reported(self._in_any_snapshot(found)))

    async def quiesced(self, seconds: float = 60.0) -> list[Violation]:
        """Reads everything when no work is pending and returns violations of I1 to I11, I13, and I15 to I18.

        Checks I12 as far as one database shows it: decay through a date that did not reach some leads of a partition.

        Raises:
            PyMongoError: The database cannot be read within `seconds`.
            Unsupported: The database contains something that the checker does not know.
        """
        with pymongo.timeout(seconds):
            async with rows.one_moment(self._database):
                found = await rows.read(self._database)
            transactions = await rows.open_transactions(self._database)
            unique = await rows.unique_keys(self._database)
            now = await rows.now(self._database)
            documents = await rows.everything(self._database) if self._journal.erased else []
        return await asyncio.to_thread(
            lambda: reported(
                [
                    *self._when_quiesced(found, transactions, now),
                    *stuck.indexes(unique),
                    *erased.traces(documents, self._journal),
                ]
            )
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    def _in_any_snapshot(self, found: Rows) -> Iterator[Violation]:
        timeline = Timeline(found)
        for each in found.leads.values():
            yield from history.in_any_snapshot(each, timeline)
            if self._is_erased(each.lead_id, found):
                continue  # its changes and executions follow its history, one collection after the other
            yield from history.changes(each)
            yield from firing.in_any_snapshot(each, found.rules, timeline.zone)
            yield from outside.invented(each.events, self._journal)

    def _is_erased(self, lead_id: str, found: Rows) -> bool:
        return lead_id in self._journal.erased or lead_id in found.pseudonyms

    def _when_quiesced(self, found: Rows, transactions: list[Document], now: datetime) -> Iterator[Violation]:
        yield from self._in_any_snapshot(found)
        timeline, journal = Timeline(found), self._journal
        yield from history.decayed(found.partitions, journal.decayed_through)
        yield from history.decayed_ahead(found.partitions, now.astimezone(timeline.zone).date().isoformat())
        for each in found.leads.values():
            through = found.partitions[each.lead["partition"]]["through"] if each.lead else ""
            yield from history.when_quiesced(each, timeline, through, journal.parked | journal.discarded)
            if not self._is_erased(each.lead_id, found):
                yield from firing.when_quiesced(each, found.rules, journal.parked | journal.discarded)
        executions = [each for each in found.executions() if each["lead_id"] not in found.pseudonyms]
        requests = erased.about_others(journal.requests, journal.erased)
        yield from firing.deliveries(executions, found.rules, requests, is_live=self._is_live)
        yield from erased.numbers(found, journal.erased)
        yield from outside.kept(found.events(), journal)
        yield from outside.shown(found.entries(), journal)
        yield from outside.answers(journal.calls)
        yield from waiting.bystanders(journal.bystanders)
        yield from waiting.health(journal.health)
        yield from waiting.backlogs(journal.backlogs)
        yield from stuck.in_database(found, transactions, journal.parked, journal.discarded, is_live=self._is_live)
