"""Properties can be removed from recorded events: their verdicts are enough to compute every score again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from hypothesis import given

from scoring_service.domain.attributes import NO_ATTRIBUTES
from scoring_service.domain.entry import Entry, EntryKind, facts_of
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event, Rule, ScoringModel
from scoring_service.domain.timeline import Timeline
from scoring_service.domain.verification import Inspection, ScoredEvent, Stored
from shared.contracts.events import digest_of
from tests.examples import examples
from tests.scoring.living import UTC_DAYS
from tests.scoring.models import BUILT_IN
from tests.scoring.strategies import START
from tests.scoring.test_worlds import lasts, lived
from tests.scoring.worlds import Act, models, scripts


def removed(timeline: Timeline, entries: Sequence[Entry]) -> list[Entry]:
    """Returns the entries after the removal of all properties."""
    return [
        entry._replace(properties={}, verdicts=timeline.verdicts(entry.event))
        if entry.kind is EntryKind.EVENT
        else entry
        for entry in entries
    ]


@given(models(), scripts(), lasts)
@examples(300)
def test_a_lead_without_properties_verifies_and_has_all_of_its_numbers(
    model: ScoringModel, script: list[Act], last: date | None
) -> None:
    live = lived(model, script, last)
    lead = live.lead._replace(state=live.lead.state._replace(attributes=NO_ATTRIBUTES))
    entries = removed(live.timeline, live.entries)
    assert violations(live.timeline, lead, entries) == []
    assert [each.points for each in entries] == [each.points for each in live.entries]


def violations(timeline: Timeline, lead: Lead, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Returns what a verification finds; the scored events have the digests of other properties."""
    events = {
        entry.event_id: ScoredEvent(entry.event_type, entry.event_time, digest_of({"removed": True}))
        for entry in entries
        if entry.kind is EntryKind.EVENT
    }
    inspection = Inspection(timeline, UTC_DAYS, Stored("lead", lead, None, None), {}, digest_of)
    found = [*inspection.entries(entries, events)]
    inspection.facts(sorted(facts_of(entries), key=lambda fact: (fact.event_time, fact.event_id)))
    return [*found, *inspection.end()]


def test_a_later_version_gives_the_points_of_its_rule_with_the_same_id() -> None:
    event = Event("e", "signup", START, verdicts=((1, "old"), (3, "signup"), (5, "")))
    rules = (Rule("signup", ("signup",), 7), Rule("any", ("signup",), 1))

    def rule_id_under(version: int) -> str:
        found = replace(BUILT_IN, version=version, rules=rules).rule_for(event)
        return found.rule_id if found else ""

    assert [rule_id_under(version) for version in (1, 2, 3, 4)] == ["", "", "signup", "signup"]
    assert [rule_id_under(version) for version in (5, 9)] == ["", ""]


def test_a_version_from_before_the_verdicts_has_the_first_one() -> None:
    event = Event("e", "signup", START, verdicts=((3, "signup"),))
    found = replace(BUILT_IN, version=1, rules=(Rule("signup", ("signup",), 7),)).rule_for(event)
    assert found is not None
    assert found.points == 7
