"""Replays a golden history with today's domain code, without servers."""

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from scoring_service.domain.calendar import Calendar
from scoring_service.domain.entry import Entry, facts_of
from scoring_service.domain.history import HistoryBuilder
from scoring_service.domain.lead import Decision, Lead, Standing
from scoring_service.domain.refold import Refold
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Timeline
from tests.golden import documents
from tests.golden.documents import Document
from tests.scoring.living import LivingLead, judged_event


class Story:
    """What reached one lead, step by step."""

    def __init__(self, document: Document) -> None:
        self._steps = document["steps"]
        self._models = {
            version: documents.read_model(name, version) for version, name in enumerate(document["models"], 1)
        }
        self._publications = [documents.read_publication(each) for each in document["publications"]]
        self._published = 1
        self._calendar = Calendar(ZoneInfo(document["time_zone"]))
        self._lead = LivingLead(lambda: self._timeline, calendar=self._calendar)

    def outcome(self) -> Document:
        """Lets all steps reach the lead; returns the entries and the final state."""
        for step in self._steps:
            self._do(step)
        return {
            "entries": [documents.write_entry(entry) for entry in self._lead.entries],
            "state": documents.write_lead(self._lead.lead),
        }

    def folded(self, entries: list[Entry]) -> Document:
        """Returns the state that entries fold to, by the last publication and decay date of the story."""
        self._published = len(self._publications)
        through = documents.read_date(self._steps[-1]["through"])
        facts = self._timeline.judge_all(facts_of(entries))
        state = fold(self._timeline, self._calendar, facts, through)
        return documents.write_lead(Lead("lead", len(entries), state, self._published))

    @property
    def _timeline(self) -> Timeline:
        return Timeline(self._publications[: self._published], self._models.__getitem__)

    def _do(self, step: Document) -> None:
        self._published = step.get("published", self._published)
        through = documents.read_date(step["through"])
        if "retract" in step:
            self._lead.write(self._retraction(step["retract"]), through)
        else:
            recorded = [documents.read_fact(fact) for fact in step["facts"]]
            self._lead.record(self._timeline.judge_all(recorded), through)

    def _retraction(self, event_id: str) -> Callable[[HistoryBuilder, Standing], Iterator[Refold]]:
        [entry] = [each for each in self._lead.scored() if each.event_id == event_id]
        event = judged_event(self._timeline, entry)

        def steps(builder: HistoryBuilder, standing: Standing) -> Iterator[Refold]:
            return builder.retract(event, Decision("a test account", "ops@example.com"), standing)

        return steps
