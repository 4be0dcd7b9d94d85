"""Erases leads.

Guarantee: an erasure is recorded before anything is erased, and what was interrupted is completed, by a call with the
same request id or in the background. Events that a server accepts before it knows of the erasure are erased, too: the
lead is looked for again until `SETTLE` has passed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from admin_service.domain.erasure import NOTHING, Counts, Erasure, ErasureConflict, NothingKnown, OtherKey
from admin_service.domain.pseudonyms import NewIds, new_pseudonym
from admin_service.store.audit_traces import AuditTraces
from admin_service.store.erasures import MongoErasures
from admin_service.store.leads import LeadMover
from admin_service.store.traces import Traces
from shared import logs
from shared.contracts.erasures import Digests
from shared.tasks import is_cancelled

SETTLE = timedelta(seconds=30)
"""After this time, every server refuses the events of the lead, and the calls that it was handling have ended."""
ORPHANED = timedelta(minutes=2)
"""After this time, an erasure that is not done was interrupted, and its lead has to be searched for."""
POLL_SECONDS = 5.0
MAX_ROUNDS = 20
"""How often a lead is looked for again while events keep arriving."""

_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erases leads. `run()` must be running, or no erasure is ever done.

    `known_leads` yields the ids of all leads. `_settling` has the ids of the leads of erasures that are not done, by
    request; they are nowhere else.
    """

    erasures: MongoErasures
    mover: LeadMover
    traces: Traces
    audit_traces: AuditTraces
    digests: Digests
    partitions: int
    known_leads: Callable[[], AsyncIterator[str]]
    clock: Callable[[], datetime]
    _settling: dict[bytes, str] = field(default_factory=dict)

    async def erase(self, lead_id: str, request_id: str, actor: str) -> Erasure:
        """Erases what is stored of a lead, and returns the erasure.

        A request whose erasure is done changes nothing any more.

        Raises:
            NothingKnown: Nothing is stored of the lead.
            ErasureConflict: The request was made for another lead.
        """
        request = self.digests.of_request(request_id)
        erasure = await self.erasures.get(request) or await self._begun(request, lead_id, actor)
        if erasure.lead != self.digests.of_lead(lead_id):
            raise ErasureConflict
        if erasure.is_done:
            await self.audit_traces.erase_lead(lead_id, _first(erasure))  # this call has a record, too
            return erasure
        self._settling[request] = lead_id
        return await self._sweep(erasure, lead_id)

    async def reapply(self, erasures: Sequence[Erasure], key_id: bytes) -> int:
        """Repeats erasures that a restored database does not have; returns how many leads were found and erased.

        Raises:
            OtherKey: The erasures are from a database with another key.
        """
        if key_id != self.digests.key_id:
            raise OtherKey
        new = [each for each in erasures if await self.erasures.insert(each, self.clock())]
        found = await self._search(new)
        for erasure in new:
            if lead_id := found.get(erasure.request):
                await self._sweep(erasure, lead_id)
        return len(found)

    async def run(self) -> None:
        """Completes erasures until cancelled."""
        while not is_cancelled():
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.settle()
            except Exception as error:  # noqa: BLE001 (it is tried again)
                _LOG.warning("erasures not completed; will retry", error=logs.one_line(error))

    async def settle(self) -> None:
        """Looks again for the leads of erasures that are not done, and ends those that have had time to settle.

        A failure of one does not keep the others waiting.
        """
        now = self.clock()
        for erasure in await self.erasures.unfinished(now - SETTLE):
            if lead_id := self._settling.get(erasure.request):
                with _retried_later():
                    await self._settle_one(erasure, lead_id)
        unfinished = await self.erasures.unfinished(now - ORPHANED)
        if orphans := [each for each in unfinished if each.request not in self._settling]:
            found = await self._search(orphans)
            # The leads that are found need no search the next time.
            self._settling.update(found)
            for erasure in orphans:
                with _retried_later():
                    await self._complete(erasure, found.get(erasure.request))

    async def _settle_one(self, erasure: Erasure, lead_id: str) -> None:
        if (await self._sweep(erasure, lead_id)).counts == erasure.counts:
            await self._finish(erasure)

    async def _complete(self, erasure: Erasure, lead_id: str | None) -> None:
        if lead_id:
            await self._sweep(erasure, lead_id)
        await self._finish(erasure)

    async def _begun(self, request: bytes, lead_id: str, actor: str) -> Erasure:
        if not await self._is_known(lead_id):
            raise NothingKnown
        now = self.clock()
        erasure = Erasure(request, self.digests.of_lead(lead_id), (), now, actor)
        await self.erasures.insert(erasure, now)
        return await self.erasures.get(request) or erasure

    async def _finish(self, erasure: Erasure) -> None:
        await self.erasures.finish(erasure.request, self.clock())
        self._settling.pop(erasure.request, None)
        _LOG.info("erasure done", pseudonyms=erasure.pseudonyms)

    async def _search(self, erasures: Sequence[Erasure]) -> dict[bytes, str]:
        """Returns the ids of the leads that are found among all leads, by the requests of their erasures."""
        wanted = {erasure.lead: erasure.request for erasure in erasures}
        found: dict[bytes, str] = {}
        if wanted:
            async for lead_id in self.known_leads():
                if request := wanted.get(self.digests.of_lead(lead_id)):
                    found[request] = lead_id
        return found

    async def _is_known(self, lead_id: str) -> bool:
        return (
            await self.mover.has_history(lead_id)
            or bool(await self.traces.unscored(lead_id))
            or await self.traces.has_executions(lead_id)
        )

    async def _sweep(self, erasure: Erasure, lead_id: str) -> Erasure:
        """Erases everything that is found of a lead now."""
        counts, first = NOTHING, None
        for _ in range(MAX_ROUNDS):
            unscored = await self.traces.unscored(lead_id)
            if not unscored and not await self.mover.has_history(lead_id):
                break
            erasure, ids = await self._with_ids(erasure, lead_id, self._is_unused)
            forget = partial(self._forget, ids.pseudonym)
            await forget(unscored)
            removed = await self.traces.remove_unscored(lead_id, unscored)
            counts += Counts(events=removed) + await self.mover.move(lead_id, ids, forget)
            first = first or ids
        if first is None:
            needed = self._has_no_executions if await self.traces.has_executions(lead_id) else _any
            erasure, first = await self._with_ids(erasure, lead_id, needed)
        times = await self.traces.record_times([lead_id, *erasure.pseudonyms])
        await self.traces.erase_changes(lead_id, first.pseudonym, times)
        counts += Counts(executions=await self.traces.erase_executions(lead_id, first))
        await self.traces.erase_search(lead_id)
        await self.audit_traces.erase_lead(lead_id, first.pseudonym)
        return await self.erasures.add(erasure.request, None, counts)

    async def _forget(self, pseudonym: str, event_ids: Sequence[str]) -> None:
        """Erases the ids of events, so that ingest refuses them from then on."""
        await self.erasures.keep_events(map(self.digests.of_event, event_ids))
        await self.traces.release_ids(event_ids)
        await self.audit_traces.erase_events(event_ids, pseudonym)

    async def _with_ids(
        self, erasure: Erasure, lead_id: str, fits: Callable[[str], Awaitable[bool]]
    ) -> tuple[Erasure, NewIds]:
        """Returns ids with a pseudonym of the erasure that fits, or else with a new one."""
        for each in erasure.pseudonyms:
            if await fits(each):
                return erasure, NewIds(each, self.digests.of_event)
        erasure = await self.erasures.add(erasure.request, new_pseudonym(lead_id, self.partitions), NOTHING)
        return erasure, NewIds(erasure.pseudonyms[-1], self.digests.of_event)

    async def _is_unused(self, pseudonym: str) -> bool:
        """Returns whether a history can move there: what arrives during an erasure is a lead of its own."""
        return not await self.mover.exists(pseudonym) and await self._has_no_executions(pseudonym)

    async def _has_no_executions(self, pseudonym: str) -> bool:
        return not await self.traces.has_executions(pseudonym)


@contextlib.contextmanager
def _retried_later() -> Iterator[None]:
    """Logs a failure of one erasure, which is tried again."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (see above)
        _LOG.warning("erasure not completed; will retry", error=logs.one_line(error))


async def _any(_: str) -> bool:
    return True


def _first(erasure: Erasure) -> str:
    return erasure.pseudonyms[0] if erasure.pseudonyms else ""
