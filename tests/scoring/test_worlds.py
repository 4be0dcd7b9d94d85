"""Whatever happens in whatever order, under whatever models: live = replay = the naive reference."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_service.domain.fold import Calendar
from scoring_service.domain.history import Entry, EntryKind, Lead, Recorder, replay, steps_of
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.timeline import Adjustment, Mode, Publication, Timeline
from tests.scoring import reference
from tests.scoring.strategies import START
from tests.scoring.worlds import Act, Adjusted, Decayed, Published, Retracted, Scored, models, scripts

DAY = timedelta(days=1)
UTC_DAYS = Calendar(ZoneInfo("UTC"))


@dataclass
class Live:
    """What the service does to one lead, without a database."""

    models: dict[int, ScoringModel]
    publications: list[Publication] = field(default_factory=list)
    lead: Lead = field(default_factory=lambda: Lead("lead"))
    entries: list[Entry] = field(default_factory=list)
    through: date | None = None

    def __post_init__(self) -> None:
        self.publications.append(Publication(1, 1, 0, Mode.RESCORE, START))

    @property
    def timeline(self) -> Timeline:
        """The timeline so far."""
        return Timeline(list(self.publications), self.models.__getitem__)

    def do(self, act: Act) -> None:
        """Records what happens."""
        if isinstance(act, Published):
            self._publish(act)
        elif isinstance(act, Decayed):
            begin = self.through or START.date()
            self.through = begin + timedelta(days=act.days)
            self._record(self._recorder())
        elif isinstance(act, Scored):
            recorder = self._recorder()
            recorder.steps([self.timeline.judge(event) for event in act.events], self.through)
            self._record(recorder)
        elif isinstance(act, Adjusted):
            self._adjust(act)
        else:
            self._retract(act)

    def finish(self, last: date | None) -> None:
        """Rolls out what was published, and runs decay a last time."""
        if last is not None:
            self.through = max(self.through or last, last)
        self._record(self._recorder())

    def _recorder(self) -> Recorder:
        timeline = self.timeline
        return Recorder(timeline, UTC_DAYS, self.lead, steps_of(timeline, self.entries), START)

    def _record(self, recorder: Recorder) -> None:
        recorder.steps((), self.through)
        recorded = recorder.recorded()
        self.lead = recorded.after
        self.entries += recorded.entries

    def _publish(self, act: Published) -> None:
        last = self.publications[-1]
        version = last.number + 1
        self.models[version] = replace(act.model, version=version)
        time = last.publish_time + act.later
        self.publications.append(Publication(version, version, last.version, act.mode, time))
        if act.at_once:
            self._record(self._recorder())

    def _adjust(self, act: Adjusted) -> None:
        recorder = self._recorder()
        recorder.steps((), self.through)
        points = act.delta if act.target is None else act.target - recorder.score
        made = Adjustment(f"adjustment:{act.number}", act.time, points or 0, "because", "tester", act.target)
        recorder.steps([self.timeline.judge_adjustment(made)], self.through)
        self._record(recorder)

    def _retract(self, act: Retracted) -> None:
        gone = {entry.retracted_event_id for entry in self.entries if entry.kind is EntryKind.RETRACTION}
        scored = [entry for entry in self.entries if entry.kind is EntryKind.EVENT and entry.event_id not in gone]
        if scored:
            entry = scored[int(act.which * len(scored))]
            event = Event(entry.event_id, entry.event_type, entry.event_time, entry.properties)
            recorder = self._recorder()
            recorder.steps((), self.through)
            recorder.retraction(self.timeline.judge(event), "because", "tester")
            self._record(recorder)

    def reference(self, through: date | None) -> int:
        """Returns the score with all ticks up to a date by the naive way."""
        gone = {entry.retracted_event_id for entry in self.entries if entry.kind is EntryKind.RETRACTION}
        world = reference.World(
            self.models,
            self.publications,
            [
                Event(entry.event_id, entry.event_type, entry.event_time, entry.properties)
                for entry in self.entries
                if entry.kind is EntryKind.EVENT and entry.event_id not in gone
            ],
            [
                Adjustment(entry.event_id, entry.event_time, entry.points, "", "")
                for entry in self.entries
                if entry.kind is EntryKind.ADJUSTMENT
            ],
        )
        return reference.score_of(world, through)


def lived(model: ScoringModel, script: Sequence[Act], last: date | None) -> Live:
    """Lets a script happen under a first model."""
    live = Live({1: replace(model, version=1)})
    for act in script:
        live.do(act)
    live.finish(last)
    return live


lasts = st.none() | st.integers(0, 90).map(lambda days: START.date() + timedelta(days=days))


@given(models(), scripts(), lasts)
@settings(max_examples=600)
def test_live_is_replay_is_reference(model: ScoringModel, script: list[Act], last: date | None) -> None:
    live = lived(model, script, last)
    assert live.lead.state.score == live.reference(live.through)
    assert replay(live.timeline, UTC_DAYS, live.entries, live.lead.state.decayed_through) == live.lead.state


@given(models(), scripts(), lasts)
@settings(max_examples=200)
def test_the_history_adds_up(model: ScoringModel, script: list[Act], last: date | None) -> None:
    live = lived(model, script, last)
    entries = live.entries
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert all(one.score_after == other.score_before for one, other in pairwise(entries))
    assert all(one.stage_after == other.stage_before for one, other in pairwise(entries))
    assert entries[-1].stage_after == live.timeline.latest.stage_of(live.lead.state.score)
    assert sum(entry.delta for entry in entries) == entries[-1].score_after == live.lead.state.score
    assert len({entry.event_id for entry in entries}) == len(entries)


@given(models(), scripts(), st.integers(0, 90).map(lambda days: START.date() + timedelta(days=days)))
@settings(max_examples=200)
def test_each_tick_is_worth_what_it_changes(model: ScoringModel, script: list[Act], last: date) -> None:
    """Also those that lie before steps which decay has never come to, with limits, floors and ceilings after them."""
    live = lived(model, script, None)
    before, recorded = live.through or START.date() - DAY, len(live.entries)
    live.finish(last)
    days = [before + DAY * number for number in range(1, (last - before).days + 1)]
    worth = {f"decay:{day}:lead": live.reference(day) - live.reference(day - DAY) for day in days}
    assert {entry.event_id: entry.delta for entry in live.entries[recorded:]} == {
        event_id: delta for event_id, delta in worth.items() if delta
    }


@given(st.data(), models(), scripts())
@settings(max_examples=200)
def test_the_order_and_the_cut_of_the_events_do_not_matter(
    data: st.DataObject, model: ScoringModel, script: list[Act]
) -> None:
    """Events are the only acts whose order is nobody's decision: the others stay, the events come in any other way."""
    script = [act for act in script if not isinstance(act, Adjusted | Retracted)]
    last = START.date() + timedelta(days=90)
    events = [event for act in script if isinstance(act, Scored) for event in act.events]
    other: list[Act] = [act for act in script if not isinstance(act, Scored)]
    for event in data.draw(st.permutations(events)):
        other.insert(data.draw(st.integers(0, len(other))), Scored([event]))
    one, two = lived(model, script, last), lived(model, other, last)
    assert one.lead.state == two.lead.state
