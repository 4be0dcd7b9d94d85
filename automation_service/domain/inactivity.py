"""The search for inactive leads after each daily run."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from automation_service.domain.lead import DECAY, NO_ROW, Change, Transition


class InactiveLead(NamedTuple):
    """A lead that has had no event for some time; `sequence` is that of its last history entry."""

    lead_id: str
    score: int
    stage: str
    last_event_time: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class Search:
    """A search that began at `begin_time`, for leads that have had no event since `since`.

    `date_bucket` is the date of the daily run that it follows, YYYY-MM-DD. `token` is that of the next page.
    """

    date_bucket: str
    begin_time: datetime
    since: datetime
    token: str = ""
    is_done: bool = False

    def change_of(self, lead: InactiveLead) -> Change:
        """Returns the change at which rules for inactivity are evaluated: one that leaves the lead as it is."""
        transition = Transition((lead.score,), (lead.stage,))
        return Change(
            row=NO_ROW,
            lead_id=lead.lead_id,
            sequence=lead.sequence,
            scores=transition.scores,
            stages=transition.stages,
            event_types=(),
            date_bucket=self.date_bucket,
            last_event_time=lead.last_event_time,
            inactive_days=(self.begin_time - lead.last_event_time) // timedelta(days=1),
            kinds=(DECAY,),
            transitions=(transition,),
        )
