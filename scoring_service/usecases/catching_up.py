"""Leads are brought up to where their partition stands: its date of decay, and the publication that it follows.

Guarantee: a page of leads that is too much for one transaction, or that one of them makes fail, is cut down to that
lead, and all others are done.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import Recorded
from scoring_service.ports import Bell, Scores
from scoring_service.usecases.recording import Clock, Due, Recording
from shared import logs
from shared.errors import is_transient

MOST_IN_A_ROW = 3
"""So many failures of the environment, with nothing done between them, are not the fault of some leads."""

_LOG = logs.get(__name__)


@dataclass(slots=True)
class _Failures:
    """What could not be done so far."""

    errors: list[Exception] = field(default_factory=list)
    in_a_row: int = 0

    def add(self, error: Exception, partition: int, lead_ids: Sequence[str]) -> None:
        """Notes an error; it is raised when it is one too many."""
        _LOG.warning("leads left behind", partition=partition, leads=lead_ids[:10], error=logs.one_line(error))
        self.errors.append(error)
        self.in_a_row += is_transient(error)
        if self.in_a_row == MOST_IN_A_ROW:
            raise error


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Brings leads up to where their partition stands; any number of processes may do so at once."""

    scores: Scores
    bell: Bell
    calendar: Calendar
    clock: Clock

    async def run(
        self, partitions: Iterable[int], find: Callable[[int], Awaitable[Sequence[str]]], most: int
    ) -> AsyncGenerator[Sequence[Recorded], None]:
        """Yields what is recorded of each page of at most `most` leads.

        `find` returns the ids of the leads of a partition that are behind; it runs in a transaction of its own. Every
        page is one, too.

        Raises:
            Exception: Some leads, or all of a partition, could not be done. It is the first of their errors, and comes
                after all others are done; or at once, if it is plain that nothing can be done now.
        """
        failures, size = _Failures(), most
        for partition in partitions:
            rest: Sequence[str] = ()
            try:
                rest = await self.scores.transact(partial(find, partition))
            except Exception as error:  # noqa: BLE001 (it is raised in the end)
                failures.add(error, partition, rest)
            while rest:
                page = rest[:size]
                try:
                    recorded, rung = await self.scores.transact(partial(self._record, partition, page))
                except Exception as error:  # noqa: BLE001 (it is raised in the end)
                    if len(page) > 1 and _may_be_of_leads(error):
                        size = len(page) // 2
                        continue
                    failures.add(error, partition, page)
                else:
                    # What was cut grows again: the next leads may be smaller.
                    failures.in_a_row, size = 0, min(most, 2 * size)
                    self.bell.ring(rung)
                    yield recorded
                rest = rest[len(page) :]
        if failures.errors:
            raise failures.errors[0]

    async def _record(self, partition: int, lead_ids: Sequence[str]) -> tuple[Sequence[Recorded], set[int]]:
        stands = (await self.scores.begin([partition]))[partition]
        recording = Recording(self.scores, await self.scores.timeline(stands.publication), self.calendar, self.clock())
        leads = await self.scores.leads(lead_ids)
        recorded = await recording.of([Due(lead, stands.through) for lead in leads.values()])
        return recorded, await self.scores.append(recording.commit(recorded))


def _may_be_of_leads(error: Exception) -> bool:
    """Tells whether fewer leads might do: also after a time-out, unless there was no database to ask."""
    if not is_transient(error):
        return True
    return isinstance(error, PyMongoError) and error.timeout and not isinstance(error, ServerSelectionTimeoutError)
