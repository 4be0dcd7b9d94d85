"""The deliveries of all executions, which are stored in the rows of the executions."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern

from automation_service.domain.delivery import NEVER, Delivery
from automation_service.ports import Claim, Due, Settlement
from automation_service.store import documents
from automation_service.store.execution_ids import execution_id_of, these, this
from automation_service.store.schema import ANY_TEXT, DUE_INDEX, EXECUTIONS, PENDING
from shared import mongo
from shared.mongo import Database, Document
from shared.partitions import BY_ID, Partitions


class MongoDeliveries:
    """Implements `Deliveries` on the collection of executions."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._partitions = partitions
        self._executions = mongo.durable(database[EXECUTIONS])
        # A local read sees the claims of other workers at once. It may also see writes that a failover rolls back, but
        # claims need a majority: otherwise a rolled-back delivery could be sent, recorded again, and sent again with
        # another body.
        self._latest = self._executions.with_options(read_concern=ReadConcern("local"))

    async def due(self, now: datetime, busy: Collection[str], limit: int) -> list[Due]:
        """Returns due deliveries; see `Deliveries`.

        The index skips deliveries of busy endpoints and deliveries that are not due yet, however many there are.
        """
        is_due = {"endpoint": ANY_TEXT | {"$nin": list(busy)}, "due_time": {"$lte": now}}
        fields = {f"deliveries.{name}": 1 for name in ("delivery_id", "endpoint", "due_time")}
        rows = self._latest.find({"state": PENDING, "deliveries": {"$elemMatch": is_due}}, fields).hint(DUE_INDEX)
        return [
            Due(each["delivery_id"], each["endpoint"])
            async for row in rows.limit(limit)
            for each in row["deliveries"]
            if each["due_time"] <= now and each["endpoint"] not in busy
        ]

    async def claim(self, due: Collection[Due], now: datetime, until: datetime) -> list[Claim]:
        """Claims the deliveries that are still due; see `Deliveries`."""
        ids, lease = [each.delivery_id for each in due], secrets.token_hex(8)
        matching = these(self._partitions, {execution_id_of(each) for each in ids})
        await self._executions.update_many(
            matching | {"state": PENDING},
            {"$set": {"deliveries.$[due].due_time": until, "deliveries.$[due].lease": lease}},
            array_filters=[{"due.delivery_id": {"$in": ids}, "due.due_time": {"$lte": now}}],
            hint=BY_ID,
        )
        fields: Document = {"_id": 0, "rule_id": 1, "deliveries": 1, "traceparent": 1}
        return [
            Claim(row["rule_id"], documents.read_delivery(each), row.get("traceparent", ""))
            async for row in self._latest.find(matching | {"deliveries.lease": lease}, fields, hint=BY_ID)
            for each in row["deliveries"]
            if each["lease"] == lease
        ]

    async def repair_due_times(self, now: datetime, latest: datetime) -> None:
        """Makes deliveries due that are scheduled too far ahead; see `Deliveries`.

        The index skips deliveries that are waiting for their next attempt, however many there are.
        """
        ahead = {"endpoint": ANY_TEXT, "due_time": {"$gt": latest, "$lt": NEVER}}
        cases: list[Document] = [ahead | {"lease": {"$gt": ""}}, ahead | {"tries": 0}]
        await self._executions.update_many(
            {"state": PENDING, "$or": [{"deliveries": {"$elemMatch": case}} for case in cases]},
            {"$set": {"deliveries.$[ahead].due_time": now}},
            array_filters=[{"$or": [{f"ahead.{name}": value for name, value in case.items()} for case in cases]}],
            hint=DUE_INDEX,
        )

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        """Stores the results of attempts; see `Deliveries`."""
        await self._executions.bulk_write([self._settle(*each) for each in settlements], ordered=False)
        return [None] * len(settlements)

    def _settle(self, claim: Claim, delivery: Delivery) -> UpdateOne:
        claimed = {"$elemMatch": {"delivery_id": delivery.delivery_id, "lease": claim.delivery.lease}}
        is_same = {"$eq": ["$$this.delivery_id", delivery.delivery_id]}
        replaced = {"$cond": [is_same, {"$literal": documents.write_delivery(delivery)}, "$$this"]}
        return UpdateOne(
            this(self._partitions, execution_id_of(delivery.delivery_id)) | {"deliveries": claimed},
            [{"$set": {"deliveries": {"$map": {"input": "$deliveries", "in": replaced}}}}, documents.DERIVE_STATE],
            hint=BY_ID,
        )
