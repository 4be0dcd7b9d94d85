"""What the tests of the stores share."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from automation_service.ports import Claim, Deliveries, Executions, Rules
from tests.automation.fakes import NOW, rule, webhook

Stores = tuple[Rules, Executions, Deliveries]
BOTH = rule("call", None, webhook("one"), webhook("two", "https://other.example/"))
DISABLED = replace(BOTH, draft=replace(BOTH.draft, enabled=False), revision=2)
UNTIL = NOW + timedelta(seconds=30)
TICK = timedelta(milliseconds=1)


async def claim_one(deliveries: Deliveries, now: datetime, until: datetime, busy: Sequence[str] = ()) -> Claim | None:
    """Claims what has been due for longest."""
    due = await deliveries.due(now, busy, 9)
    claims = await deliveries.claim(due[:1], now, until)
    return claims[0] if claims else None
