"""Sets the responses of the webhook receiver, and records its requests."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from standardwebhooks import Webhook

from chaos.journal import Journal, Request
from testkit.receiver import SECRET, Behaviour, Receiver, Writer
from testkit.receiver import Request as Received

GOOD, HOSTILE = "/good", "/hostile"
"""The paths of the receiver: the first accepts every request, the second may misbehave."""


class Receipts:
    """Sets how the receiver answers, and records every request in the journal.

    `show(lead_id, sequence, **fields)` records the fields of an entry that a delivery showed.
    """

    def __init__(self, receiver: Receiver, journal: Journal, show: Callable[..., None]) -> None:
        self._receiver = receiver
        self._journal = journal
        self._show = show
        self._leads: set[tuple[str, str]] = set()

    def answer(self, path: str, behaviour: Behaviour, status: int) -> None:
        """Sets the behaviour of the receiver at a path, and the HTTP status that the journal gets (0: none)."""

        async def behave(received: Received, writer: Writer) -> None:
            self._record(received, status)
            await behaviour(received, writer)

        self._receiver.by_path[path] = behave

    def count(self, path: str) -> int:
        """Returns the number of requests to a path."""
        return sum(request.path == path for request in self._receiver.requests)

    def leads(self, path: str) -> set[str]:
        """Returns the leads that requests to a path were about."""
        return {lead_id for requested, lead_id in self._leads if requested == path}

    def _record(self, received: Received, status: int) -> None:
        delivery_id = received.headers["webhook-id"]
        # Verified at the sender's own time, because clocks are among the faults.
        signed_at = datetime.fromtimestamp(int(received.headers["webhook-timestamp"]), UTC)
        signature = Webhook(SECRET).sign(delivery_id, signed_at, received.body.decode())
        has_valid_signature = signature in received.headers["webhook-signature"].split()
        self._journal.requests.append(Request(delivery_id, received.body, has_valid_signature, status))
        data = json.loads(received.body)["data"]
        self._leads.add((received.path, data["lead"]["lead_id"]))
        self._show(data["lead"]["lead_id"], data["sequence"], score_after=data["score"]["after"])
