"""Why the service refuses events of a lead that was erased. The messages name nobody."""

from ingest_service.domain.backlog import retry_seconds


class LeadErased(Exception):
    """The lead was erased, and LEADSCORE_ERASED_LEADS says that its events are refused."""

    field = "lead_id"

    def __init__(self) -> None:
        super().__init__("lead_id: the lead was erased; its events are no longer accepted")


class EventErased(Exception):
    """The event was erased with its lead, which has begun anew."""

    field = "event_id"

    def __init__(self) -> None:
        super().__init__("event_id: the event was erased with its lead; it is not accepted again")


class LeadBeingErased(Exception):
    """The lead is being erased, and may begin anew afterwards. `retry_seconds` is the delay before the next attempt."""

    def __init__(self) -> None:
        super().__init__("the lead is being erased: retry in a minute with the same event_id")
        self.retry_seconds = 5 * retry_seconds()
