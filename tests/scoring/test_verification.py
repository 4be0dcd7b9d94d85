"""A lead can be rebuilt from its history alone, whatever happened to it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.entry import facts_of
from scoring_service.domain.model import Decay, Event, Rule, ScoringModel
from scoring_service.domain.timeline import Mode, Publication, Timeline
from scoring_service.domain.verification import Inspection, Stored, rebuilt
from scoring_service.store.schema import built_in
from shared.contracts.events import digest_of
from tests.examples import examples
from tests.scoring.living import UTC_DAYS
from tests.scoring.test_worlds import lasts, lived
from tests.scoring.worlds import Act, Decayed, Scored, models, scripts


@given(models(), scripts(), lasts, models(), st.integers(0, 30))
@examples(300)
def test_a_missing_row_is_rebuilt_even_after_a_long_time(
    model: ScoringModel, script: list[Act], last: date | None, other: ScoringModel, days: int
) -> None:
    """The history still adds up after decay and a publication have changed all other leads."""
    live = lived(model, script, last)
    decayed = live.through and live.through + timedelta(days=days)
    assert rebuilt(live.timeline, UTC_DAYS, Stored("lead", live.lead, None, decayed), live.entries) == live.lead
    number = live.timeline.number + 1
    live.models[number] = replace(other, version=number)
    later = live.publications[-1].publish_time + timedelta(days=days, milliseconds=1)
    publications = [*live.publications, Publication(number, number, number - 1, Mode.RESCORE, later)]
    timeline = Timeline(publications, live.models.__getitem__)
    found = rebuilt(timeline, UTC_DAYS, Stored("lead", None, None, decayed), live.entries)
    assert (found.sequence, found.state.score) == (live.lead.sequence, live.lead.state.score)
    inspection = Inspection(timeline, UTC_DAYS, Stored("lead", found, None, decayed), {}, digest_of)
    violations = [*inspection.entries(live.entries, {})]
    inspection.facts(facts_of(live.entries))
    violations += inspection.end()
    assert not [each for each in violations if each[0] != "I3"]


def test_a_missing_row_is_rebuilt_whose_negative_score_has_risen() -> None:
    """Ticks toward zero raise it, so the date cannot be bisected."""
    decay = Decay(timedelta(days=3), percent_per_day=20, toward_zero=True)
    model = replace(built_in(), rules=(Rule("r0", ("view",), -1),), groups=(), score_floor=-100, decay=decay)
    time = datetime(2026, 3, 1, tzinfo=UTC)
    live = lived(model, [Scored([Event(f"e{number}", "view", time) for number in range(9)]), Decayed(3)], None)
    assert live.lead.state.score > -9, "expected decay to have raised the score"
    for days in (0, 1):
        stored = Stored("lead", None, None, live.through and live.through + timedelta(days=days))
        assert rebuilt(live.timeline, UTC_DAYS, stored, live.entries).state.score == live.lead.state.score
