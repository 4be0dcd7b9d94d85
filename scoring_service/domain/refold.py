"""Refolds: a lead's past folded anew from a checkpoint, with something changed in it."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick
from scoring_service.domain.lead_state import EMPTY, LeadState, plus
from scoring_service.domain.replay import replay, settle
from scoring_service.domain.timeline import BEGINNING, POSITION, Fact, Position, Timeline

CHECKPOINT_FACTS = 256
"""A lead keeps a checkpoint for every so many facts; a late event reads and folds at least what follows the last one
before it. Fewer facts make more checkpoints to rewrite after a very late event."""


def is_checkpoint(state: LeadState) -> bool:
    """Tells whether the state right after a fact is one that is kept."""
    return state.fact_count % CHECKPOINT_FACTS == 0


class Refold:
    """Folds a lead's past, which is fed to it piece by piece, with facts added to it or one taken out.

    Call `begin` with the state to start from: `start`, or where that is None the last stored checkpoint that lies
    before `before` and has at most `max_facts` facts. Where the refold `needs_past`, `feed` it all recorded facts after
    that state in the order of their positions, in pieces of any size, until it `is_over`. `end` folds what is left.

    Give `compare` the stored checkpoints after the start to fold the new timeline beside the old one, in lockstep. As
    soon as the new state at one of them differs from it only in what was counted, all that follows differs in the same
    counts, and the rest of the past need not be read.

    Then `state` is the result, `deltas` what each added fact does to the score at its own place, by event id, `ticks`
    the ticks with an effect, and `checkpoints` the states to keep instead of all stored ones after the start.
    """

    def __init__(
        self,
        timeline: Timeline,
        calendar: Calendar,
        *,
        before: Position,
        through: date | None,
        settle_through: date | None,
        added: Sequence[Fact] = (),
        removed: Position | None = None,
    ) -> None:
        """Ticks between facts are applied up to `through`, those after the last fact up to `settle_through`.

        `added` is in the order of the positions, and none lies before `before`.
        """
        self.before = before
        self.old_state: LeadState | None = None
        """The state of the old timeline, if nothing differs but what is added or removed."""
        self.start: LeadState | None = None
        self.max_facts: int | None = None
        self.needs_past = True
        self.is_over = False
        self.state = EMPTY
        self.deltas: dict[str, int] = {}
        self.ticks: list[Tick] = []
        self.checkpoints: list[LeadState] = []
        self.start_facts = 0
        self._timeline = timeline
        self._calendar = calendar
        self._through = through
        self._settle_through = settle_through
        self._added = added
        self._taken = 0
        self._noted = {fact.position for fact in added}
        self._removed = removed
        self.facts_added = len(added) - bool(removed)
        self._changes_end = max([fact.position for fact in added[-1:]] + [removed or (BEGINNING, "")])
        self._old: dict[Position | None, LeadState] = {}

    def begin(self, start: LeadState) -> None:
        """Starts from the state right after a fact, or from `EMPTY`."""
        self.state, self.start_facts = start, start.fact_count

    def compare(self, checkpoints: Sequence[LeadState]) -> None:
        """Takes the checkpoints of the old timeline after the start, in order."""
        self._old = {state.last_fact: state for state in checkpoints}

    def feed(self, past: Sequence[Fact]) -> None:
        """Folds the next recorded facts, with those of the added ones that belong among them."""
        if not past or self.is_over:
            return
        end = bisect_right(self._added, past[-1].position, lo=self._taken, key=POSITION)
        added, self._taken = self._added[self._taken : end], end
        facts = sorted([*past, *added], key=POSITION) if added else past
        self._fold([fact for fact in facts if fact.position != self._removed] if self._removed else facts)

    def end(self) -> None:
        """Folds the added facts that lie after all recorded ones, and the ticks after the last fact."""
        if self.is_over:
            return
        self._fold(self._added[self._taken :])
        settled = settle(self._timeline, self._calendar, self.state, self._settle_through)
        self.state = settled.state
        self.ticks += settled.ticks

    def _fold(self, facts: Sequence[Fact]) -> None:
        for fact, ticks, score_before, state in replay(
            self._timeline, self._calendar, facts, self._through, self.state
        ):
            self.state = state
            self.ticks += ticks
            if fact is None:
                continue
            position = fact.position
            if position in self._noted:
                self.deltas[position[1]] = state.score - score_before
            if self._old and position in self._old and self._meets(state, self._old[position]):
                return
            if is_checkpoint(state):
                self.checkpoints.append(state.at_last_fact())

    def _meets(self, state: LeadState, old: LeadState) -> bool:
        """Ends the refold where the new timeline meets the old one again."""
        assert state.last_fact is not None  # noqa: S101 (it is the state right after a fact)
        if self.old_state is None or state.last_fact <= self._changes_end or not state.differs_only_in_counts(old):
            return False
        self.is_over = True
        more = plus(state.contributions, {rule_id: -points for rule_id, points in old.contributions.items()})

        def shifted(each: LeadState) -> LeadState:
            return each._replace(
                fact_count=each.fact_count + state.fact_count - old.fact_count,
                event_count=each.event_count + state.event_count - old.event_count,
                first_event_time=state.first_event_time,
                contributions=plus(each.contributions, more),
            )

        last = self.checkpoints[-1].fact_count if self.checkpoints else self.start_facts
        for each in map(shifted, self._old.values()):
            # Events that come late one after the other must not leave more and more checkpoints.
            if each.fact_count >= max(state.fact_count, last + CHECKPOINT_FACTS // 2):
                self.checkpoints.append(each)
                last = each.fact_count
        self.state = shifted(self.old_state)
        return True
