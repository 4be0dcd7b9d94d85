"""For any facts in any order under any models, the live state equals the replay and the naive reference."""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain import refold
from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Decision, Lead, Standing
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Adjustment, Mode, Publication, Timeline
from tests.examples import examples
from tests.scoring import reference
from tests.scoring.living import UTC_DAYS, LivingLead, judged_event
from tests.scoring.reference import World
from tests.scoring.strategies import START
from tests.scoring.worlds import Act, Adjusted, Decayed, Published, Retracted, Scored, models, scripts

DAY = timedelta(days=1)
WORLDS = int(os.environ.get("WORLDS", "500"))
"""Number of random worlds in the main test; `make laws` tries 2,000."""


@pytest.fixture(autouse=True)
def many_checkpoints() -> Iterator[None]:
    """Stores a checkpoint after every third fact: worlds have few facts, and refolds should start at checkpoints."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refold, "CHECKPOINT_FACTS", 3)
        yield


@dataclass
class Live:
    """Does what the service does to one lead, without a database; with `forgetful`, loses checkpoints at random."""

    models: dict[int, ScoringModel]
    publications: list[Publication] = field(default_factory=list)
    through: date | None = None
    forgetful: random.Random | None = None

    def __post_init__(self) -> None:
        self.publications.append(Publication(1, 1, 0, Mode.RESCORE, START))
        self.stored = LivingLead(lambda: self.timeline)

    @property
    def timeline(self) -> Timeline:
        """The timeline so far."""
        return Timeline(list(self.publications), self.models.__getitem__)

    @property
    def lead(self) -> Lead:
        """The lead's row."""
        return self.stored.lead

    @property
    def entries(self) -> list[Entry]:
        """The lead's history."""
        return self.stored.entries

    def do(self, act: Act) -> None:
        """Records one act."""
        if self.forgetful:
            self.stored.checkpoints = {
                number: state for number, state in self.stored.checkpoints.items() if self.forgetful.random() < 0.7
            }
        if isinstance(act, Published):
            self._publish(act)
        elif isinstance(act, Decayed):
            begin = self.through or START.date()
            self.through = begin + timedelta(days=act.days)
            self.stored.record([], self.through)
        elif isinstance(act, Scored):
            self.stored.record(list(map(self.timeline.judge, act.events)), self.through)
        elif isinstance(act, Adjusted):
            self._adjust(act)
        else:
            self._retract(act)

    def finish(self, last: date | None) -> None:
        """Rolls out the last publication, and runs decay one last time."""
        if last is not None:
            self.through = max(self.through or last, last)
        self.stored.record([], self.through)

    def reset_decay(self, to: date) -> None:
        """Sets decay back to a date."""
        self.through = to
        self.stored.record([], to)

    def _publish(self, act: Published) -> None:
        last = self.publications[-1]
        number, version = last.number + 1, last.version
        if act.mode is not Mode.REFOLD:
            version = number
            self.models[version] = replace(act.model, version=version)
        time = last.publish_time + act.later
        self.publications.append(Publication(number, version, last.version, act.mode, time))
        if act.at_once:
            self.stored.record([], self.through)

    def _adjust(self, act: Adjusted) -> None:
        self.stored.record([], self.through)
        points = act.delta if act.target is None else act.target - self.lead.state.score
        made = Adjustment(f"adjustment:{act.number}", act.time, points or 0, "because", "tester", act.target)
        self.stored.record([self.timeline.judge_adjustment(made)], self.through)

    def _retract(self, act: Retracted) -> None:
        scored = self.stored.scored()
        if not scored:
            return
        event = judged_event(self.timeline, scored[int(act.which * len(scored))])

        def steps(builder: HistoryBuilder, standing: Standing) -> Iterator[refold.Refold]:
            return builder.retract(event, Decision("because", "tester"), standing)

        self.stored.write(steps, self.through)

    def reference(self, through: date | None) -> int:
        """Returns the score with all ticks up to a date, by the naive implementation."""
        return reference.score_of(self.world(), through)

    def world(self) -> World:
        """Returns everything that happened, as input of the naive implementation."""
        return World(self.models, self.publications, *self.stored.happened())


def lived(
    model: ScoringModel, script: Sequence[Act], last: date | None, forgetful: random.Random | None = None
) -> Live:
    """Plays a script, starting with a first model."""
    live = Live({1: replace(model, version=1)}, forgetful=forgetful)
    for act in script:
        live.do(act)
    live.finish(last)
    return live


lasts = st.none() | st.integers(0, 90).map(lambda days: START.date() + timedelta(days=days))
forgetfuls = st.none() | st.randoms(use_true_random=False)


@given(models(), scripts(), lasts, forgetfuls)
@examples(WORLDS)
def test_live_is_replay_is_reference(
    model: ScoringModel, script: list[Act], last: date | None, forgetful: random.Random | None
) -> None:
    live = lived(model, script, last, forgetful)
    assert live.lead.state.score == live.reference(live.through)
    timeline = live.timeline
    assert fold(timeline, UTC_DAYS, live.stored.facts(timeline), live.lead.state.decayed_through) == live.lead.state


@given(models(), scripts(), lasts)
@examples(150)
def test_checkpoints_are_states_of_the_replay(model: ScoringModel, script: list[Act], last: date | None) -> None:
    live = lived(model, script, last)
    timeline, through = live.timeline, live.lead.state.decayed_through
    facts = live.stored.facts(timeline)
    for number, kept in live.stored.checkpoints.items():
        end = facts[:number]
        # A checkpoint includes neither the ticks after its last fact nor the decay date.
        state = fold(timeline, UTC_DAYS, end, min(through, UTC_DAYS.date_of(end[-1].position[0])) if through else None)
        assert kept == state.at_last_fact(), f"the checkpoint of {number} facts must equal the state of the replay"
    distances = [after - before for before, after in pairwise([0, *live.stored.checkpoints, len(facts)])]
    assert max(distances, default=0) <= 5, "checkpoints must stay close together, even where refolds ended early"


