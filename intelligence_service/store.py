"""Reads the change stream of inserts into `score_changes`; the service reads nothing else from the database."""

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from intelligence_service.domain.watch import LeadChange, ResumeTokenExpired
from intelligence_service.ports import StreamPosition
from shared.contracts.score_changes import CONTRACT, ScoreChangeRow
from shared.inbox.contract import report_newer_rows
from shared.mongo import Database, Document
from shared.rpc.errors import InvalidArgument, Stopping, is_refusal_of_all

BATCH = 500
"""Changes that the database returns at a time."""
WAIT_MILLISECONDS = 1_000
"""How long the database waits for a change before it returns an empty batch."""

_TOKEN = re.compile(r"82[0-9A-F]{10,2048}", re.ASCII)
_EXPIRED = {136, 280, 286}
"""CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost."""


class MongoLeadChanges:
    """Implements `LeadChanges` with a change stream, which returns changes once a majority has committed them."""

    def __init__(self, database: Database) -> None:
        self._changes = database[CONTRACT.collection]
        self._reported_versions: set[int] = set()

    def _check_version(self, change: Document) -> None:
        """Ends the watch at a row that this program cannot read: no change is skipped, and callers resume elsewhere."""
        version = change.get("schema_version", 0)
        if version <= CONTRACT.schema_version:
            return
        if version not in self._reported_versions:
            self._reported_versions.add(version)
            report_newer_rows(CONTRACT, version, reader="intelligence_service")
        raise Stopping

    async def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields the changes after a token, or from now on; see `LeadChanges`.

        Raises:
            Stopping: The next change has a newer schema version than this program can read.
        """
        pipeline: list[Document] = [
            {"$match": {"operationType": "insert"}},
            {"$project": {"fullDocument": 1}},
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
                    if row:
                        self._check_version(row["fullDocument"])
                    yield StreamPosition(
                        _write(row["_id"] if row else stream.resume_token), _change(row) if row else None
                    )
        except OperationFailure as error:
            if error.code in _EXPIRED:
                raise ResumeTokenExpired from error
            if token and not is_refusal_of_all(error):
                # The server parses a forged token as far as it can, so the error can be almost anything.
                raise _no_token() from error
            raise


def _write(token: Mapping[str, Any] | None) -> str:
    return str(token["_data"]) if token else ""


def _read(token: str) -> Document:
    if not _TOKEN.fullmatch(token):
        raise _no_token()
    return {"_data": token}


def _no_token() -> InvalidArgument:
    return InvalidArgument("resume_token", "is not a resume token of this service")


def _change(row: Document) -> LeadChange:
    change = ScoreChangeRow.from_document(row["fullDocument"])
    return LeadChange(
        lead_id=change.lead_id,
        sequence=change.sequence,
        score_before=change.score_before,
        score_after=change.score_after,
        stage_before=change.stage_before,
        stage_after=change.stage_after,
        event_types=change.event_types,
        record_time=change.record_time,
    )
