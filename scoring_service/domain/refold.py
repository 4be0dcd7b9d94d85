"""Refolds: recorded facts of a lead are folded again from a checkpoint, with facts added or one removed."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.decay import Tick
from scoring_service.domain.lead_state import EMPTY, LeadState, plus
from scoring_service.domain.replay import replay, settle
from scoring_service.domain.timeline import BEGINNING, POSITION, Fact, Position, Timeline

CHECKPOINT_FACTS = 256
"""Facts between two checkpoints of a lead. A late event reads and folds the facts after the checkpoint before it; with
a smaller number, a very late event rewrites more checkpoints."""


def may_have_checkpoints(state: LeadState) -> bool:
    """Returns whether checkpoints of a lead with this state may be stored. They lie at least half as far apart."""
    return state.fact_count >= CHECKPOINT_FACTS // 2


def is_checkpoint(state: LeadState) -> bool:
    """Returns whether the state right after a fact is stored as a checkpoint."""
    return state.fact_count % CHECKPOINT_FACTS == 0


class Refold:
    """Folds recorded facts, which the caller feeds in pieces, with facts added or one removed.

    1. Call `begin` with the state to start from: `start`, or if that is None the last stored checkpoint before `before`
       with at most `max_facts` facts.
    2. If `needs_replay`, `feed` all recorded facts after that state in the order of their positions, in pieces of any
       size, until `is_finished`.
    3. Call `end`, which folds the remaining added facts and the ticks after the last fact.

    Give `compare` the stored checkpoints after the start to compare the new timeline with the old one. Once a new state
    differs from the checkpoint at the same fact only in counts, all later states differ by the same counts, so the rest
    of the history need not be read.

    Afterwards `state` is the result, `deltas` maps the event id of each added fact to its effect on the score at its
    own position, `ticks` are the ticks with an effect, and `checkpoints` replace all stored ones after the start.
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
        """Applies ticks between facts up to `through`, and ticks after the last fact up to `settle_through`.

        `added` is ordered by position and starts at or after `before`.
        """
        self.before = before
        self.old_state: LeadState | None = None
        """The state of the old timeline, if the timelines differ only in the added and removed facts."""
        self.start: LeadState | None = None
        self.max_facts: int | None = None
        self.needs_replay = True
        self.is_finished = False
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
        self._added_fed = 0
        self._added_positions = {fact.position for fact in added}
        self._removed = removed
        self.facts_added = len(added) - bool(removed)
        self._changes_end = max([fact.position for fact in added[-1:]] + [removed or (BEGINNING, "")])
        self._old_checkpoints: dict[Position | None, LeadState] = {}

    def begin(self, start: LeadState) -> None:
        """Starts from the state right after a fact, or from `EMPTY`."""
        self.state, self.start_facts = start, start.fact_count

    def compare(self, checkpoints: Sequence[LeadState]) -> None:
        """Sets the checkpoints of the old timeline after the start, in order."""
        self._old_checkpoints = {state.last_fact: state for state in checkpoints}

    def feed(self, recorded: Sequence[Fact]) -> None:
        """Folds the next recorded facts, merged with the added facts that belong between them."""
        if not recorded or self.is_finished:
            return
        end = bisect_right(self._added, recorded[-1].position, lo=self._added_fed, key=POSITION)
        added, self._added_fed = self._added[self._added_fed : end], end
        facts = sorted([*recorded, *added], key=POSITION) if added else recorded
        self._fold([fact for fact in facts if fact.position != self._removed] if self._removed else facts)

    def end(self) -> None:
        """Folds the added facts after all recorded ones, and then the ticks after the last fact."""
        if self.is_finished:
            return
        self._fold(self._added[self._added_fed :])
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
            if position in self._added_positions:
                self.deltas[position[1]] = state.score - score_before
            if (
                self._old_checkpoints
                and position in self._old_checkpoints
                and self._converges(state, self._old_checkpoints[position])
            ):
                return
            if is_checkpoint(state):
                self.checkpoints.append(state.at_last_fact())

    def _converges(self, state: LeadState, old: LeadState) -> bool:
        """Finishes the refold if the states of both timelines agree at this fact; returns whether they do."""
        assert state.last_fact is not None  # noqa: S101 (it is the state right after a fact)
        if self.old_state is None or state.last_fact <= self._changes_end or not state.differs_only_in_counts(old):
            return False
        self.is_finished = True
        more = plus(state.contributions, {rule_id: -points for rule_id, points in old.contributions.items()})

        def shifted(each: LeadState) -> LeadState:
            return each._replace(
                fact_count=each.fact_count + state.fact_count - old.fact_count,
                event_count=each.event_count + state.event_count - old.event_count,
                first_event_time=state.first_event_time,
                contributions=plus(each.contributions, more),
            )

        last = self.checkpoints[-1].fact_count if self.checkpoints else self.start_facts
        for each in map(shifted, self._old_checkpoints.values()):
            # Keep checkpoints apart, so that a series of late events does not accumulate them; see
            # `may_have_checkpoints`.
            if each.fact_count >= max(state.fact_count, last + CHECKPOINT_FACTS // 2):
                self.checkpoints.append(each)
                last = each.fact_count
        self.state = shifted(self.old_state)
        return True
