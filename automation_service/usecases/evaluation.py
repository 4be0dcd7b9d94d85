"""Evaluate the rules at every change of a lead."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from automation_service.domain import need
from automation_service.domain.execution import Candidate, Execution, candidates, execution, fire
from automation_service.domain.lead import Change, Insight
from automation_service.domain.need import NO_MORE, Need
from automation_service.ports import Changes, DeliveryQueue, Executions, Insights, Rules, Templates
from automation_service.usecases.inquiry import Inquiry, holds
from automation_service.usecases.rules import Clock
from shared import logs

MAX_BYTES = 8 * 1_048_576
"""What receivers are told by the executions of one transaction, at most; a change that needs more is one alone."""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates rules at changes; what is to be delivered leaves by the outlet after the commit."""

    changes: Changes
    rules: Rules
    executions: Executions
    insights: Insights
    templates: Templates
    sender: str
    delivery_queue: DeliveryQueue
    clock: Clock

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Settles up to `limit` changes of some partitions, those among `ids` if given, and returns the number found.

        It is one transaction, or several when there is much to tell. Intelligence is asked before, and only for leads
        on which some rule can still fire; for what is told of a lead, only if a rule holds.

        Raises:
            WorkTooLarge: They are too many to be asked for in time; what was settled before is settled.
        """
        started = time.perf_counter()
        pending = await self.changes.pending(partitions, limit, ids)
        if not pending:
            return 0
        open_ones = await self._candidates(pending)
        insights = await self._inquiry.judge(open_ones)
        needs, executions = self._inquiry.needs(open_ones, insights), 0
        for portion in need.portions(pending, _sizes(open_ones, insights, needs), MAX_BYTES):
            executions += await self._settle_portion(portion, open_ones, insights, needs)
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        _LOG.info("drain", partitions=len(partitions), changes=len(pending), executions=executions, ms=milliseconds)
        return len(pending)

    @property
    def _inquiry(self) -> Inquiry:
        return Inquiry(self.insights, self.templates)

    async def _candidates(self, pending: Sequence[Change]) -> list[Candidate]:
        possible = candidates(pending, await self.rules.enabled())
        taken = await self.executions.recorded({each.key for each in possible})
        return [each for each in possible if each.key not in taken]

    async def _settle_portion(
        self,
        portion: Sequence[Change],
        open_ones: Sequence[Candidate],
        judged: Mapping[str, Insight],
        needs: Mapping[str, Need],
    ) -> int:
        lead_ids = {change.lead_id for change in portion} & needs.keys()
        told = await self._inquiry.tell({lead_id: needs[lead_id] for lead_id in lead_ids})
        # A lead that has no score any more is in neither.
        insights = {lead_id: each for lead_id, each in judged.items() if lead_id not in lead_ids} | told
        recorded = await self.changes.transact(partial(self._settle, portion, open_ones, insights))
        if recorded:
            self.delivery_queue.begin(recorded)
        return len(recorded)

    async def _settle(
        self, changes: Sequence[Change], open_ones: Sequence[Candidate], insights: Mapping[str, Insight]
    ) -> list[Execution]:
        """Records what fires, which is returned, and marks the changes.

        It runs in a transaction, so others may have settled some of them.
        """
        pending = await self.changes.still_pending(changes)
        ids = {change.change_id for change in pending}
        due = [each for each in open_ones if each.change.change_id in ids]
        taken = await self.executions.recorded({each.key for each in due})
        looking_back = [each for each in due if each.looks_back]
        await self.changes.take({each.change.lead_id for each in looking_back})
        firings = await self.executions.last_firings({each.pair for each in looking_back})
        now = self.clock()
        fired = fire(due, insights, taken, firings)
        recorded = self.delivery_queue.admit(
            [execution(each, insights[each.change.lead_id], now, self.templates.render, self.sender) for each in fired]
        )
        await self.executions.record(recorded)
        await self.changes.mark(pending)
        return recorded


def _sizes(
    open_ones: Sequence[Candidate], insights: Mapping[str, Insight], needs: Mapping[str, Need]
) -> Mapping[str, int]:
    """Returns the most bytes, about, that receivers are told at each change at which some rule holds."""
    sizes = Counter[str]()
    for each in open_ones:
        if holds(each, insights):
            size = needs.get(each.change.lead_id, NO_MORE).max_bytes
            sizes[each.change.change_id] += size * len(each.rule.draft.actions)
    return sizes
