"""The bugs that `make proof` plants into copies of the code, as edits of single lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FREE = "__import__('asyncio').get_running_loop().create_task"
"""A task in its own context is not in the transaction."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug to plant.

    `edits` are (file, old text, new text); `rounds` must catch the bug, as a violation of one of `noticed_as`.
    """

    edits: Sequence[tuple[str, str, str]]
    rounds: Sequence[str]
    noticed_as: frozenset[str]


PLANTED: Mapping[str, Planted] = {
    "acknowledge before the insert": Planted(
        [
            (
                "ingest_service/usecases/ingest.py",
                "await to_the_end(self.store.put(accepted)) if accepted else []",
                # The insert starts 0.1 s later: an answer that the crash overtakes would not count.
                (
                    "(lambda a: a.get_running_loop().call_later(0.1, "
                    "lambda: a.ensure_future(self.store.put(accepted))))"
                    "(__import__('asyncio')) "
                    "and [PutResult.NEW] * len(accepted)"
                ),
            )
        ],
        ["crash ingest: before the insert"],
        frozenset({"I1"}),
    ),
    "w:1": Planted(
        [
            (
                "ingest_service/store.py",
                "await collection.insert_many",
                "await collection.with_options(write_concern=__import__('pymongo').WriteConcern(1)).insert_many",
            )
        ],
        ["primary killed ahead"],
        frozenset({"I1", "I3", "I10"}),
    ),
    "sweeper off": Planted(
        [
            (
                "shared/inbox/consumer.py",
                "        await asyncio.sleep(every)",
                "        await asyncio.sleep(1e9 * every)",
            )
        ],
        ["redis killed", "kill all", "kill scoring-worker"],
        frozenset({"I3", "I13"}),
    ),
    "outbox row outside the transaction": Planted(
        [
            (
                "scoring_service/store/writes.py",
                "await self._changes.rows.insert_many(changes, ordered=False)",
                (
                    f"await {FREE}(self._changes.rows.insert_many(changes, ordered=False), "
                    "context=__import__('contextvars').Context())"
                ),
            )
        ],
        ["crash scoring: before the commit"],
        frozenset({"I6", "I8"}),
    ),
    "date bucket from the clock at the evaluation": Planted(
        [
            (
                "automation_service/store/documents.py",
                "date_bucket=change.date_bucket",
                "date_bucket=__import__('shared.wire').wire.now().date().isoformat()",
            )
        ],
        ["midnight"],
        frozenset({"I8"}),
    ),
    "a dropped unique index": Planted(
        [("automation_service/store/schema.py", 'name="once", unique=True', 'name="once"')],
        ["kill automation-worker"],
        frozenset({"I8"}),
    ),
    "a caught DuplicateKeyError": Planted(
        [
            (
                "automation_service/store/executions.py",
                "            await self._executions.insert_many(",
                "          with IGNORED:\n            await self._executions.insert_many(",
            ),
            (
                "automation_service/store/executions.py",
                "MAX_PAIRS = 1000\n",
                (
                    "MAX_PAIRS = 1000\nIGNORED = __import__('contextlib').suppress("
                    "__import__('pymongo').errors.DuplicateKeyError)\n"
                ),
            ),
            (
                "automation_service/store/executions.py",
                'return {ids[row["_id"]] async for row in rows}',
                'return {ids[row["_id"]] async for row in rows if not row}',
            ),
        ],
        ["kill automation-worker"],
        frozenset({"I8", "I13"}),
    ),
}


def plant(bug: Planted, copy: Path) -> None:
    """Edits a copy of the code."""
    for file, old, new in bug.edits:
        text = (copy / file).read_text()
        assert text.count(old) == 1, f"expected exactly once in {file}: {old}"
        (copy / file).write_text(text.replace(old, new))
