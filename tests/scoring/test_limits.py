"""The largest batches stay far below the limits of MongoDB: 16 MiB a document, and what a transaction can hold.

A transaction of more than 16 MiB is possible, but it is written to the oplog in parts and blocks others meanwhile.
"""

from collections import defaultdict
from collections.abc import AsyncIterator

import bson
import pytest

from scoring_service.store.writes import MAX_BATCH_BYTES
from tests.scoring.conftest import NOW, Scoring, days_ago, new_scoring
from tests.shared.commands import Commands, overheard

DOCUMENT_BYTES = TRANSACTION_BYTES = 16 * 1024 * 1024
EVENTS = 1_000
EVENT_BYTES = 64 * 1024


@pytest.fixture
async def heard(database_uri: str) -> AsyncIterator[tuple[Scoring, Commands]]:
    async with overheard(database_uri) as (database, commands):
        scoring = await new_scoring(database)
        commands.sent.clear()
        yield scoring, commands


def written(commands: Commands) -> tuple[int, int]:
    """Returns the bytes of the largest document and of the largest transaction that were written."""
    transactions: dict[tuple[bytes, int], int] = defaultdict(int)
    largest = 0
    for name, sent in commands.sent:
        if name in ("insert", "update", "delete") and "autocommit" in sent:
            parts = sent.get("documents") or [each.get("u", each["q"]) for each in sent[f"{name}s"]]
            sizes = [len(bson.encode(part)) for part in parts]
            transactions[bytes(sent["lsid"]["id"]), sent["txnNumber"]] += sum(sizes)
            largest = max(largest, *sizes)
    return largest, max(transactions.values())


async def drained(scoring: Scoring, commands: Commands) -> tuple[int, int]:
    """Scores all events and checks the result; returns the size of the largest document and transaction."""
    commands.sent.clear()
    while await scoring.drain_all(EVENTS):
        pass
    sizes = written(commands)
    assert await scoring.verify() == []
    assert await scoring.database["score_history"].count_documents({"kind": "EVENT"}) == EVENTS
    return sizes


@pytest.mark.parametrize("leads", [1, EVENTS])
async def test_a_batch_of_small_events(heard: tuple[Scoring, Commands], leads: int) -> None:
    scoring, commands = heard
    await scoring.put(
        *((f"e{n}", f"lead{n % leads}", "signup", days_ago(n / EVENTS)) for n in range(EVENTS)), page="/pricing"
    )
    document, transaction = await drained(scoring, commands)
    assert document < DOCUMENT_BYTES / 16
    assert transaction < TRANSACTION_BYTES / 4


@pytest.mark.parametrize("event_type", ["page_view", "identify"])
@pytest.mark.parametrize("leads", [1, EVENTS])
async def test_a_batch_of_the_largest_payloads(heard: tuple[Scoring, Commands], leads: int, event_type: str) -> None:
    scoring, commands = heard
    properties = {f"p{number:02}": "x" * (EVENT_BYTES // 16 - 20) for number in range(16)}
    for start in range(0, EVENTS, 100):
        await scoring.put(
            *((f"e{n}", f"lead{n % leads}", event_type, days_ago(n / EVENTS)) for n in range(start, start + 100)),
            **properties,
        )
    document, transaction = await drained(scoring, commands)
    # The change of a lead has the properties of its events, for the webhooks of the rules that they fire.
    assert document < 1.25 * MAX_BATCH_BYTES < DOCUMENT_BYTES
    assert transaction < 3.25 * MAX_BATCH_BYTES < TRANSACTION_BYTES
    assert (await scoring.queries.score("lead0", None)).as_of == NOW
