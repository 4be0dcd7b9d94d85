"""A person with traces in every collection, and the admin service that erases them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bson import json_util

from admin_service.app import open_privacy
from admin_service.domain.erased_rows import Verdicts
from admin_service.store import schema as admin_schema
from admin_service.usecases.privacy import Privacy
from automation_service.domain.delivery import Attempt, Delivery, ExecutionState
from automation_service.domain.execution import Execution, Key
from automation_service.domain.lead import Risk
from automation_service.store import schema as automation_schema
from automation_service.store.documents import write_execution
from scoring_service.domain.lead import Lead
from scoring_service.domain.timeline import Mode
from scoring_service.usecases.corrections import AdjustmentRequest
from shared import wire
from shared.access.keys import new_key
from shared.conditions import Condition, Operator
from shared.inbox.failures import Failure, ReasonCode
from shared.mongo import Database
from tests.admin.calling import Clock
from tests.conftest import PARTITIONS
from tests.scoring.conftest import Scoring, days_ago, new_scoring
from tests.scoring.models import BUILT_IN

LEAD = "ada@example.com"
BYSTANDERS = [f"bystander-{number}" for number in range(12)]
NEEDLES = ("ada@example", "ada lovelace", "+44 20 7946", "ockham")
"""What must not be found anywhere, in lower case."""
PROFILE = {"name": "Ada Lovelace", "phone": "+44 20 7946 0000", "plan": "pro"}


@dataclass
class World:
    """A scoring service and what erases its leads, on one database."""

    database: Database
    scoring: Scoring
    privacy: Privacy
    clock: Clock

    async def judge(self, lead_ids: Sequence[str], event_ids: Sequence[str]) -> Mapping[str, Verdicts]:
        """Returns the verdicts of events, as the scoring service does."""
        return await judge(self.scoring, lead_ids, event_ids)

    async def live(self) -> None:
        """Lets the person do everything that leaves a trace, and another lead live beside them."""
        scoring = self.scoring
        await scoring.put((f"{LEAD}:id", LEAD, "identify", days_ago(9)), **PROFILE)
        await scoring.put((f"{LEAD}:view", LEAD, "page_view", days_ago(3)), page="/ockham-park", plan="free")
        for lead_id in (LEAD, *BYSTANDERS):
            await scoring.put(
                *((f"{lead_id}:{number}", lead_id, "signup", days_ago(8)) for number in (3, 1, 2)), plan="pro"
            )
        await scoring.drain_all()
        await scoring.corrections.adjust(
            AdjustmentRequest(f"call-{LEAD}", LEAD, 7, None, "Ada Lovelace called", "Charles")
        )
        await scoring.corrections.retract(f"{LEAD}:2", "Ada asked for it", "Charles")
        # An older event comes late, and a rule that reads properties is published for all events.
        await scoring.put((f"{LEAD}:late", LEAD, "download", days_ago(8.5)), file="ockham.pdf")
        await scoring.drain_all()
        rules = [replace(rule, conditions=_PRO) if rule.rule_id == "signup" else rule for rule in BUILT_IN.rules]
        await scoring.publish(replace(BUILT_IN, rules=tuple(rules)), Mode.RESCORE)
        while await scoring.rollout.step():
            pass
        await scoring.run_decay(days_ago(1))
        await self.park()
        await self.database["automation_executions"].insert_many(
            [
                self.execution_row("delivered", ExecutionState.DELIVERED),
                self.execution_row("due", ExecutionState.PENDING),
            ]
        )
        about = (
            f"lead {LEAD}",
            f"event {LEAD}:2",
            f"events other, {LEAD}:parked",
            f"executions of rule r and lead {LEAD}",
        )
        await self.database["audit_log"].insert_many(map(audit_row, about))

    async def park(self) -> None:
        """Leaves an event of the person pending and another one parked."""
        parked = f"{LEAD}:parked"
        await self.scoring.put((parked, LEAD, "signup", days_ago(1)), name="Ada Lovelace")
        row = await self.scoring.parking.begin(parked, self.scoring.events.partition_of(LEAD))
        assert row is not None
        await self.scoring.parking.park(row, Failure(ReasonCode.FAILED, "Ada Lovelace is no number", is_final=True))
        await self.scoring.put((f"{LEAD}:pending", LEAD, "signup", days_ago(1)), name="Ada Lovelace")

    def execution_row(self, rule_id: str, state: ExecutionState) -> dict[str, Any]:
        """Returns an execution for an event of the person."""
        now = wire.now()
        key = Key(LEAD, rule_id, "2026-03-11", f"{LEAD}:1" if state is ExecutionState.PENDING else "")
        body = b'{"name": "Ada Lovelace"}'
        delivery = Delivery(f"{key.execution_id}-mail", "mail", "email", "smtp", body, (LEAD,), state, now)
        attempt = Attempt(now, timedelta(seconds=1), 550, "no mailbox of Ada Lovelace", "ada@example.com unknown")
        execution = Execution(
            key,
            4,
            20,
            "cold",
            "warm",
            3,
            Risk.LOW,
            "monitor",
            ("Ada is warm",),
            None,
            now,
            f"{LEAD}:1",
            "signup",
            (replace(delivery, attempts=(attempt,)),),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        return write_execution(execution, self.scoring.events.partition_of(LEAD))

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Returns all documents by collection."""
        names = await self.database.list_collection_names()
        return {name: await self.database[name].find().to_list() for name in sorted(names)}

    async def restore(self, backup: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """Replaces the content of every collection."""
        for name in await self.database.list_collection_names():
            await self.database[name].delete_many({})
            if backup.get(name):
                await self.database[name].insert_many(backup[name])

    async def traces(self) -> list[str]:
        """Returns where something about the person is found."""
        found = []
        for name, rows in (await self.everything()).items():
            for row in rows:
                text = json_util.dumps(row, ensure_ascii=False).lower()
                binary = b"".join(_binary_in(row)).decode(errors="replace").lower()
                found += [f"{name}: {needle} in {text}" for needle in NEEDLES if needle in text + binary]
        return found

    async def lead(self, lead_id: str) -> Lead | None:
        """Returns a lead."""
        return (await self.scoring.lead_reader.leads([lead_id])).get(lead_id)

    async def settled(self) -> None:
        """Lets time pass until the erasures are done."""
        self.clock.now += timedelta(seconds=31)
        await self.privacy.erasing.settle()
        await self.privacy.erasing.settle()

    async def drain_until(self, done: asyncio.Event) -> None:
        """Puts events of the person and drains them until told to stop."""
        number = 0
        while not done.is_set():
            await self.scoring.put((f"{LEAD}:during-{number}", LEAD, "signup", days_ago(2)), name="Ada Lovelace")
            await self.scoring.drain_all()
            number += 1


async def new_world(database: Database) -> World:
    """Returns a world in which nothing has happened yet."""
    scoring = await new_scoring(database)
    scoring.now = wire.now()
    await automation_schema.migrate(database, partitions=PARTITIONS)
    await admin_schema.migrate(database)
    clock = Clock(wire.now())
    return World(database, scoring, await new_privacy(database, scoring, clock), clock)


async def new_privacy(database: Database, scoring: Scoring, clock: Clock) -> Privacy:
    """Returns what erases, as an admin server has it after its start."""

    async def ask(lead_ids: Sequence[str], event_ids: Sequence[str]) -> Mapping[str, Verdicts]:
        return await judge(scoring, lead_ids, event_ids)

    return await open_privacy(database, ask, clock)


async def judge(scoring: Scoring, lead_ids: Sequence[str], event_ids: Sequence[str]) -> Mapping[str, Verdicts]:
    """Returns the verdicts of events, as the scoring service does."""
    found = await scoring.queries.verdicts(lead_ids, event_ids)
    return {each: [list(pair) for pair in verdicts] for verdicts, ids in found.items() for each in ids}


def audit_row(about: str) -> dict[str, Any]:
    """Returns a record of a call."""
    texts = {"actor": "Charles", "key_id": new_key().key_id, "address": "127.0.0.1", "service": "scoring"}
    return {"_id": new_key().key_id, "at": wire.now(), **texts, "method": "AdjustLeadScore", "object": about}


_PRO = (Condition("plan", Operator.EQUALS, "pro"),)


def _binary_in(value: Any) -> list[bytes]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [each for item in value for each in _binary_in(item)]
    return [value] if isinstance(value, bytes) else []
