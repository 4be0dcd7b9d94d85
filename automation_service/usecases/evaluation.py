"""Evaluate the rules when leads change."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from automation_service import metrics
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain import need
from automation_service.domain.execution import Candidate, Execution, candidates, execution, fire
from automation_service.domain.lead import Change, Insight, Row
from automation_service.domain.need import BASICS, Need
from automation_service.domain.rule import Rule
from automation_service.ports import Changes, Clock, DeliveryQueue, Executions, Insights, Rules, Source
from automation_service.usecases.inquiry import Inquiry, holds
from shared import logs
from shared.contracts.score_changes import CONTRACT
from shared.traces import drains, spans
from shared.traces.spans import Attributes

MAX_BYTES = 8 * 1_048_576
"""Bytes of delivery bodies that one transaction records. A change that needs more gets a transaction of its own."""
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Evaluates the rules at pending changes, and hands the deliveries to `delivery_queue` after the commit."""

    changes: Changes
    rules: Rules
    executions: Executions
    insights: Insights
    templates: SandboxedTemplates
    sender: str
    delivery_queue: DeliveryQueue
    clock: Clock

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Evaluates pending changes of the partitions. Returns their number, at least `limit` if more may follow.

        With `ids`, all changes of these rows are evaluated. If no rule is enabled, they are not even read. If no rule
        can fire at any of them, one write marks the rows. Otherwise all go into one transaction, or into several if
        their deliveries are large. The intelligence service is asked before, only about leads for which a rule can
        still fire, and for the contents of deliveries only if a rule holds. The rules are read after the rows are
        found, so a rule sees every change that is committed after it was enabled.

        Raises:
            WorkTooLarge: The intelligence service cannot answer about so many changes in time. Transactions that were
                already committed stay committed.
        """
        started = time.perf_counter()
        rows = await self.changes.pending(partitions, limit, ids)
        rules = await self.rules.enabled() if rows else ()
        count, is_full = rows.changes, rows.is_full
        if rules:
            changes = await self.changes.read(rows)
            parents = (traceparent for change in changes for traceparent in change.traceparents)
            with drains.span(CONTRACT.collection, len(changes), parents):
                await self.evaluate(changes, rules, self.changes)
            count, is_full = len(changes), rows.is_full or changes.is_full
        else:
            await self.changes.skip(rows)
        if count:
            metrics.DRAINS.done(count, time.perf_counter() - started)
        return max(count, limit) if is_full else count

    async def evaluate(self, changes: Sequence[Change], rules: Sequence[Rule], source: Source) -> None:
        """Evaluates rules at changes, records what fires, and marks the changes in their source; see `step`."""
        started = time.perf_counter()
        possible = await self._candidates(changes, rules)
        if not possible:
            await source.skip(_rows(changes))
            return
        insights = await self._inquiry.judge(possible)
        needs, executions = self._inquiry.needs(possible, insights), 0
        portions = list(need.portions(changes, _sizes(possible, insights, needs), MAX_BYTES))
        for portion in portions:
            # A row is marked only when all of its changes are settled. If that takes several transactions and the
            # worker dies in between, the next one finds the executions that are recorded, and skips their changes.
            finished = changes if portion is portions[-1] else ()
            executions += await self._settle_portion(portion, finished, possible, insights, needs, source)
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        _LOG.info("drain", changes=len(changes), executions=executions, ms=milliseconds)

    @property
    def _inquiry(self) -> Inquiry:
        return Inquiry(self.insights, self.templates)

    async def _candidates(self, changes: Sequence[Change], rules: Sequence[Rule]) -> list[Candidate]:
        possible = candidates(changes, rules)
        taken = await self.executions.recorded({each.key for each in possible})
        firings = await self.executions.last_firings({each.pair for each in possible if each.looks_back})
        return [each for each in possible if each.key not in taken and each.may_follow(firings.get(each.pair))]

    async def _settle_portion(
        self,
        portion: Sequence[Change],
        finished: Sequence[Change],
        possible: Sequence[Candidate],
        judged: Mapping[str, Insight],
        needs: Mapping[str, Need],
        source: Source,
    ) -> int:
        started = time.perf_counter()
        lead_ids = {change.lead_id for change in portion} & needs.keys()
        fetched = await self._inquiry.fetch({lead_id: needs[lead_id] for lead_id in lead_ids})
        # A lead that has lost its score since `judge` is in neither.
        insights = {lead_id: each for lead_id, each in judged.items() if lead_id not in lead_ids} | fetched
        recorded = await self.changes.transact(partial(self._settle, portion, finished, possible, insights, source))
        if recorded:
            metrics.EXECUTIONS.inc(len(recorded))
            _trace(recorded, time.perf_counter() - started)
            self.delivery_queue.begin(recorded)
        return len(recorded)

    async def _settle(
        self,
        portion: Sequence[Change],
        finished: Sequence[Change],
        possible: Sequence[Candidate],
        insights: Mapping[str, Insight],
        source: Source,
    ) -> list[Execution]:
        """Records and returns the executions of the rules that fire at a portion, and marks the finished changes.

        It runs in a transaction. Another worker may have settled some of the changes before.
        """
        pending = await source.still_pending(_rows(finished or portion))
        ids = {change.change_id for change in portion if change.row in pending}
        due = [each for each in possible if each.change.change_id in ids]
        taken = await self.executions.recorded({each.key for each in due})
        looking_back = [each for each in due if each.looks_back]
        await self.changes.lock({each.change.lead_id for each in looking_back})
        firings = await self.executions.last_firings({each.pair for each in looking_back})
        now = self.clock()
        fired = fire(due, insights, taken, firings)
        recorded = self.delivery_queue.admit(
            [execution(each, insights[each.change.lead_id], now, self.templates.render, self.sender) for each in fired]
        )
        await self.executions.record(recorded)
        if finished:
            await source.mark(pending)
        return recorded


def _trace(recorded: Sequence[Execution], seconds: float) -> None:
    """Adds executions that took so many seconds to record to the traces of the events that they fired for."""
    for each in recorded:
        about: Attributes = {"leadscore.execution.id": each.execution_id, "leadscore.rule.id": each.key.rule_id}
        with spans.working("execution", each.traceparent, about, seconds=seconds):
            pass


def _rows(changes: Sequence[Change]) -> set[Row]:
    return {change.row for change in changes}


def _sizes(
    possible: Sequence[Candidate], insights: Mapping[str, Insight], needs: Mapping[str, Need]
) -> Mapping[str, int]:
    """Returns an upper estimate, in bytes, of the delivery bodies of each change at which some rule holds."""
    sizes = Counter[str]()
    for each in possible:
        if holds(each, insights):
            size = needs.get(each.change.lead_id, BASICS).max_bytes + need.bytes_of(each.event)
            sizes[each.change.change_id] += size * len(each.rule.draft.actions)
    return sizes
