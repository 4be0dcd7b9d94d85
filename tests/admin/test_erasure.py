"""Nothing about an erased person is left, and everything that is left is true."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from admin_service.domain.erasure import ErasureConflict, NothingKnown, OtherKey
from admin_service.store import leads
from admin_service.store.traces import Traces
from shared.mongo import Database, TransactionTimeout, transact
from tests.admin.erasing import BYSTANDERS, LEAD, World, new_privacy, new_world
from tests.scoring.conftest import days_ago


@pytest.fixture
async def world(database: Database) -> World:
    return await new_world(database)


async def test_nothing_about_the_person_is_left(world: World) -> None:
    await world.live()
    assert {trace.partition(":")[0] for trace in await world.traces()} == {
        *("audit_log", "automation_executions", "events", "leads", "score_changes", "score_history")
    }
    await world.privacy.erasing.erase(LEAD, f"forget {LEAD}", "Charles")
    assert await world.traces() == []


async def test_the_numbers_stay_under_a_pseudonym_and_verify(world: World) -> None:
    await world.live()
    before = await world.lead(LEAD)
    entries = await world.database["score_history"].find({"lead_id": LEAD}).sort("sequence").to_list()
    assert before is not None
    assert await world.scoring.verify() == []
    erasure = await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    [pseudonym] = erasure.pseudonyms
    after = await world.lead(pseudonym)
    assert after is not None
    assert await world.scoring.verify() == []
    assert (after.sequence, after.state.score, after.state.contributions) == (
        before.sequence,
        before.state.score,
        before.state.contributions,
    )
    kept = await world.database["score_history"].find({"lead_id": pseudonym}).sort("sequence").to_list()
    numbers = ("sequence", "kind", "rule_id", "points", "delta", "score_after", "event_time", "record_time")
    assert [[row[name] for name in numbers] for row in kept] == [[row[name] for name in numbers] for row in entries]
    assert (erasure.counts.entries, erasure.counts.executions) == (len(entries), 2)
    assert await world.lead(LEAD) is None
    assert {row["state"] async for row in world.database["automation_executions"].find()} == {"delivered", "cancelled"}


async def test_what_is_left_can_be_rescored_decayed_and_rebuilt_and_fires_nothing(world: World) -> None:
    await world.live()
    [pseudonym] = (await world.privacy.erasing.erase(LEAD, "r1", "Charles")).pseudonyms
    await world.scoring.run_decay(world.scoring.now)
    assert await world.scoring.verify() == []
    assert not (await world.scoring.rebuild.one(pseudonym)).changed
    rows = await world.database["score_changes"].find({"changes.lead_id": pseudonym}).to_list()
    transitions = [each["transitions"] for row in rows for each in row["changes"] if each["lead_id"] == pseudonym]
    assert transitions
    assert not any(transitions)


async def test_an_erasure_that_fails_midway_is_completed_by_the_same_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.live()
    with monkeypatch.context() as patched:
        patched.setattr(Traces, "erase_changes", _broken)
        with pytest.raises(ConnectionError):
            await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert await world.traces()
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert await world.traces() == []
    assert await world.scoring.verify() == []


@pytest.mark.parametrize(
    "broken", ["release_ids", "remove_unscored", "erase_changes", "erase_executions", "erase_search"]
)
async def test_an_erasure_whose_server_dies_is_completed_by_another(
    world: World, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    await world.live()
    with monkeypatch.context() as patched:
        patched.setattr(Traces, broken, _broken)
        with pytest.raises(ConnectionError):
            await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    world.clock.now += timedelta(minutes=3)
    await (await new_privacy(world.database, world.scoring, world.clock)).erasing.settle()
    assert await world.traces() == []
    assert await world.scoring.verify() == []
    assert await world.database["erasures"].count_documents({"state": "done"}) == 1


async def test_events_that_arrive_and_drains_that_run_meanwhile_are_erased_too(world: World) -> None:
    await world.live()
    done = asyncio.Event()
    drains = asyncio.gather(world.drain_until(done))
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    done.set()
    await drains
    await world.scoring.drain_all()
    await world.settled()
    assert await world.traces() == []
    assert await world.scoring.verify() == []
    assert await world.database["erasures"].count_documents({"state": "done"}) == 1


@pytest.mark.parametrize("sender", [LEAD, BYSTANDERS[0]])
async def test_an_event_that_is_sent_again_before_servers_know_is_erased_again(world: World, sender: str) -> None:
    await world.live()
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    await world.scoring.put(*((f"{LEAD}:{number}", sender, "signup", days_ago(8)) for number in (1, 3)), plan="pro")
    await world.scoring.drain_all()
    if sender == LEAD:
        await world.settled()
    else:
        await world.privacy.erasing.erase(sender, "r2", "Charles")
    assert await world.traces() == []
    assert await world.lead(sender) is None
    assert await world.scoring.verify() == []


async def test_a_lead_that_cannot_be_erased_does_not_keep_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.live()
    for lead_id in (LEAD, BYSTANDERS[0]):
        await world.privacy.erasing.erase(lead_id, f"forget {lead_id}", "Charles")
    unscored = Traces.unscored

    async def broken_for_ada(traces: Traces, lead_id: str) -> list[str]:
        return await (_broken() if lead_id == LEAD else unscored(traces, lead_id))

    with monkeypatch.context() as patched:
        patched.setattr(Traces, "unscored", broken_for_ada)
        await world.settled()
    assert await world.database["erasures"].count_documents({"state": "done"}) == 1
    await world.settled()
    assert await world.database["erasures"].count_documents({"state": "done"}) == 2


async def test_nor_does_it_after_its_server_has_died(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.live()
    with monkeypatch.context() as patched:
        patched.setattr(Traces, "erase_search", _broken)
        for lead_id in (LEAD, BYSTANDERS[0]):
            with pytest.raises(ConnectionError):
                await world.privacy.erasing.erase(lead_id, f"forget {lead_id}", "Charles")
    world.clock.now += timedelta(minutes=3)
    erasing = (await new_privacy(world.database, world.scoring, world.clock)).erasing
    await world.scoring.put((f"{LEAD}:again", LEAD, "signup", days_ago(1)))
    unscored = Traces.unscored

    async def broken_for_ada(traces: Traces, lead_id: str) -> list[str]:
        return await (_broken() if lead_id == LEAD else unscored(traces, lead_id))

    with monkeypatch.context() as patched:
        patched.setattr(Traces, "unscored", broken_for_ada)
        await erasing.settle()
    assert await world.database["erasures"].count_documents({"state": "done"}) == 1
    await erasing.settle()
    await erasing.settle()
    assert await world.traces() == []
    assert await world.database["erasures"].count_documents({"state": "done"}) == 2


async def test_a_long_history_moves_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "PIECE_ENTRIES", 5)
    await world.live()
    await world.scoring.put(*((f"{LEAD}-{n}", LEAD, "page_view", days_ago(2 - n % 7 / 10)) for n in range(60)))
    await world.scoring.drain_all()
    before = await world.lead(LEAD)
    [pseudonym] = (await world.privacy.erasing.erase(LEAD, "r1", "Charles")).pseudonyms
    after = await world.lead(pseudonym)
    assert before is not None
    assert after is not None
    assert after.state.score == before.state.score
    assert await world.traces() == []
    assert await world.scoring.verify() == []


async def test_a_database_that_is_slow_gets_smaller_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "MIN_PIECE_ENTRIES", 1)
    monkeypatch.setattr(leads, "PIECE_ENTRIES", 16)
    await world.live()
    sizes = list[int]()

    async def slow(database: Database, body: Any, *, seconds: float) -> None:
        sizes.append(len(body.args[1].entries))
        if sizes[-1] > 4:
            raise TransactionTimeout("too slow", 50)
        await transact(database, body, seconds=seconds)

    monkeypatch.setattr(leads, "transact", slow)
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert max(sizes) > 4 >= sizes[-1]
    assert await world.traces() == []
    assert await world.scoring.verify() == []


async def test_a_lead_that_begins_anew_can_be_erased_again(world: World) -> None:
    await world.live()
    first = await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    await world.settled()
    await world.scoring.put((f"{LEAD}:new", LEAD, "signup", days_ago(1)), name="Ada Lovelace")
    await world.scoring.drain_all()
    again = await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert again.is_done
    assert await world.lead(LEAD), "expected a repeated request to leave the new lead alone"
    second = await world.privacy.erasing.erase(LEAD, "r2", "Charles")
    assert second.pseudonyms != first.pseudonyms
    assert await world.traces() == []
    assert await world.scoring.verify() == []


async def test_a_lead_without_a_score_can_be_erased(world: World) -> None:
    await world.park()
    erasure = await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert erasure.counts.events == 2
    assert await world.traces() == []


async def test_other_leads_are_untouched(world: World) -> None:
    await world.live()
    before = [await world.lead(each) for each in BYSTANDERS]
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    assert [await world.lead(each) for each in BYSTANDERS] == before
    changed = [
        change["lead_id"] for row in await world.database["score_changes"].find().to_list() for change in row["changes"]
    ]
    assert set(BYSTANDERS) <= set(changed)


async def test_refusals(world: World) -> None:
    await world.live()
    with pytest.raises(NothingKnown):
        await world.privacy.erasing.erase("nobody", "r0", "Charles")
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    with pytest.raises(ErasureConflict):
        await world.privacy.erasing.erase(BYSTANDERS[0], "r1", "Charles")


async def test_after_a_restore_the_list_of_erasures_is_reapplied(world: World) -> None:
    await world.live()
    backup = await world.everything()
    await world.privacy.erasing.erase(LEAD, "r1", "Charles")
    await world.settled()
    saved = await world.privacy.erasing.erasures.page((), 10)
    await world.restore(backup)
    assert await world.traces()
    erasing = (await new_privacy(world.database, world.scoring, world.clock)).erasing
    with pytest.raises(OtherKey):
        await erasing.reapply(saved, b"another")
    assert await erasing.reapply(saved, erasing.digests.key_id) == 1
    assert await world.traces() == []
    assert await world.scoring.verify() == []
    assert await erasing.reapply(saved, erasing.digests.key_id) == 0


async def _broken(*_: object) -> Any:
    raise ConnectionError("the server dies here")
