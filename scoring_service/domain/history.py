"""Builds the history entries of one update of a lead.

Every change of what is already recorded (a new model, a decay reset, late events, deferred ticks, a retraction) is one
refold, and its effect on the score is one entry. Facts and ticks at the end of the timeline are simply appended.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import takewhile

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick
from scoring_service.domain.entry import RETRACTION_PREFIX, EntryKind
from scoring_service.domain.entry_log import EntryLog, within
from scoring_service.domain.errors import HistoryInconsistent
from scoring_service.domain.lead import Decision, Lead, LeadUpdate, PathPoint, Standing
from scoring_service.domain.lead_path import LeadPath
from scoring_service.domain.lead_state import LeadState
from scoring_service.domain.refold import Refold, is_checkpoint, may_have_checkpoints
from scoring_service.domain.replay import replay, settle
from scoring_service.domain.timeline import POSITION, Fact, JudgedEvent, Position, Timeline


class HistoryBuilder:
    """Applies facts, ticks and publications to a lead, and collects the entries.

    `record`, `retract` and `catch_up` yield the refolds that they need. The caller must begin, feed and end each refold
    before it asks for the next one. Afterwards the state is the fold of all facts and ticks, regardless of the order in
    which they were recorded.

    Raises:
        HistoryInconsistent: The number of facts fed to a refold differs from the number that the lead counts.
    """

    def __init__(self, timeline: Timeline, calendar: Calendar, lead: Lead, record_time: datetime) -> None:
        self._timeline = timeline
        self._calendar = calendar
        self._lead = lead
        self._record_time = record_time
        self._state = lead.state
        self._publication = lead.publication
        self._log = EntryLog(timeline, lead, record_time)
        first_stage = timeline.model_after(lead.publication or timeline.number).stage_of(lead.state.score)
        self._path = LeadPath(PathPoint(lead.state.score, first_stage))
        self._checkpoints: list[LeadState] = []
        self._checkpoints_from = lead.state.fact_count
        self._pending_ticks: list[Tick] = []

    @property
    def state(self) -> LeadState:
        """The state so far."""
        return self._state

    def update(self) -> LeadUpdate:
        """Returns the update to store."""
        before, after = self._lead, Lead(self._lead.lead_id, self._log.sequence, self._state, self._timeline.number)
        # Most leads have too short a history for checkpoints, and so need no command that replaces them.
        replaced_from = self._checkpoints_from if may_have_checkpoints(before.state) else before.state.fact_count
        path = self._path
        return LeadUpdate(
            before, after, self._log.entries, path.points, path.transitions, self._checkpoints, replaced_from
        )

    def refolds_from(self, facts: Iterable[Fact], standing: Standing) -> Position | None:
        """Returns the position from which recording these facts folds recorded ones again; None if it folds none.

        Every refold begins there or later, unless the first one leaves deferred ticks that did not exist before.
        """
        state = self._state
        positions = [fact.position for fact in facts if state.is_ahead_of(fact.position, self._calendar)]
        changed_from = self._changed_from()
        if changed_from is not None:
            positions.append((changed_from, ""))
        if self._needs_reset(standing):
            positions.append(state._replace(decayed_through=standing.through).first_deferred(self._calendar))
        elif state.applies_deferred_ticks(standing.through):
            positions.append(state.first_deferred(self._calendar))
        return min(positions, default=None)

    def catch_up(self, standing: Standing) -> Iterator[Refold]:
        """Applies the publication and the decay reset of the lead's partition to the recorded history."""
        if self._lead.sequence and self._publication < self._timeline.number:
            yield from self._follow_publication()
        self._publication = self._timeline.number
        if self._needs_reset(standing):
            refold = self._refold(
                self._state._replace(decayed_through=standing.through).first_deferred(self._calendar),
                through=standing.through,
                settle_through=standing.through,
            )
            yield refold
            self._adopt(refold)
            if refold.state.score != self._state.score:
                self._log.append(
                    EntryKind.DECAY_RESET,
                    refold.state.score,
                    event_time=self._record_time,
                    model=self._timeline.latest,
                    reason=standing.reset.reason,
                    actor=standing.reset.actor,
                )
            self._move_to(refold.state, quiet=refold.state.last_event_historical)

    def record(self, facts: Iterable[Fact], standing: Standing) -> Iterator[Refold]:
        """Appends facts, in any order, and all ticks up to the decay date of the partition."""
        yield from self.catch_up(standing)
        in_order = sorted(facts, key=POSITION)
        late = list(takewhile(lambda fact: self._state.is_ahead_of(fact.position, self._calendar), in_order))
        if late:
            yield from self._merge_late(late, standing.through)
        elif self._state.applies_deferred_ticks(standing.through):
            yield from self._apply_deferred_ticks(standing.through)
        self._append_at_end(in_order[len(late) :], standing.through)

    def retract(self, event: JudgedEvent, decision: Decision, standing: Standing) -> Iterator[Refold]:
        """Appends a RETRACTION entry, and recomputes the state as if the event had never happened."""
        yield from self.record((), standing)
        refold = self._refold(
            event.position, through=standing.through, settle_through=standing.through, removed=event.position
        )
        refold.old_state = self._old_state()
        yield refold
        self._adopt(refold)
        self._log.append(
            EntryKind.RETRACTION,
            refold.state.score,
            event_id=f"{RETRACTION_PREFIX}{event.event.event_id}",
            event_time=event.event.event_time,
            model=event.model,
            event_type=event.event.event_type,
            rule_id=event.rule_id,
            reason=decision.reason,
            actor=decision.actor,
        )
        self._move_to(refold.state, quiet=event.event.historical)

    def _changed_from(self) -> datetime | None:
        """Returns the event time from which new publications apply; None if the state includes nothing that late."""
        changed_from = self._timeline.changed_from(self._publication)
        if changed_from is None or not self._lead.sequence or not self._state.reaches(changed_from, self._calendar):
            return None
        return changed_from

    def _needs_reset(self, standing: Standing) -> bool:
        decayed, through = self._state.decayed_through, standing.through
        return decayed is not None and through is not None and decayed > through

    def _follow_publication(self) -> Iterator[Refold]:
        """Folds recorded facts under the models in force now; appends an entry if the score or its stage changes."""
        stage_before, state = self._path.end.stage, self._state
        changed_from = self._changed_from()
        if changed_from is not None:
            decayed = state.decayed_through
            refold = self._refold((changed_from, ""), through=decayed, settle_through=decayed)
            yield refold
            self._adopt(refold)
            state = refold.state
        if (state.score, self._timeline.latest.stage_of(state.score)) != (self._state.score, stage_before):
            last = self._timeline.publications[-1]
            self._log.append(
                EntryKind.MODEL,
                state.score,
                event_time=last.publish_time,
                model=self._timeline.latest,
                stage_before=stage_before,
            )
        self._move_to(state, quiet=state.last_event_historical or self._timeline.is_quiet_since(self._publication))

    def _merge_late(self, late: Sequence[Fact], through: date | None) -> Iterator[Refold]:
        """Merges late facts into the recorded ones.

        The entry of each fact shows how it changes the score at its own position, within floor and ceiling. One
        RECALCULATION entry covers all changes that the late facts cause later in the timeline.
        """
        before = late[0].position
        if self._state.applies_deferred_ticks(through):
            before = min(before, self._state.first_deferred(self._calendar))
        refold = self._refold(before, through=through, settle_through=self._state.decayed_through, added=late)
        if not self._state.applies_deferred_ticks(through):
            refold.old_state = self._old_state()
        yield refold
        self._adopt(refold)
        for fact in late:
            score = within(fact.model, self._log.score, self._log.score + refold.deltas[fact.position[1]])
            self._log.append_fact(fact, score)
        if refold.state.score != self._log.score:
            self._log.append(
                EntryKind.RECALCULATION,
                refold.state.score,
                event_time=self._record_time,
                model=self._timeline.latest,
            )
        # Ticks that history has deferred may have a part in the move.
        quiet = any(tick.historical for tick in self._new_ticks(refold))
        self._path.extend_by(late, self._point(refold.state.score), quiet=quiet)
        self._state = refold.state

    def _apply_deferred_ticks(self, through: date | None) -> Iterator[Refold]:
        """Applies ticks before the last fact; the next DECAY entry includes them and any ticks after the last fact."""
        decayed = self._state.decayed_through
        refold = self._refold(self._state.first_deferred(self._calendar), through=through, settle_through=decayed)
        yield refold
        self._adopt(refold)
        self._pending_ticks = list(self._new_ticks(refold))
        quiet = refold.state.last_event_historical or any(tick.historical for tick in self._pending_ticks)
        self._move_to(refold.state, quiet=quiet)

    def _append_at_end(self, facts: Sequence[Fact], through: date | None) -> None:
        """Appends facts and ticks that come after everything that the state includes."""
        for moment in replay(self._timeline, self._calendar, facts, through, self._state):
            if moment.fact is None:
                self._apply_ticks(moment.ticks, moment.state)
                continue
            self._append_decay()
            self._log.append_fact(moment.fact, moment.state.score)
            self._path.extend_by([moment.fact], self._point(moment.state.score))
            self._state = moment.state
            if is_checkpoint(moment.state):
                self._checkpoints.append(moment.state.at_last_fact())
        settled = settle(self._timeline, self._calendar, self._state, through)
        self._apply_ticks(settled.ticks, settled.state)
        self._append_decay()

    def _apply_ticks(self, ticks: Sequence[Tick], state: LeadState) -> None:
        self._path.extend([self._point(tick.score) for tick in ticks], quiet=state.last_event_historical)
        self._pending_ticks += ticks
        self._state = state

    def _append_decay(self) -> None:
        """Appends one DECAY entry for all ticks since the last entry, if they changed the score."""
        ticks, self._pending_ticks = self._pending_ticks, []
        if ticks and self._state.score != self._log.score:
            self._log.append(
                EntryKind.DECAY,
                self._state.score,
                event_time=self._calendar.midnight(ticks[-1].day),
                model=ticks[-1].model,
                first_tick=ticks[0].day,
                last_tick=ticks[-1].day,
                tick_count=len(ticks),
            )

    def _refold(
        self,
        before: Position,
        *,
        through: date | None,
        settle_through: date | None,
        added: Sequence[Fact] = (),
        removed: Position | None = None,
    ) -> Refold:
        refold = Refold(
            self._timeline,
            self._calendar,
            before=before,
            through=through,
            settle_through=settle_through,
            added=added,
            removed=removed,
        )
        state = self._state
        if state.last_fact is None or state.last_fact < before:
            refold.start, refold.needs_replay = state.at_last_fact(), False
        else:
            refold.max_facts = self._checkpoints_from
            refold.start = next(
                (each for each in reversed(self._checkpoints) if each.last_fact and each.last_fact < before), None
            )
        return refold

    def _old_state(self) -> LeadState | None:
        """Returns the state, if it matches the stored checkpoints; None if this update has replaced some of them."""
        is_as_stored = not self._checkpoints and self._checkpoints_from == self._lead.state.fact_count
        return self._state if is_as_stored else None

    def _adopt(self, refold: Refold) -> None:
        """Replaces the checkpoints after the start of a refold with the new ones.

        Raises:
            HistoryInconsistent: More or fewer facts were fed than the lead counts.
        """
        counted, found = self._state.fact_count + refold.facts_added, refold.state.fact_count
        if found != counted:
            raise HistoryInconsistent(
                self._lead.lead_id, f"the number of facts is {counted} in its row, but {found} in its history"
            )
        kept = [each for each in self._checkpoints if each.fact_count <= refold.start_facts]
        self._checkpoints = kept + refold.checkpoints
        self._checkpoints_from = min(self._checkpoints_from, refold.start_facts)

    def _new_ticks(self, refold: Refold) -> Iterator[Tick]:
        decayed = self._state.decayed_through
        return (tick for tick in refold.ticks if decayed is None or tick.day > decayed)

    def _move_to(self, state: LeadState, *, quiet: bool) -> None:
        self._path.extend([self._point(state.score)], quiet=quiet)
        self._state = state

    def _point(self, score: int) -> PathPoint:
        return PathPoint(score, self._timeline.latest.stage_of(score))
