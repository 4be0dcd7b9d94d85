"""The scores that a lead goes through in one update, and the transitions for which automations may fire."""

from collections.abc import Iterable, Sequence

from scoring_service.domain.lead import PathPoint, Transition
from scoring_service.domain.timeline import Fact, JudgedEvent


class LeadPath:
    """Collects the points of a path, without consecutive duplicates, and its transitions, except quiet ones."""

    def __init__(self, start: PathPoint) -> None:
        self.points = [start]
        self.transitions: list[Transition] = []

    @property
    def end(self) -> PathPoint:
        """The last point so far."""
        return self.points[-1]

    def extend(self, points: Iterable[PathPoint], *, quiet: bool) -> None:
        """Appends what ticks, a publication or a correction did to the lead."""
        passed = self._append(points)
        if not quiet and len(passed) > 1:
            self.transitions.append(Transition(passed))

    def extend_by(self, facts: Sequence[Fact], point: PathPoint, *, quiet: bool = False) -> None:
        """Appends what facts did to the lead, either all historical or none.

        If the move is `quiet` because something else had a part in it, automations still see the events.
        """
        events = [fact.event for fact in facts if isinstance(fact, JudgedEvent)]
        passed = self._append([point])
        if not any(event.historical for event in events):
            self.transitions.append(Transition(passed[-1:] if quiet else passed, events))

    def _append(self, points: Iterable[PathPoint]) -> list[PathPoint]:
        """Returns the new points, and before them the last one so far."""
        passed = [self.end]
        for point in points:
            if point != passed[-1]:
                passed.append(point)
        self.points += passed[1:]
        return passed
