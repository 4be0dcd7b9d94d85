"""An inbox returns its pending rows by partition and age, and refuses a database that does not fit."""

from datetime import timedelta

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.inbox.collection import Inbox
from shared.inbox.heavy_keys import count_of_key
from shared.mongo import Database
from shared.settings import StartupError
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.inbox.pending_rows import ALL, NOW, ids_pending, inbox_of, key_in, put
from tests.shared.letters import LETTERS

NAME = "letters"


@given(st.text(), st.integers(1, 4096))
def test_a_key_always_has_the_same_partition_within_the_range(key: str, partitions: int) -> None:
    inbox = Inbox({NAME: None, "inboxes": None}, LETTERS, partitions=partitions)  # type: ignore[arg-type]
    assert inbox.partition_of(key) in range(partitions)
    assert inbox.partition_of(key) == inbox.partition_of(key)


async def test_the_partitions_of_keys_never_change(database: Database) -> None:
    assert [inbox_of(database, 64).partition_of(key) for key in ("ada", "bob", "né")] == [40, 0, 57]


async def test_rows_are_pending_until_they_are_marked(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob", "ada")
    rows = await inbox.pending(ALL, 1000)
    assert {row["_id"] for row in rows} == {"ada-0", "bob-1", "ada-2"}
    await inbox.mark([row for row in rows if row["_id"] != "bob-1"])
    assert await ids_pending(inbox) == ["bob-1"]
    assert await inbox.count_pending() == 1
    marked = await inbox.rows.find_one({"_id": "ada-0"})
    assert marked is not None
    assert marked["state"] == "read"


async def test_done_rows_of_an_inbox_that_expires_are_deleted_after_some_time(database: Database) -> None:
    await database.client.admin.command("setParameter", 1, ttlMonitorSleepSecs=1)
    contract = LETTERS._replace(expires=True)
    kept = Inbox(database, contract, partitions=PARTITIONS, keep=timedelta(days=1))
    await kept.migrate()
    await put(kept, "ada", "bob", "eve", "joe")
    rows = {row["_id"]: row for row in await kept.pending(ALL, 10)}
    await kept.mark([rows["ada-0"]])
    at_once = Inbox(database, contract, partitions=PARTITIONS, keep=timedelta())
    await at_once.mark([rows["bob-1"]])
    await at_once.skip([rows["eve-2"]])

    async def left() -> bool:
        return [row["_id"] async for row in kept.rows.find({}, {"_id": 1}).sort("_id")] == ["ada-0", "joe-3"]

    # mongod looks for expired rows every minute; the shorter interval may begin after that.
    await eventually(left, what="only the kept and the pending row are left", within=180)


async def test_pending_rows_are_sorted_by_partition_and_age_and_limited(inbox: Inbox) -> None:
    first, second = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, second, first, second, first)
    in_order = [f"{first}-1", f"{first}-3", f"{second}-0", f"{second}-2"]
    assert await ids_pending(inbox) == in_order
    assert [row["_id"] for row in await inbox.pending(ALL, 3)] == in_order[:3]


async def test_only_the_given_partitions_are_read(inbox: Inbox) -> None:
    mine, other = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, mine, other)
    assert await ids_pending(inbox, [2, 3]) == [f"{mine}-0"]
    assert await ids_pending(inbox, []) == []


async def test_a_projection_leaves_fields_out(inbox: Inbox) -> None:
    await put(inbox, "ada")
    assert await inbox.pending(ALL, 10, {"_id": True}) == [{"_id": "ada-0"}]


async def test_still_pending_leaves_out_rows_marked_in_the_meantime(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob")
    rows = await inbox.pending(ALL, 10)
    await inbox.mark(rows[:1])
    assert await inbox.still_pending(rows) == {row["_id"] for row in rows[1:]}
    assert await inbox.still_pending([]) == set()


async def test_waiting_returns_the_time_of_the_oldest_row_of_each_partition(inbox: Inbox) -> None:
    assert await inbox.waiting() == {}
    first, second = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, first, first, second)
    await inbox.mark([{"_id": f"{first}-0", "partition": 2}])
    assert await inbox.waiting() == {
        2: NOW + timedelta(milliseconds=1),
        5: NOW + timedelta(milliseconds=2),
    }


