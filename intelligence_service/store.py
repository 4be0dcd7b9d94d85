"""MongoDB ⇄ domain: reads the stream of what is inserted into `score_changes`, and nothing else."""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import fields
from typing import Any

from pymongo.errors import OperationFailure

from intelligence_service.domain.watch import LeadChange, ResumeTokenExpired
from intelligence_service.ports import StreamPosition
from shared.mongo import Database, Document
from shared.rpc.errors import InvalidArgument, is_refusal_of_all

CHANGES = "score_changes"
BATCH = 500
"""Changes that the database hands over at a time."""
WAIT_MILLISECONDS = 1_000
"""How long the database keeps a question open to which there is no answer yet."""

_TOKEN = re.compile(r"82[0-9A-F]{10,2048}", re.ASCII)
_EXPIRED = {136, 280, 286}
"""CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost."""


class MongoLeadChanges:
    """`LeadChanges` by a change stream. It shows what a majority has committed, as soon as it has."""

    def __init__(self, database: Database) -> None:
        self._changes = database[CHANGES]

    async def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields the changes after a token, or from now on; see `LeadChanges`."""
        pipeline: list[Document] = [
            {"$match": {"operationType": "insert"}},
            {"$project": {f"fullDocument.{field.name}": 1 for field in fields(LeadChange)}},
        ]
        resume = _read(token) if token else None
        try:
            async with await self._changes.watch(
                pipeline, resume_after=resume, batch_size=BATCH, max_await_time_ms=WAIT_MILLISECONDS
            ) as stream:
                if stream.resume_token:
                    yield StreamPosition(_write(stream.resume_token))
                while stream.alive:
                    row = await stream.try_next()
                    yield StreamPosition(
                        _write(row["_id"] if row else stream.resume_token), _change(row) if row else None
                    )
        except OperationFailure as error:
            if error.code in _EXPIRED:
                raise ResumeTokenExpired from error
            if token and not is_refusal_of_all(error):
                # The server reads a token that was made up as far as it gets, and complains in many ways.
                raise _no_token() from error
            raise


def _write(token: Mapping[str, Any] | None) -> str:
    return str(token["_data"]) if token else ""


def _read(token: str) -> Document:
    if not _TOKEN.fullmatch(token):
        raise _no_token()
    return {"_data": token}


def _no_token() -> InvalidArgument:
    return InvalidArgument("resume_token", "is not a token of this service")


def _change(row: Document) -> LeadChange:
    change = row["fullDocument"]
    return LeadChange(**change | {"event_types": tuple(change["event_types"])})
