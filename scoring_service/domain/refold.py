"""Refolds: a lead's past folded anew from a checkpoint, with something changed in it."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.replay import replay, settle
from scoring_service.domain.timeline import POSITION, Fact, Position, Timeline

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
    that state in the order of their positions, in pieces of any size. `end` folds what is left.

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
        self.start: LeadState | None = None
        self.max_facts: int | None = None
        self.needs_past = True
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

    def begin(self, start: LeadState) -> None:
        """Starts from the state right after a fact, or from `EMPTY`."""
        self.state, self.start_facts = start, start.fact_count

    def feed(self, past: Sequence[Fact]) -> None:
        """Folds the next recorded facts, with those of the added ones that belong among them."""
        if not past:
            return
        end = bisect_right(self._added, past[-1].position, lo=self._taken, key=POSITION)
        added, self._taken = self._added[self._taken : end], end
        facts = sorted([*past, *added], key=POSITION) if added else past
        self._fold([fact for fact in facts if fact.position != self._removed] if self._removed else facts)

    def end(self) -> None:
        """Folds the added facts that lie after all recorded ones, and the ticks after the last fact."""
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
            if fact.position in self._noted:
                self.deltas[fact.position[1]] = state.score - score_before
            if is_checkpoint(state):
                self.checkpoints.append(state.at_last_fact())