async def test_pending_rows_are_found_by_an_index(inbox: Inbox) -> None:
    await put(inbox, "ada")
    found = inbox.rows.find({"state": "pending", "partition": {"$in": [1, 2]}})
    plan = await found.sort([("partition", 1), ("accept_time", 1)]).explain()
    stages = str(plan["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in stages
    assert "'SORT'" not in stages
    assert list(await inbox.rows.index_information()) == ["_id_", "pending", "isolated"]


async def test_rows_of_excluded_keys_are_skipped_without_being_read(inbox: Inbox) -> None:
    await put(inbox, *["heavy"] * 100, "ada", "bob", "heavy")
    rows = await inbox.pending(ALL, 1000, exclude_keys={"heavy", "unknown"})
    assert {row["_id"] for row in rows} == {"ada-100", "bob-101"}
    ids = ["heavy-3", "ada-100"]
    assert [row["_id"] for row in await inbox.pending(ALL, 10, ids=ids, exclude_keys=["heavy"])] == ["ada-100"]
    partition = inbox.partition_of("heavy")
    condition = {
        "state": "pending",
        "partition": {"$in": [partition]},
        "attempts": {"$exists": False},
        "lead_id": {"$nin": ["heavy"]},
    }
    found = inbox.rows.find(condition).sort([("partition", 1), ("accept_time", 1)]).hint("pending")
    statistics = (await found.explain())["executionStats"]
    assert statistics["totalDocsExamined"] == statistics["nReturned"]


async def test_the_rows_of_one_key_are_sorted_by_age_and_found_by_an_index(inbox: Inbox) -> None:
    await put(inbox, "ada", "bob", "ada", "ada")
    await inbox.rows.update_one({"_id": "ada-0"}, {"$set": {"attempts": 1}})
    assert [row["_id"] for row in await inbox.pending_of("ada", 10)] == ["ada-2", "ada-3"]
    assert await inbox.pending_of("ada", 1, {"_id": True}) == [{"_id": "ada-2"}]
    assert await inbox.pending_of("nobody", 10) == []
    which = {"state": "pending", "partition": inbox.partition_of("ada"), "lead_id": "ada"}
    plan = await inbox.rows.find(which).sort([("partition", 1), ("accept_time", 1)]).hint("pending").explain()
    assert "'SORT'" not in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalDocsExamined"] == 3, "expected the rows of other keys to stay unread"


async def test_rows_are_counted_up_to_a_limit(inbox: Inbox) -> None:
    first, other = key_in(inbox, 2), key_in(inbox, 5)
    await put(inbox, first, other, first)
    assert await inbox.count_up_to(10) == 3
    assert await inbox.count_up_to(2) == 2
    assert await inbox.count_up_to(10, partition=2) == 2
    assert await count_of_key(inbox, first, 10) == 2
    assert await count_of_key(inbox, first, 1) == 1


async def test_a_read_returns_at_most_max_bytes_but_at_least_one_row(inbox: Inbox) -> None:
    rows = [
        {"_id": f"row-{index}", "text": "x" * 1000, **inbox.pending_row("ada", NOW + timedelta(milliseconds=index))}
        for index in range(300)
    ]
    await inbox.rows.insert_many(rows)
    size = len(bson.encode(rows[0]))
    for max_bytes, count in ((1, 1), (size, 1), (2 * size, 2), (10 * size, 10), (1_000_000, 300)):
        found = await inbox.pending(ALL, 1000, max_bytes=max_bytes)
        assert abs(len(found) - count) <= count // 10, max_bytes  # ids differ in length by a byte or two
        assert await inbox.pending_of("ada", 1000, max_bytes=max_bytes) == found
    assert found == rows


async def test_migrating_an_inbox_again_keeps_its_rows(inbox: Inbox) -> None:
    await put(inbox, "ada")
    await inbox.migrate()
    await inbox.check()
    assert await inbox.count_pending() == 1


async def test_a_different_number_of_partitions_is_refused_with_the_remedy(database: Database, inbox: Inbox) -> None:
    other = inbox_of(database, 2 * PARTITIONS)
    for attempt in (other.check(), other.migrate()):
        with pytest.raises(StartupError) as caught:
            await attempt
        sentence = f"the database was created with another number of partitions: set LEADSCORE_PARTITIONS={PARTITIONS}"
        assert str(caught.value) == f"{sentence}, or move to a new database (docs/operations.md)"
    await inbox.check()


async def test_an_inbox_that_does_not_exist_is_refused_with_the_remedy(database: Database) -> None:
    with pytest.raises(StartupError) as caught:
        await inbox_of(database).check()
    assert str(caught.value) == "the database has no inbox 'letters': run migrate of every service first"
