"""One contract for the stores: in memory and in MongoDB."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from automation_service.app import open_worker, run_server
from automation_service.domain.action import Action
from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.delivery import NEVER, Answer, ExecutionState, Fate
from automation_service.domain.execution import ExecutionNotFound, Firing, Key
from automation_service.domain.lead import Risk
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email, Slack
from automation_service.domain.rule import RuleExists, RuleNotFound
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    Inactive,
    ScoreCrossed,
    StageEntered,
    StageLeft,
    Trigger,
)
from automation_service.ports import Claim, Deliveries, Due, ExecutionQuery, Executions, Rules, Settlement
from automation_service.settings import AutomationSettings
from automation_service.store import cancellation, schema
from automation_service.store import executions as executions_module
from automation_service.store import rules as rules_module
from automation_service.store.deliveries import MongoDeliveries
from automation_service.store.executions import LAST_FIRING, MongoExecutions
from automation_service.store.rules import MongoRules
from automation_service.store.schema import EXECUTIONS, INDEXES
from cli.local.embedded import free_port
from shared import mongo
from shared.conditions import Operator
from shared.contracts import score_changes
from shared.deadlines import deadline
from shared.inbox.collection import Inbox
from shared.mongo import Database
from shared.settings import StartupError
from tests.automation.fakes import NOW, FakeExecutions, FakeRules, change, executed, rule, webhook
from tests.shared.commands import overheard

NO_BROKER: Any = None
"""It is not asked before the database is found to be in order."""


@pytest.fixture(params=["memory", "mongodb"])
def rules(request: pytest.FixtureRequest, database: Database) -> Rules:
    return FakeRules() if request.param == "memory" else MongoRules(database)


@pytest.fixture(params=["memory", "mongodb"])
async def executions(request: pytest.FixtureRequest, database: Database) -> Executions:
    await mongo.create_indexes(database, INDEXES)
    return FakeExecutions() if request.param == "memory" else MongoExecutions(database)


async def test_a_rule_is_read_as_it_was_stored(rules: Rules) -> None:
    attributes = (AttributeCondition("a.$b", Operator.IN, ("x", 1.5, True)), AttributeCondition("c", Operator.EXISTS))
    actions = (
        webhook(),
        Action("chat", Slack("https://chat.example/x", "hi"), Preset.NOTIFY_SALES, {"$a.b": "c", "": "d"}),
        Action("mail", Email(("a@b.example",), "email", "s", "b")),
    )
    asked = Conditions(("hot", "cold"), -5, 2**40, Risk.HIGH, 9, 8, ("monitor",), attributes)
    full = replace(rule("full", asked, *actions), disable_reason="gone")
    triggers: tuple[Trigger, ...] = (
        StageEntered(("hot",)), StageLeft(("hot", "cold")), ScoreCrossed(60, Direction.DOWNWARD),
        EventReceived("signup"), Inactive(30),
    )  # fmt: skip
    with_triggers = [
        replace(rule(str(index)), draft=replace(rule(str(index)).draft, trigger=trigger, cool_down_days=index))
        for index, trigger in enumerate(triggers)
    ]
    for each in (rule("plain"), full, *with_triggers):
        await rules.create(each)
        assert await rules.get(each.draft.rule_id) == each


async def test_a_rule_is_created_once(rules: Rules) -> None:
    await rules.create(rule())
    with pytest.raises(RuleExists):
        await rules.create(rule(enabled=False))
    assert (await rules.get("call")).draft.enabled


async def test_rules_are_listed_by_id_from_a_place_on(rules: Rules) -> None:
    for rule_id in ("b", "d", "a", "c"):
        await rules.create(rule(rule_id))
    assert [each.draft.rule_id for each in await rules.page((), 3)] == ["a", "b", "c"]
    assert [each.draft.rule_id for each in await rules.page(("b",), 3)] == ["c", "d"]


async def test_only_enabled_rules_are_evaluated(rules: Rules) -> None:
    await rules.create(rule("on"))
    await rules.create(rule("off", enabled=False))
    assert [each.draft.rule_id for each in await rules.enabled()] == ["on"]


async def test_a_rule_is_replaced_at_its_revision_only(rules: Rules) -> None:
    await rules.create(rule())
    second = replace(rule(), revision=2)
    assert await rules.replace(second, 1)
    assert not await rules.replace(replace(rule(), revision=3), 1)
    assert await rules.get("call") == second


async def test_a_deleted_rule_is_gone(rules: Rules) -> None:
    await rules.create(rule())
    await rules.delete("call")
    with pytest.raises(RuleNotFound):
        await rules.get("call")
    with pytest.raises(RuleNotFound):
        await rules.delete("call")
    assert not await rules.replace(rule(), 1)


async def test_keys_are_recorded_by_all_their_parts(executions: Executions) -> None:
    await executions.record([executed(change("ada"), rule("x")), executed(change("bob", day=2), rule("y"))])
    asked = {
        Key("ada", "x", "2026-03-01"),
        Key("ada", "x", "2026-03-02"),
        Key("ada", "y", "2026-03-02"),
        Key("bob", "y", "2026-03-02"),
    }
    assert await executions.recorded(asked) == {Key("ada", "x", "2026-03-01"), Key("bob", "y", "2026-03-02")}
    assert await executions.recorded(set()) == set()


async def test_executions_are_listed_latest_first(executions: Executions) -> None:
    old = [executed(change(lead_id), rule("x")) for lead_id in ("ada", "bob", "cyd")]
    new = executed(change("ada", day=2), rule("y"), NOW + timedelta(milliseconds=1))
    await executions.record([*old, new])
    ties = sorted(old, key=lambda each: each.execution_id, reverse=True)
    assert await executions.page(ExecutionQuery(9)) == [new, *ties]
    place = (ties[0].record_time, ties[0].execution_id)
    assert await executions.page(ExecutionQuery(1, after=place)) == [ties[1]]
    assert await executions.page(ExecutionQuery(9, lead_id="ada")) == [new, old[0]]
    assert await executions.page(ExecutionQuery(9, rule_id="y")) == [new]
    assert await executions.page(ExecutionQuery(9, lead_id="bob", date_bucket="2026-03-02")) == []
    assert await executions.page(ExecutionQuery(9, date_bucket="2026-03-01", after=place)) == ties[1:]


async def test_the_lists_of_executions_use_an_index(database: Database) -> None:
    await mongo.create_indexes(database, INDEXES)
    for asked in ({}, {"rule_id": "x"}, {"date_bucket": "2026-03-01"}, {"state": "failed"}):
        plan = await database[EXECUTIONS].find(asked).sort([("record_time", -1), ("_id", -1)]).explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "SORT'" not in stages


@pytest.fixture(params=["memory", "mongodb"])
async def kept(request: pytest.FixtureRequest, database: Database) -> tuple[Rules, Executions, Deliveries]:
    """Rules, executions and deliveries that belong together."""
    await mongo.create_indexes(database, INDEXES)
    if request.param == "mongodb":
        return MongoRules(database), MongoExecutions(database), MongoDeliveries(database)
    executions = FakeExecutions()
    return FakeRules(executions=executions), executions, executions


Kept = tuple[Rules, Executions, Deliveries]
BOTH = rule("call", None, webhook("one"), webhook("two", "https://other.example/"))
DISABLED = replace(BOTH, draft=replace(BOTH.draft, enabled=False), revision=2)
UNTIL = NOW + timedelta(seconds=30)
TICK = timedelta(milliseconds=1)


async def test_an_execution_is_read_as_it_was_stored(kept: Kept) -> None:
    _, executions, _ = kept
    tried = executed(change(), BOTH)
    settled = tried.deliveries[0].settled(Answer(Fate.RETRY, 503, "no", "e"), NOW, 5 * TICK, [TICK], 1)
    tried = replace(tried, deliveries=(settled, tried.deliveries[1]))
    await executions.record([tried])
    assert await executions.get(tried.execution_id) == tried
    with pytest.raises(ExecutionNotFound):
        await executions.get("nothing")


async def claim_one(deliveries: Deliveries, now: datetime, until: datetime, busy: Sequence[str] = ()) -> Claim | None:
    """Claims what has been due for longest."""
    due = await deliveries.due(now, busy, 9)
    claims = await deliveries.claim(due[:1], now, until)
    return claims[0] if claims else None


async def test_each_due_delivery_is_claimed_once_until_the_claim_lapses(kept: Kept) -> None:
    _, executions, deliveries = kept
    await executions.record([executed(change(), BOTH), executed(change("bob"), BOTH, NOW + TICK)])
    assert await claim_one(deliveries, NOW - TICK, UNTIL, []) is None
    claims = [await claim_one(deliveries, NOW, UNTIL, []) for _ in range(3)]
    assert claims[2] is None
    assert {each.delivery.action_id for each in claims if each} == {"one", "two"}
    assert {each.rule_id for each in claims if each} == {"call"}
    later = [await claim_one(deliveries, UNTIL, UNTIL + timedelta(seconds=30), []) for _ in range(5)]
    assert later[4] is None
    assert len({each.delivery.delivery_id for each in later if each}) == 4


async def test_of_two_that_claim_the_same_only_one_gets_it(kept: Kept) -> None:
    _, executions, deliveries = kept
    await executions.record([executed(change(f"lead-{number}"), BOTH) for number in range(20)])
    due = await deliveries.due(NOW, [], 99)
    assert len(due) == 40
    claims = await asyncio.gather(*(deliveries.claim(due[:30], NOW, UNTIL) for _ in range(3)))
    assert sorted(claim.delivery.delivery_id for each in claims for claim in each) == sorted(
        each.delivery_id for each in due[:30]
    )
    assert len(await deliveries.due(NOW, [], 99)) == 10


async def test_a_busy_endpoint_is_left_out(kept: Kept) -> None:
    _, executions, deliveries = kept
    await executions.record([executed(change(), BOTH)])
    claim = await claim_one(deliveries, NOW, UNTIL, ["https://crm.example"])
    assert claim
    assert claim.delivery.endpoint == "https://other.example"
    assert await claim_one(deliveries, NOW, UNTIL, ["https://crm.example", "https://other.example"]) is None


async def test_what_a_clock_set_that_was_ahead_is_due_at_once(kept: Kept) -> None:
    """What was claimed, and what was recorded as due at once; not what waits for its next attempt."""
    _, executions, deliveries = kept
    one, ahead, latest = rule("call", None, webhook()), NOW + timedelta(hours=1), NOW + timedelta(seconds=80)
    times = {"claimed": ahead, "recorded": ahead, "tried": NOW, "under-way": NOW, "new": NOW + timedelta(seconds=9)}
    ids = {}
    for lead_id, record_time in times.items():
        execution = executed(change(lead_id), one, record_time)
        ids[lead_id] = execution.deliveries[0].delivery_id
        await executions.record([execution])
    for lead_id, now in {"claimed": ahead, "tried": NOW, "under-way": NOW}.items():
        [claim] = await deliveries.claim([Due(ids[lead_id], "https://crm.example")], now, now + timedelta(seconds=40))
        if lead_id == "tried":
            waits = claim.delivery.settled(Answer(Fate.RETRY, 503), NOW, TICK, [timedelta(hours=2)], 1)
            await deliveries.settle([Settlement(claim, waits)])
    assert await deliveries.due(NOW, [], 9) == []
    await deliveries.repair_due_times(NOW, latest)
    found = {each.delivery_id for each in await deliveries.due(NOW, [], 9)}
    assert found == {ids["claimed"], ids["recorded"]}


async def test_looking_for_what_a_clock_set_that_was_ahead_reads_no_execution_that_waits(
    database_uri: str, database: Database
) -> None:
    await mongo.create_indexes(database, INDEXES)
    waits = executed(change(), rule("call", None, webhook())).deliveries[0]
    waits = waits.settled(Answer(Fate.RETRY, 503), NOW, TICK, [timedelta(hours=2)], 1)
    await MongoExecutions(database).record([replace(executed(change(), rule()), deliveries=(waits,))])
    async with overheard(database_uri) as (heard, commands):
        await MongoDeliveries(heard).repair_due_times(NOW, UNTIL)
    [(name, command)] = commands.sent
    asked = {name: command[name], "updates": command["updates"]}
    explained = await database.command("explain", asked, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 0
    assert "due_by_endpoint" in str(explained["queryPlanner"]["winningPlan"])


async def test_an_execution_is_as_far_as_its_deliveries(kept: Kept) -> None:
    _, executions, deliveries = kept
    recorded = executed(change(), BOTH)
    await executions.record([recorded, executed(change("bob"), rule())])
    states = []
    for fate in (Fate.ARRIVED, Fate.FINAL):
        claim = await claim_one(deliveries, NOW, UNTIL, [])
        assert claim
        settled = claim.delivery.settled(Answer(fate, 200), NOW, TICK, [], 1)
        await deliveries.settle([Settlement(claim, settled), Settlement(claim, claim.delivery.cancelled())])
        stored = await executions.get(recorded.execution_id)
        assert settled in stored.deliveries
        [listed] = await executions.page(ExecutionQuery(9, lead_id="ada", state=stored.state))
        states.append(listed.state)
    assert states == [ExecutionState.PENDING, ExecutionState.FAILED]
    assert await claim_one(deliveries, UNTIL, UNTIL, []) is None
    [plain] = await executions.page(ExecutionQuery(9, state=ExecutionState.RECORDED))
    assert plain.key.lead_id == "bob"


async def test_a_claim_that_has_lapsed_settles_nothing(kept: Kept) -> None:
    _, executions, deliveries = kept
    recorded = executed(change(), rule("call", None, webhook()))
    await executions.record([recorded])
    first = await claim_one(deliveries, NOW, UNTIL, [])
    second = await claim_one(deliveries, UNTIL, UNTIL + timedelta(seconds=30), [])
    assert first
    assert second
    settled = second.delivery.settled(Answer(Fate.ARRIVED), NOW, TICK, [], 1)
    await deliveries.settle([Settlement(first, first.delivery.cancelled())])
    assert (await executions.get(recorded.execution_id)).deliveries == (second.delivery,)
    await deliveries.settle([Settlement(first, first.delivery.cancelled()), Settlement(second, settled)])
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.DELIVERED


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_what_is_pending_of_a_disabled_or_deleted_rule_is_cancelled(kept: Kept, how: str) -> None:
    rules, executions, deliveries = kept
    await rules.create(BOTH)
    done, other = executed(change("bob"), BOTH), executed(change(), rule("other", None, webhook()))
    await executions.record([done])
    for _ in range(2):
        claim = await claim_one(deliveries, NOW, UNTIL, [])
        assert claim
        await deliveries.settle([Settlement(claim, claim.delivery.settled(Answer(Fate.ARRIVED), NOW, TICK, [], 1))])
    recorded = executed(change(), BOTH)
    await executions.record([recorded, other])
    assert not await rules.replace(DISABLED, 7)
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.PENDING
    if how == "disable":
        assert await rules.replace(DISABLED, 1)
    else:
        await rules.delete("call")
    stored = await executions.get(recorded.execution_id)
    assert stored.state is ExecutionState.CANCELLED
    assert {each.due_time for each in stored.deliveries} == {NEVER}
    assert (await executions.get(done.execution_id)).state is ExecutionState.DELIVERED
    assert (await executions.get(other.execution_id)).state is ExecutionState.PENDING


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_what_is_being_attempted_ends_by_its_answer_whatever_becomes_of_the_rule(kept: Kept, how: str) -> None:
    rules, executions, deliveries = kept
    await rules.create(BOTH)
    recorded = executed(change(), BOTH)
    await executions.record([recorded])
    claim = await claim_one(deliveries, NOW, UNTIL)
    assert claim
    if how == "disable":
        assert await rules.replace(DISABLED, 1)
    else:
        await rules.delete("call")
    arrived = claim.delivery.settled(Answer(Fate.ARRIVED, 200), NOW, TICK, [], 1)
    await deliveries.settle([Settlement(claim, arrived)])
    stored = await executions.get(recorded.execution_id)
    assert {each.state for each in stored.deliveries} == {ExecutionState.DELIVERED, ExecutionState.CANCELLED}
    assert arrived in stored.deliveries


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_a_rule_is_disabled_or_deleted_also_when_not_all_of_it_can_be_cancelled_in_time(
    database: Database, how: str
) -> None:
    """As when there is too much, or others write the same executions over and over."""
    await mongo.create_indexes(database, INDEXES)
    rules, executions = MongoRules(database), MongoExecutions(database)
    await rules.create(BOTH)
    recorded = executed(change(), BOTH)
    await executions.record([recorded])
    async with database.client.start_session() as session, await session.start_transaction():
        await database[EXECUTIONS].update_one({}, {"$set": {"held": True}}, session=session)
        with deadline(2):
            if how == "disable":
                assert await rules.replace(DISABLED, 1)
            else:
                await rules.delete("call")
    assert await rules.enabled() == []
    assert (await executions.get(recorded.execution_id)).state is ExecutionState.PENDING


async def test_all_that_is_pending_is_cancelled_batch_by_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "MAX_CANCELLED", 2)
    await mongo.create_indexes(database, INDEXES)
    rules, executions = MongoRules(database), MongoExecutions(database)
    await rules.create(BOTH)
    await executions.record([executed(change(f"lead-{number}"), BOTH) for number in range(5)])
    assert await rules.replace(DISABLED, 1)
    assert len(await executions.page(ExecutionQuery(9, state=ExecutionState.CANCELLED))) == 5


async def test_nothing_is_cancelled_of_a_rule_that_was_enabled_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mongo.create_indexes(database, INDEXES)
    rules, executions = MongoRules(database), MongoExecutions(database)
    await rules.create(BOTH)
    await executions.record([executed(change(), BOTH)])

    async def enable_first(database: Database, rule_id: str) -> None:
        assert await rules.replace(replace(BOTH, revision=3), 2)
        await cancellation.cancel_deliveries(database, rule_id)

    monkeypatch.setattr(rules_module, "cancel_deliveries", enable_first)
    assert await rules.replace(DISABLED, 1)
    assert len(await executions.page(ExecutionQuery(9, state=ExecutionState.PENDING))) == 1


async def test_what_is_acknowledged_is_on_a_majority(database_uri: str, database: Database) -> None:
    before = executed(change(), rule("call", None, webhook()))
    async with overheard(database_uri) as (heard, commands):
        rules = MongoRules(heard)
        await rules.create(rule())
        assert await rules.replace(replace(rule(), revision=2), 1)
        await MongoExecutions(heard).revive(before, before)
        assert await rules.replace(replace(rule(enabled=False), revision=3), 2)
        await rules.delete("call")
        written = [command.get("writeConcern") for name, command in commands.sent if name != "find"]
        assert written == [{"w": "majority", "j": True}] * 5


async def test_what_changed_meanwhile_is_not_revived(kept: Kept) -> None:
    _, executions, deliveries = kept
    before = executed(change(), rule("call", None, webhook()))
    await executions.record([before])
    after = replace(before, deliveries=(before.deliveries[0].retried(NOW + TICK),))
    assert await executions.revive(before, after)
    assert await executions.get(before.execution_id) == after
    await claim_one(deliveries, UNTIL, UNTIL, [])
    assert not await executions.revive(after, before)


async def test_the_last_firings_are_told_by_lead_and_rule(executions: Executions) -> None:
    await executions.record([executed(change("ada", day=day), rule("x")) for day in (2, 9, 3)])
    await executions.record([executed(change("bob"), rule("y"))])
    asked = {("ada", "x"), ("bob", "x"), ("bob", "y")}
    found = {pair: firing.date_bucket for pair, firing in (await executions.last_firings(asked)).items()}
    assert found == {("ada", "x"): "2026-03-09", ("bob", "y"): "2026-03-01"}
    assert await executions.last_firings(set()) == {}


async def test_a_last_firing_tells_the_silence_that_it_was_for_and_no_other(executions: Executions) -> None:
    silent = replace(rule("x"), draft=replace(rule("x").draft, trigger=Inactive(3)))
    await executions.record([executed(change("ada"), silent), executed(change("bob"), rule("x"))])
    assert await executions.last_firings({("ada", "x"), ("bob", "x")}) == {
        ("ada", "x"): Firing("2026-03-01", change().last_event_time),
        ("bob", "x"): Firing("2026-03-01", None),
    }


async def test_the_last_firings_are_told_of_any_number_of_leads_with_any_names(
    executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions_module, "MAX_PAIRS", 2)
    names = ["$ada", "$$ROOT", "a.b", "{}", "$"]
    await executions.record([executed(change(name), rule("$x")) for name in names])
    assert set(await executions.last_firings({(name, "$x") for name in names})) == {(name, "$x") for name in names}


async def test_of_a_long_history_only_the_last_firing_is_read(database: Database) -> None:
    await mongo.create_indexes(database, INDEXES)
    await MongoExecutions(database).record([executed(change(day=day), rule()) for day in range(1, 31)])
    pipeline = [{"$documents": [{"lead_id": "ada", "rule_id": "call"}]}, LAST_FIRING]
    asked = {"aggregate": 1, "pipeline": pipeline, "cursor": {}}
    explained = await database.command("explain", asked, verbosity="executionStats")
    [lookup] = [stage for stage in explained["stages"] if "$lookup" in stage]
    assert (lookup["totalDocsExamined"], lookup["indexesUsed"]) == (1, ["once"])


async def test_executions_are_listed_by_time(executions: Executions) -> None:
    three = [executed(change("ada", day=day), rule("x"), NOW + day * TICK) for day in (1, 2, 3)]
    await executions.record(three)
    query = ExecutionQuery(9, from_time=NOW + 2 * TICK, until_time=NOW + 3 * TICK)
    assert await executions.page(query) == [three[1]]


@pytest.mark.parametrize("busy", [[], ["a"]])
async def test_a_look_for_what_is_due_reads_no_execution_that_waits(
    database_uri: str, database: Database, busy: list[str]
) -> None:
    await mongo.create_indexes(database, INDEXES)
    await MongoExecutions(database).record([executed(change(), rule("call", None, webhook()))])
    async with overheard(database_uri) as (heard, commands):
        assert await MongoDeliveries(heard).due(NOW - TICK, busy, 9) == []
    [(_, command)] = commands.sent
    asked = {name: command[name] for name in ("find", "filter", "hint")}
    explained = await database.command("explain", asked, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 0


async def test_a_database_from_before_there_were_partitions_is_to_be_migrated(database: Database) -> None:
    await mongo.create_indexes(database, INDEXES)
    with pytest.raises(StartupError, match="run migrate of the automation service"):
        await schema.check(database, partitions=8)
    for _ in range(2):
        await schema.migrate(database, partitions=8)
    await schema.check(database, partitions=8)


@pytest.mark.parametrize("kind", ["server", "worker"])
async def test_without_its_own_migrate_neither_server_nor_worker_starts(
    database_uri: str, database: Database, kind: str
) -> None:
    """The inbox alone, which the scoring service makes, is not enough to find a delivery that is due."""
    settings = AutomationSettings.model_validate({"mongo_uri": database_uri, "port": free_port()})
    await Inbox(database, score_changes.CONTRACT, partitions=settings.partitions).migrate()
    start = run_server(settings) if kind == "server" else open_worker(settings, NO_BROKER).__aenter__()
    with pytest.raises(StartupError, match="run migrate of the automation service"):
        async with asyncio.timeout(30):
            await start
