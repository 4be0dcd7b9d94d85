"""Watchers miss no change, see none twice, and never wait for a slow watcher; all of them share one stream."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from intelligence_service import watchers as module
from intelligence_service.domain.watch import (
    Interest,
    TooManyWatchers,
    WatcherTooSlow,
)
from intelligence_service.ports import StreamPosition
from intelligence_service.watchers import Watchers
from shared.rpc.errors import Stopping
from testkit.waiting import eventually
from tests.intelligence.fakes import FakeLeadChanges
from tests.intelligence.watching import ALL, begin, change, intelligence, seen, take
from tests.shared.waiting import until


async def test_a_watcher_sees_each_change_with_its_insight(subject: Watchers, changes: FakeLeadChanges) -> None:
    await changes.commit(change("ada", 1))
    watch = await begin(subject)
    await changes.commit(change("ada", 2), change("bob", 1))
    await changes.commit(change("ada", 3))
    updates = await take(watch, 3)
    assert seen(updates) == [("ada", 2), ("bob", 1), ("ada", 3)]
    assert [each.insight.facts.score for each in updates if each.insight] == [70, 35, 70]


@pytest.mark.parametrize(
    ("interest", "wanted"),
    [
        (Interest(stages=frozenset({"hot", "warm"})), ["ada", "bob"]),
        (Interest(minimum_score=40), ["ada"]),
        (Interest(lead_ids=frozenset({"bob", "cyd", "dan"})), ["bob", "cyd"]),
        (Interest(frozenset({"hot"}), 41, frozenset({"ada", "dan"})), []),
    ],
)
async def test_a_watcher_sees_only_what_it_asked_for(
    subject: Watchers, changes: FakeLeadChanges, interest: Interest, wanted: list[str]
) -> None:
    watch, everything = await begin(subject, interest), await begin(subject)
    some = [change("cyd", 1, 5, "cold"), change("bob", 1, 39, "warm"), change("ada", 1, 40, "hot")]
    await changes.commit(*some, change("dan", 1, 50, "hot"))  # every watcher wants the last one
    expected = [each.lead_id for each in some if each.lead_id in wanted] + ["dan"]
    assert [lead_id for lead_id, _ in seen(await take(watch, len(expected)))] == expected
    assert len(await take(everything, 4)) == 4


async def test_a_resumed_watch_misses_nothing_and_repeats_nothing(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    token = (await take(watch, 2))[1].token
    await watch.aclose()
    await changes.commit(change("ada", 4))
    other = await begin(subject)
    await changes.commit(change("ada", 5))
    await take(other, 1)
    again = await begin(subject, ALL, token)
    await changes.commit(change("ada", 6))
    assert seen(await take(again, 4)) == [("ada", number) for number in (3, 4, 5, 6)]
    await until(lambda: changes.streams == 1, what="all read the shared stream")


async def test_resuming_while_changes_come_misses_nothing(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    token, count = "", 300
    found: list[int] = []

    async def commit() -> None:
        for number in range(1, count + 1):
            await changes.commit(change("ada", number))
            await asyncio.sleep(0)

    committing = asyncio.create_task(commit())
    while len(found) < count:
        updates = await take(watch, min(7, count - len(found)))
        found += [each.change.sequence for each in updates if each.change]
        token = updates[-1].token
        await watch.aclose()
        watch = await begin(subject, ALL, token)
    await committing
    assert found == list(range(1, count + 1))


async def test_a_resumed_watch_that_is_not_read_blocks_no_other(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    [first, *_] = await take(watch, 3)
    idle = [await begin(subject, ALL, first.token) for _ in range(2 * module.MAX_CATCHING_UP)]
    again = await begin(subject, ALL, first.token)
    assert seen(await take(again, 2)) == [("ada", 2), ("ada", 3)]
    await until(lambda: changes.streams == 1, what="all read the shared stream")
    assert seen(await take(idle[0], 2)) == [("ada", 2), ("ada", 3)]


async def test_catching_up_ends_without_new_changes(subject: Watchers, changes: FakeLeadChanges) -> None:
    watch = await begin(subject)
    await changes.commit(change("ada", 1), change("ada", 2))
    token = (await take(watch, 2))[0].token
    again = await begin(subject, ALL, token)
    assert seen(await take(again, 1)) == [("ada", 2)]
    following = asyncio.create_task(take(again, 1))

    async def has_caught_up() -> bool:
        return changes.streams == 1

    await eventually(has_caught_up, what="a watcher that has caught up reads the shared stream")
    await changes.commit(change("ada", 3))
    assert seen(await following) == [("ada", 3)]


async def test_missed_changes_are_read_in_several_pieces(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 4)
    watch = await begin(subject)
    await changes.commit(*(change(lead_id, number) for number in range(1, 16) for lead_id in ("ada", "bob")))
    token = (await take(watch, 1))[0].token
    again = await begin(subject, Interest(lead_ids=frozenset({"ada"})), token)
    await changes.commit(change("ada", 16))
    assert seen(await take(again, 15)) == [("ada", number) for number in range(2, 17)]


async def test_two_hundred_watchers_read_one_stream(subject: Watchers, changes: FakeLeadChanges) -> None:
    watches = [await begin(subject) for _ in range(200)]
    await changes.commit(change("ada"))
    assert all([seen(await take(watch, 1)) == [("ada", 1)] for watch in watches])
    assert changes.streams == 1
    for watch in watches:
        await watch.aclose()

    async def is_closed() -> bool:
        return changes.streams == 0

    await eventually(is_closed, what="the stream is closed once nobody watches")


async def test_a_slow_watcher_is_cut_off_and_others_continue(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 20)
    slow, fast = await begin(subject), await begin(subject)
    found = []
    for number in range(1, 61):
        await changes.commit(change("ada", number))
        found += seen(await take(fast, 1))
    assert len(found) == 60
    with pytest.raises(WatcherTooSlow):
        await take(slow, 60)


async def test_the_number_of_watchers_is_limited(subject: Watchers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WATCHERS", 1)
    first = await begin(subject)
    with pytest.raises(TooManyWatchers) as caught:
        await begin(subject)
    assert 5 <= caught.value.retry_seconds <= 15
    await first.aclose()
    await begin(subject)


class FailingChanges:
    """`LeadChanges` that fail after the first position."""

    async def after(self, token: str) -> AsyncGenerator[StreamPosition, None]:
        """Yields a position, then fails."""
        yield StreamPosition("1")
        await asyncio.sleep(0.05)
        raise ConnectionError


async def test_when_the_stream_fails_every_watch_ends_and_the_next_one_starts_a_new_stream() -> None:
    watchers = Watchers(FailingChanges(), intelligence())
    for _ in range(2):
        watches = [await begin(watchers) for _ in range(2)]
        for watch in watches:
            with pytest.raises(ConnectionError):
                await take(watch, 1)


async def test_when_the_server_stops_every_watch_ends(
    subject: Watchers, changes: FakeLeadChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 1)
    watch, idle = await begin(subject), await begin(subject)
    await changes.commit(*(change("ada", number) for number in range(1, 4)))
    token = (await take(watch, 1))[0].token
    behind = await begin(subject, ALL, token)
    subject.stop()
    for each in (watch, idle, behind):
        with pytest.raises(Stopping):
            await take(each, 1)
    assert changes.streams == 0
