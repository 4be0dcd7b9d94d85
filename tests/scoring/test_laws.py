"""Properties of the score that hold for all timelines and all orders of arrival."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Lead, Standing
from scoring_service.domain.model import Event
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import JudgedEvent
from tests.examples import examples
from tests.scoring import reference
from tests.scoring.living import UTC_DAYS, LivingLead
from tests.scoring.models import BUILT_IN, FIRST, TIMELINE, judged
from tests.scoring.strategies import START, Arrival, arrivals, lasts, timelines


def score_of(facts: Iterable[JudgedEvent], through: date | None) -> int:
    """Returns the score by the naive implementation."""
    return reference.score_of(reference.World({1: BUILT_IN}, [FIRST], [fact.event for fact in facts]), through)


def live(arrived: list[Arrival]) -> tuple[Lead, list[Entry]]:
    """Records arrivals one after the other, as the service does."""
    living = LivingLead(lambda: TIMELINE)
    for each in arrived:
        living.record(list(each.events), each.through)
    return living.lead, living.entries


@given(st.data())
@examples(400)
def test_the_score_does_not_depend_on_the_order_of_arrival(data: st.DataObject) -> None:
    timeline, last = data.draw(timelines()), data.draw(lasts)
    one, _ = live(data.draw(arrivals(timeline, last)))
    other, _ = live(data.draw(arrivals(timeline, last)))
    assert one.state == other.state
    assert one.state.score == score_of(timeline, last)


@given(st.data())
@examples(300)
def test_the_deltas_add_up_and_the_history_replays_to_the_state(data: st.DataObject) -> None:
    timeline, last = data.draw(timelines()), data.draw(lasts)
    lead, entries = live(data.draw(arrivals(timeline, last)))
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert all(one.score_after == other.score_before for one, other in pairwise(entries))
    assert sum(entry.delta for entry in entries) == entries[-1].score_after == lead.state.score
    assert len({entry.event_id for entry in entries}) == len(entries)
    assert sum(1 for entry in entries if entry.kind is EntryKind.EVENT) == len(timeline)
    facts = TIMELINE.judge_all(entry.fact for entry in entries if entry.kind is EntryKind.EVENT)
    assert fold(TIMELINE, UTC_DAYS, facts, lead.state.decayed_through) == lead.state


@given(timelines(), lasts)
def test_a_second_decay_run_for_a_date_changes_nothing(timeline: list[JudgedEvent], last: date | None) -> None:
    once, entries = live([Arrival(timeline, None), Arrival((), last)])
    twice, more = live([Arrival(timeline, None), Arrival((), last), Arrival((), last)])
    assert (once, entries) == (twice, more)


@given(timelines(), st.integers(0, 80), st.integers(1, 9))
def test_catching_up_on_missed_days_equals_daily_runs(timeline: list[JudgedEvent], first: int, missed: int) -> None:
    days = [START.date() + timedelta(days=first + day) for day in range(missed + 1)]
    daily, _ = live([Arrival(timeline, None), *(Arrival((), day) for day in days)])
    caught_up, entries = live([Arrival(timeline, None), Arrival((), days[0]), Arrival((), days[-1])])
    assert daily.state == caught_up.state
    decayed = [entry for entry in entries if entry.kind is EntryKind.DECAY]
    assert len(decayed) <= 2, "each run must append at most one entry"


def test_an_inactive_lead_decays_to_zero() -> None:
    event = judged(Event("e", "demo_request", START))
    half_a_year_later = (START + timedelta(days=180)).date()
    assert fold(TIMELINE, UTC_DAYS, [event], half_a_year_later).score == 0


def test_decay_begins_with_the_first_midnight_after_seven_days() -> None:
    noon = START + timedelta(hours=12)
    event = judged(Event("e", "contract_signed", noon))
    seventh, eighth = (START + timedelta(days=7)).date(), (START + timedelta(days=8)).date()
    assert fold(TIMELINE, UTC_DAYS, [event], seventh).score == 100
    assert fold(TIMELINE, UTC_DAYS, [event], eighth).score == 95


def test_the_next_event_adds_to_the_decayed_score() -> None:
    first = judged(Event("a", "contract_signed", START))
    second = judged(Event("b", "page_view", START + timedelta(days=8, hours=1)))
    lead, entries = live([Arrival([first], None), Arrival((), date(2026, 3, 9)), Arrival([second], date(2026, 3, 9))])
    assert [(entry.kind, entry.delta) for entry in entries] == [
        (EntryKind.EVENT, 100),
        (EntryKind.DECAY, -10),
        (EntryKind.EVENT, 5),
    ]
    assert (entries[1].first_tick, entries[1].last_tick, entries[1].tick_count) == (
        date(2026, 3, 8),
        date(2026, 3, 9),
        2,
    )
    assert lead.state.score == 95


def test_a_late_event_gets_only_its_own_points() -> None:
    """The late download extends the activity, so less decays afterwards: RECALCULATION has that part, not its entry."""
    arrived = [
        [judged(Event("a", "signup", START + timedelta(hours=10)))],
        [judged(Event("b", "demo_request", START + timedelta(days=1, hours=10)))],
        [judged(Event("c", "page_view", START + timedelta(days=11, hours=10)))],
        [judged(Event("d", "download", START + timedelta(days=2, hours=10)))],
    ]
    through = (None, None, date(2026, 3, 12), date(2026, 3, 12))
    _, entries = live([Arrival(events, last) for events, last in zip(arrived, through, strict=True)])
    assert [(entry.kind, entry.delta, entry.score_after) for entry in entries] == [
        (EntryKind.EVENT, 20, 20),
        (EntryKind.EVENT, 50, 70),
        (EntryKind.DECAY, -12, 58),
        (EntryKind.EVENT, 5, 63),
        (EntryKind.EVENT, 10, 73),
        (EntryKind.RECALCULATION, 4, 77),
    ]


def test_years_of_inactivity_cost_no_more_than_their_ticks() -> None:
    """A score reaches its floor within weeks, and an import may have thousands of leads that return after years."""

    class Counting(Calendar):
        asked = 0

        def midnight(self, day: date) -> datetime:
            Counting.asked += 1
            return super().midnight(day)

    facts = [judged(Event(f"e{year}", "contract_signed", START + timedelta(days=365 * year))) for year in (0, 5)]
    last = (START + timedelta(days=365 * 5)).date()
    builder = HistoryBuilder(TIMELINE, Counting(ZoneInfo("UTC")), Lead("lead"), START)
    assert list(builder.record(facts, Standing(last, 1))) == []
    entries = builder.update().entries
    assert [entry.delta for entry in entries] == [100, -100, 100]
    assert Counting.asked < 5 * entries[1].tick_count


def test_a_tick_comes_before_an_event_of_the_same_instant() -> None:
    midnight = START + timedelta(days=8)
    first = judged(Event("a", "contract_signed", START))
    second = judged(Event("b", "page_view", midnight))
    assert fold(TIMELINE, UTC_DAYS, [first, second], midnight.date()).score == 100 * 95 // 100 * 95 // 100 + 5


def test_dates_begin_at_midnight_of_the_time_zone() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"))
    assert berlin.midnight(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert berlin.date_of(datetime(2026, 6, 30, 22, tzinfo=UTC)) == date(2026, 7, 1)


def test_floor_and_ceiling_show_in_the_history() -> None:
    down = judged(Event("a", "unsubscribe", START))
    up = [judged(Event(f"b{n:03}", "contract_signed", START)) for n in range(101)]
    _, entries = live([Arrival([down], None), Arrival(up, None)])
    assert (entries[0].points, entries[0].delta) == (-20, 0)
    assert (entries[-1].points, entries[-1].delta, entries[-1].score_after) == (100, 0, 10_000)


@given(st.permutations(range(4)))
def test_the_attributes_with_the_latest_event_time_win(order: list[int]) -> None:
    said = [{"name": "Ada"}, {"name": "Ada L.", "company": "ACME"}, {"company": "Analytical"}, {"title": "CTO"}]
    events = [
        judged(Event(f"e{index}", "identify", START + timedelta(hours=index), attributes))
        for index, attributes in enumerate(said)
    ]
    lead, _ = live([Arrival([events[index]], None) for index in order])
    assert lead.state.attributes.values == {"name": "Ada L.", "company": "Analytical", "title": "CTO"}
