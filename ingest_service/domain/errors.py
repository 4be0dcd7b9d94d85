"""Why the service refuses an event for good."""

from collections.abc import Sequence


class InvalidEvent(Exception):
    """An event is invalid. `field` is the path of the invalid field, `str(error)` a message for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class EventIdConflict(Exception):
    """The event id belongs to another event. `differing_fields` are the fields in which the two differ."""

    field = "event_id"

    def __init__(self, event_id: str, differing_fields: Sequence[str]) -> None:
        names = ", ".join(differing_fields)
        # The names come first, because the end of a long message is cut.
        super().__init__(f"event_id: differs in {names} from the event stored as {event_id!r}; nothing was changed")
        self.differing_fields = tuple(differing_fields)
        self.metadata = {"differing_fields": ",".join(differing_fields)}
