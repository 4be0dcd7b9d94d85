"""The checker finds nothing in a correct database, and every single corruption of one.

The services' own code makes the correct database in this process. Each corruption is stored in a copy without indexes,
so that duplicates are possible.
"""

import copy

import pytest

from chaos import rows, stuck
from chaos.corruptions import CORRUPTIONS
from chaos.corruptions.snapshot import Corruption, Snapshot
from tests.chaos.checking import checking, invariants

pytestmark = pytest.mark.usefixtures("pretend_indexes")

IN_SNAPSHOTS = {"I2", "I4", "I5", "I6", "I8"}
NOT_YET = {"an_execution_is_missing"}
"""What a running system may still insert, so a snapshot must not report it."""


def test_a_missing_unique_index_is_reported() -> None:
    assert not list(stuck.indexes(rows.UNIQUE))
    assert [each.what for each in stuck.indexes({("score_history", "partition", "lead_id", "sequence")})] == [
        "automation_executions has no unique index on partition, lead_id, rule_id, date_bucket, event_id"
    ]


async def test_a_correct_database_has_every_kind_of_row_and_no_violation(uri: str, correct: Snapshot) -> None:
    kinds = {each["kind"] for each in correct.collections["score_history"]}
    assert kinds == {"EVENT", "DECAY", "MODEL", "ADJUSTMENT", "RETRACTION", "RECALCULATION"}
    assert {each["rule_id"] for each in correct.collections["automation_executions"]} == {
        "while",
        "entered",
        "received",
    }
    async with checking(uri, correct, correct) as checker:
        assert await checker.quiesced() == []
        assert await checker.snapshot() == []


@pytest.mark.parametrize(("corrupt", "expected"), CORRUPTIONS, ids=[each.__name__ for each, _ in CORRUPTIONS])
async def test_a_corruption_is_found(corrupt: Corruption, expected: set[str], uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    named = corrupt(altered)
    async with checking(uri, correct, altered) as checker:
        found, seen_live = await checker.quiesced(), await checker.snapshot()
    assert invariants(found) == expected, found
    assert any(named in each.what for each in found), found
    assert invariants(seen_live) == (set() if corrupt.__name__ in NOT_YET else expected & IN_SNAPSHOTS)
    assert all(len(each.what) <= 300 for each in found)