@given(models(), scripts(), lasts)
@examples(150)
def test_the_deltas_add_up_to_the_score(model: ScoringModel, script: list[Act], last: date | None) -> None:
    live = lived(model, script, last)
    entries = live.entries
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert all(one.score_after == other.score_before for one, other in pairwise(entries))
    assert all(one.stage_after == other.stage_before for one, other in pairwise(entries))
    assert entries[-1].stage_after == live.timeline.latest.stage_of(live.lead.state.score)
    assert sum(entry.delta for entry in entries) == entries[-1].score_after == live.lead.state.score
    assert len({entry.event_id for entry in entries}) == len(entries)
    for entry in entries:
        bounds = live.models[entry.model_version]
        if entry.kind in (EntryKind.EVENT, EntryKind.ADJUSTMENT):
            low, high = min(bounds.score_floor, entry.score_before), max(bounds.score_ceiling, entry.score_before)
            assert low <= entry.score_after <= high, f"entry {entry.sequence} must stay within floor and ceiling"


@given(models(), scripts(), lasts)
@examples(150)
def test_an_entry_shows_the_effect_of_its_event_at_its_position(
    model: ScoringModel, script: list[Act], last: date | None
) -> None:
    """Later changes that a late event causes are never part of its entry. Floor and ceiling may reduce its delta."""
    live = Live({1: replace(model, version=1)})
    for act in [*script, Scored([])]:
        before, known = live.lead.state.score, len(live.entries)
        live.do(act)
        if not isinstance(act, Scored):
            continue
        effects = reference.effects_of(live.world(), live.through)
        running = before
        for entry in live.entries[known:]:
            if entry.kind is EntryKind.EVENT:
                bounds = live.models[entry.model_version]
                wanted = running + effects[entry.event_id]
                low, high = min(bounds.score_floor, running), max(bounds.score_ceiling, running)
                assert entry.score_after == max(low, min(high, wanted))
            running = entry.score_after
        assert running == live.reference(live.through)


@given(models(), scripts(), st.integers(0, 90).map(lambda days: START.date() + timedelta(days=days)))
@examples(150)
def test_a_decay_run_appends_one_entry_for_all_ticks(model: ScoringModel, script: list[Act], last: date) -> None:
    """This includes deferred ticks: those before the last fact, with limits, floors and ceilings after them."""
    live = lived(model, script, None)
    before, recorded = live.through, len(live.entries)
    score = live.lead.state.score
    live.finish(last)
    appended = live.entries[recorded:]
    change = live.reference(live.through) - score
    assert [entry.delta for entry in appended if entry.kind is EntryKind.DECAY] == ([change] if change else [])
    for entry in appended:
        days = [day for day in reference.ticks_of(live.world(), live.through) if before is None or day > before]
        assert (entry.first_tick, entry.last_tick, entry.tick_count) == (days[0], days[-1], len(days))


@given(models(), scripts(), st.integers(0, 90), st.integers(0, 60))
@examples(150)
def test_a_decay_reset_gives_the_score_of_that_date(
    model: ScoringModel, script: list[Act], days: int, back: int
) -> None:
    last = START.date() + timedelta(days=days)
    live = lived(model, script, last)
    assert live.through is not None
    to = live.through - back * DAY
    live.reset_decay(to)
    assert live.lead.state.score == live.reference(to)
    assert live.lead.state.decayed_through == to
    live.finish(last)
    assert live.lead.state.score == live.reference(live.through)
    assert len({entry.event_id for entry in live.entries}) == len(live.entries)


@given(models(), scripts(), lasts)
@examples(150)
def test_a_path_holds_only_scores_that_the_lead_had(model: ScoringModel, script: list[Act], last: date | None) -> None:
    """Triggers see the score before and after late events, never an intermediate sum."""
    live = lived(model, script, last)
    for update in live.stored.updates:
        assert update.path[0].score == update.before.state.score
        assert update.path[-1].score == update.after.state.score
        kinds = {entry.kind for entry in update.entries}
        if EntryKind.RECALCULATION in kinds and not kinds & {EntryKind.DECAY, EntryKind.MODEL}:
            settled = [entry for entry in update.entries if entry.kind is EntryKind.RECALCULATION][-1]
            late = {entry.score_after for entry in update.entries if entry.sequence < settled.sequence}
            after = {entry.score_after for entry in update.entries if entry.sequence >= settled.sequence}
            ends = {update.before.state.score, *after}
            assert not {point.score for point in update.path} & (late - ends)


@given(st.data(), models(), scripts())
@examples(150)
def test_order_and_batching_of_events_do_not_change_the_state(
    data: st.DataObject, model: ScoringModel, script: list[Act]
) -> None:
    """Only events arrive in an arbitrary order: the test shuffles them among the other acts, which keep theirs."""
    script = [act for act in script if not isinstance(act, Adjusted | Retracted)]
    last = START.date() + timedelta(days=90)
    events = [event for act in script if isinstance(act, Scored) for event in act.events]
    other: list[Act] = [act for act in script if not isinstance(act, Scored)]
    for event in data.draw(st.permutations(events)):
        other.insert(data.draw(st.integers(0, len(other))), Scored([event]))
    one, two = lived(model, script, last), lived(model, other, last)
    assert one.lead.state == two.lead.state
