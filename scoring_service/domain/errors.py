"""Errors about leads, events and histories that callers see.

LeadNotFound, EventNotFound, EventNotScored      the object does not exist (yet)
RequestIdConflict                                an idempotency key was reused for another request
HistoryInconsistent                              stored data contradicts itself
DecayDateAhead                                   the date has not begun on the database server's clock
"""

from datetime import date, datetime


class LeadNotFound(Exception):
    """No event of the lead has been scored, or none by the requested time, if there is one."""

    def __init__(self, lead_id: str, as_of_time: datetime | None = None) -> None:
        by = f" by {as_of_time:%Y-%m-%d %H:%M:%S} UTC" if as_of_time else ""
        super().__init__(f"no event of lead {lead_id!r} has been scored{by}")


class EventNotFound(Exception):
    """The event does not exist."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id!r} does not exist")


class EventNotScored(Exception):
    """The event was accepted but has not been scored yet."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id!r} has not been scored yet; retry later")


class RequestIdConflict(Exception):
    """The request id was already used for a different request."""

    field = "request_id"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id: {request_id!r} was already used for a different adjustment; nothing was changed")


class HistoryInconsistent(Exception):
    """The entries of a lead contradict each other, so no score can be rebuilt from them."""

    def __init__(self, lead_id: str, message: str) -> None:
        super().__init__(
            f"the history of lead {lead_id!r} contradicts itself ({message}); `leadscore verify` lists all violations"
        )
        self._arguments = lead_id, message

    def __reduce__(self) -> tuple[type["HistoryInconsistent"], tuple[str, str]]:
        """Makes a copy in another process possible."""
        return type(self), self._arguments


class DecayDateAhead(Exception):
    """The requested decay date has not begun on the database server's clock."""

    field = "as_of_time"

    def __init__(self, asked: date, reached: date) -> None:
        super().__init__(
            f"as_of_time: {asked} has not begun: it is {reached} on the database server's clock. Check the clocks of "
            "the caller and of the database server"
        )
