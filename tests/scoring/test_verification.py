"""A lead can be rebuilt from its history alone, whatever happened to it."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.entry import facts_of
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import Mode, Publication, Timeline
from scoring_service.domain.verification import Inspection, Stored, rebuilt
from shared.contracts.events import digest_of
from tests.examples import examples
from tests.scoring.living import UTC_DAYS
from tests.scoring.test_worlds import lasts, lived
from tests.scoring.worlds import Act, models, scripts


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
