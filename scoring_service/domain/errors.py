"""What callers can be told about leads, events and histories.

LeadNotFound, EventNotFound, EventNotScored      what was asked for is not there (yet)
RequestIdConflict                                an idempotency key was used for something else
HistoryInconsistent                              stored data contradicts itself
DecayDateAhead                                   a date that the database has not reached
"""

from datetime import date


class LeadNotFound(Exception):
    """No event of this lead has been scored, or none by the time asked for."""

    def __init__(self, lead_id: str) -> None:
        super().__init__(f"no event of lead {lead_id!r} has been scored by then")


class EventNotFound(Exception):
    """There is no such event."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"there is no event {event_id!r}")


class EventNotScored(Exception):
    """The event was accepted and has not been scored yet."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id!r} has not been scored yet; call again")


class RequestIdConflict(Exception):
    """A request id was used for another request."""

    field = "request_id"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id: {request_id!r} was used for another adjustment; nothing was changed")


class HistoryInconsistent(Exception):
    """The entries of a lead contradict each other, so no score can be rebuilt from them."""

    def __init__(self, lead_id: str, message: str) -> None:
        super().__init__(
            f"the history of lead {lead_id!r} contradicts itself ({message}); `leadscore verify` lists all violations"
        )


class DecayDateAhead(Exception):
    """Decay was asked for a date that has not begun by the database's own clock."""

    field = "as_of_time"

    def __init__(self, asked: date, reached: date) -> None:
        super().__init__(
            f"as_of_time: {asked} has not begun; the database's clock says {reached}. Check the clock of the caller "
            "and of this server"
        )
