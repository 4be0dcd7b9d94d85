"""Reads the change stream of inserts into `score_changes`; the service reads nothing else from the database.

A row holds many changes. A token names a row by the server's own resume token, and the last of its changes that was
seen by its index, or all of them. The server's tokens sort like the stream, and none is the beginning of another.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, NamedTuple

from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure

from intelligence_service.domain.watch import LeadChange, ResumeTokenExpired
from intelligence_service.ports import StreamPosition
from shared import logs
from shared.contracts.score_changes import CONTRACT, ScoreChange
from shared.inbox.contract import report_newer_rows
from shared.mongo import Database, Document, lenient
from shared.rpc.errors import InvalidArgument, Stopping, is_refusal_of_all

BATCH = 100
"""Rows that the database returns at a time."""
WAIT_MILLISECONDS = 1_000
"""How long the database waits for a change before it returns an empty batch."""

_WHOLE = 999
"""The index in the token after all changes of a row; a row holds fewer."""
_TOKEN = re.compile(r"(82(?!0{8})[0-9A-F]{16,2048}):(\d{3})", re.ASCII)
_EXPIRED = {136, 280, 286}
"""CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost."""
_LOG = logs.get(__name__)


class _Token(NamedTuple):
    """The server's token of a row, and the index of the last change that was seen."""

    row: str
    last_seen: int = _WHOLE

    def __str__(self) -> str:
        return f"{self.row}:{self.last_seen:03}"

    @property
    def start(self) -> Mapping[str, Any]:
        """The arguments of a stream that begins after a whole row, or, within a row, no later than it."""
        if self.last_seen == _WHOLE:
            return {"resume_after": {"_data": self.row}}
        # The server's token begins with the time of the commit: a type byte, seconds, and a counter.
        return {"start_at_operation_time": Timestamp(int(self.row[2:10], 16), int(self.row[10:18], 16))}


class MongoLeadChanges:
    """Implements `LeadChanges` with a change stream, which returns changes once a majority has committed them."""

    def __init__(self, database: Database) -> None:
        self._changes = lenient(database[CONTRACT.collection])
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
            # The changes in a row that was divided have been seen before.
            {"$match": {"operationType": "insert", "fullDocument.divided": {"$exists": False}}},
            {"$project": {"fullDocument": 1}},
            # Most of a row, and shown to nobody. Fields that are left out would make a change unreadable.
            {"$set": {f"fullDocument.{CONTRACT.items}.transitions": []}},
        ]
        start = _read(token).start if token else {}
        try:
            async with await self._changes.watch(
                pipeline, **start, batch_size=BATCH, max_await_time_ms=WAIT_MILLISECONDS
            ) as stream:
                if stream.resume_token:
                    yield StreamPosition(max(token, _write(stream.resume_token)))
                while stream.alive:
                    row = await stream.try_next()
                    if row:
                        self._check_version(row["fullDocument"])
                    for position in _positions(row) if row else [StreamPosition(_write(stream.resume_token))]:
                        # A stream that begins within a row begins with what was seen before.
                        if position.token > token or not row:
                            yield position
        except OperationFailure as error:
            if error.code in _EXPIRED:
                raise ResumeTokenExpired from error
            if token and not is_refusal_of_all(error):
                # The server parses a forged token as far as it can, so the error can be almost anything.
                raise _no_token() from error
            raise


def _write(token: Mapping[str, Any] | None) -> str:
    return str(_Token(token["_data"])) if token else ""


def _read(token: str) -> _Token:
    found = _TOKEN.fullmatch(token)
    if not found:
        raise _no_token()
    return _Token(found[1], int(found[2]))


def _no_token() -> InvalidArgument:
    return InvalidArgument("resume_token", "is not a resume token of this service")


def _positions(row: Document) -> Iterator[StreamPosition]:
    """Yields a position for each change in a row; the last one is after the whole row."""
    document, token = row["fullDocument"], row["_id"]["_data"]
    *others, last = document.get(CONTRACT.items) or [None]
    for index, item in enumerate(others):
        yield StreamPosition(str(_Token(token, index)), _change(item, document))
    yield StreamPosition(str(_Token(token)), _change(last, document))


def _change(item: Document, row: Document) -> LeadChange | None:
    """Returns a change, or None if it cannot be read: an error would end every watch, again and again."""
    try:
        change = ScoreChange.from_documents(item, row)
    except (KeyError, TypeError) as error:
        _LOG.error("unreadable change not shown", row=row["_id"], error=logs.one_line(error))
        return None
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
