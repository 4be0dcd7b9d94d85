"""The entries that one update appends to a lead's history."""

from datetime import datetime
from typing import Any

from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.lead import Lead
from scoring_service.domain.model import ScoringModel
from scoring_service.domain.timeline import Fact, JudgedEvent, Timeline


class EntryLog:
    """Collects the entries of one update. Each continues the previous one; stages are those of the latest model."""

    def __init__(self, timeline: Timeline, lead: Lead, record_time: datetime) -> None:
        self.entries: list[Entry] = []
        self._timeline = timeline
        self._lead = lead
        self._record_time = record_time

    @property
    def score(self) -> int:
        """The score after the last entry."""
        return self.entries[-1].score_after if self.entries else self._lead.state.score

    @property
    def sequence(self) -> int:
        """The sequence of the last entry."""
        return self._lead.sequence + len(self.entries)

    def append_fact(self, fact: Fact, score: int) -> None:
        """Appends the entry of an event or an adjustment that brings the score to `score`."""
        if isinstance(fact, JudgedEvent):
            event = fact.event
            self.append(
                EntryKind.EVENT,
                score,
                event_id=event.event_id,
                event_time=event.event_time,
                model=fact.model,
                event_type=event.event_type,
                rule_id=fact.rule_id,
                points=fact.points,
                properties=event.properties,
                historical=event.historical,
            )
            return
        adjustment = fact.adjustment
        self.append(
            EntryKind.ADJUSTMENT,
            score,
            event_id=adjustment.event_id,
            event_time=adjustment.event_time,
            model=fact.model,
            points=adjustment.points,
            reason=adjustment.reason,
            actor=adjustment.actor,
            target=adjustment.target,
        )

    def append(
        self,
        kind: EntryKind,
        score: int,
        *,
        event_time: datetime,
        model: ScoringModel,
        event_id: str = "",
        stage_before: str = "",
        **others: Any,  # noqa: ANN401 (fields that only entries of this kind have)
    ) -> None:
        """Appends an entry that brings the score to `score`; `model` is the one in force at its time."""
        before, stage_of = self.score, self._timeline.latest.stage_of
        sequence = self.sequence + 1
        self.entries.append(
            Entry(
                sequence=sequence,
                kind=kind,
                event_id=event_id or f"{kind.value.lower()}:{sequence}:{self._lead.lead_id}",
                event_time=event_time,
                record_time=self._record_time,
                model_version=model.version,
                delta=score - before,
                score_before=before,
                score_after=score,
                stage_before=stage_before or stage_of(before),
                stage_after=stage_of(score),
                **others,
            )
        )


def within(model: ScoringModel, before: int, after: int) -> int:
    """Keeps a score within floor and ceiling; a score that was already outside of them moves no further away."""
    return max(min(after, max(model.score_ceiling, before)), min(model.score_floor, before))
