"""Secrets of receivers: encrypted in MongoDB, bound to their rule and origin, rotated, and reported if unreadable."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import bson
import pytest

from automation_service.app import open_worker, run_reencryption, run_server
from automation_service.delivery.templates import SandboxedTemplates
from automation_service.domain.action import Action
from automation_service.domain.delivery import ExecutionState
from automation_service.domain.execution import Execution
from automation_service.domain.limits import InvalidRule
from automation_service.domain.receiver import Slack, Webhook
from automation_service.domain.rule import Rule
from automation_service.domain.sealing import opened
from automation_service.settings import AutomationSettings
from automation_service.store.rules import MongoRules
from automation_service.usecases.reencryption import reencrypt
from automation_service.usecases.rules import RuleBook, RuleValidator
from cli.local.embedded import free_port
from shared.mongo import Database
from shared.secrets import SecretKeys, SecretUnreadable, new_key, read_keys
from shared.settings import StartupError
from shared.tasks import running
from testkit.receiver import SECRET
from testkit.secret_keys import KEY, KEYS
from testkit.waiting import eventually
from tests.automation.dispatching import Dispatching
from tests.automation.fake_stores import FakeRules
from tests.automation.fakes import NOW, FakeModels, FakeReceivers, change, draft, executed, plain, rule

TOKEN = "T0aB1cD2eF3g"  # noqa: S105 (an example)
CRM_URL = f"https://crm.example/in/{TOKEN}?key={TOKEN}"
CRM = Action("crm", Webhook(CRM_URL, (SECRET,)))
CHAT = Action("chat", Slack(f"https://hooks.chat.example/services/{TOKEN}", "hi"))
GUARDED = rule("guarded", None, CRM, CHAT)
OTHER_KEY = new_key()
NO_BROKER: Any = None


def keys(*texts: str) -> SecretKeys:
    return SecretKeys(read_keys(",".join(texts)))


def book(rules: Any) -> RuleBook:
    validator = RuleValidator(FakeModels(), FakeReceivers(), SandboxedTemplates(), allow_http=False)
    return RuleBook(rules, validator, lambda: NOW)


async def raw(database: Database) -> bytes:
    """Returns every document of the collection of rules as MongoDB stores it."""
    return b"".join([bson.encode(row) async for row in database["automation_rules"].find()])


async def test_no_document_contains_a_secret(database: Database) -> None:
    rules = MongoRules(database, KEYS)
    await book(rules).create(GUARDED.draft)
    renamed = replace(GUARDED.draft, display_name="Renamed", actions=())
    await book(rules).update(renamed, ["display_name"], 0)
    await book(rules).update(GUARDED.draft, ["actions"], 0)
    await rules.replace(replace(await rules.get("guarded"), revision=4), 3)
    stored = await raw(database)
    for secret in (SECRET, SECRET.removeprefix("whsec_"), TOKEN, "/in", "/services"):
        assert secret.encode() not in stored
    assert b"https://crm.example" in stored
    assert plain(await rules.get("guarded")).draft.actions == (CRM, CHAT)


async def test_a_secret_that_was_moved_cannot_be_read(database: Database) -> None:
    """Whoever may write to the database cannot send a rule's secrets elsewhere."""
    rules, rows = MongoRules(database, KEYS), database["automation_rules"]
    await rules.create(GUARDED)
    row = await rows.find_one({"_id": "guarded"})
    assert row is not None
    elsewhere = row | {"_id": "elsewhere"}
    await rows.insert_one(elsewhere)
    evil = row["actions"][0] | {"webhook": row["actions"][0]["webhook"] | {"origin": "https://evil.example"}}
    await rows.insert_one(row | {"_id": "evil", "actions": [evil]})
    await rows.update_one({"_id": "guarded"}, {"$set": {"actions.0.webhook.origin": "https://evil.example"}})
    for rule_id in ("guarded", "elsewhere", "evil"):
        with pytest.raises(SecretUnreadable, match="copied from another place"):
            plain(await rules.get(rule_id))


@pytest.mark.parametrize("damage", [b"", b"x", "plain text", None, 7])
async def test_a_damaged_secret_hides_no_rule(database: Database, damage: object) -> None:
    rules = MongoRules(database, KEYS)
    await rules.create(GUARDED)
    await rules.create(rule("sound", None, CRM))
    await database["automation_rules"].update_one(
        {"_id": "guarded"}, {"$set": {"actions.0.webhook.sealed_secrets": damage}}
    )
    damaged, sound = await rules.enabled()
    assert plain(sound).draft.actions == (CRM,)
    with pytest.raises(SecretUnreadable, match="damaged"):
        plain(damaged)


async def test_a_rule_whose_secret_cannot_be_read_can_be_disabled_and_keeps_it(database: Database) -> None:
    """As when a server was started with the wrong keys: the secret must not be lost."""
    await MongoRules(database, KEYS).create(GUARDED)
    wrong = MongoRules(database, keys(OTHER_KEY))
    await book(wrong).update(replace(GUARDED.draft, enabled=False), ["enabled"], 0)
    assert plain(await MongoRules(database, KEYS).get("guarded")).draft.actions == (CRM, CHAT)


async def test_keys_are_rotated(database: Database) -> None:
    before, both, after = MongoRules(database, KEYS), keys(OTHER_KEY, KEY), keys(OTHER_KEY)
    for number in range(120):
        await before.create(rule(f"call-{number:03}", None, CRM, CHAT))
    await before.create(rule("quiet"))
    during = MongoRules(database, both)
    stale = await during.get("call-000")
    assert await reencrypt(during, both) == (120, [])
    for stored in await during.page((), 500):
        actions = tuple(opened(stored.draft.rule_id, action, after) for action in stored.draft.actions)
        assert actions in ((CRM, CHAT), ())
    assert not await during.replace(stale, stale.revision), "expected an update with old ciphertexts to fail"
    assert await reencrypt(during, both) == (120, [])


async def test_what_cannot_be_read_is_named_and_left_as_it_is(database: Database, database_uri: str) -> None:
    await MongoRules(database, KEYS).create(GUARDED)
    await MongoRules(database, keys(OTHER_KEY)).create(rule("sound", None, CRM))
    stored = await database["automation_rules"].find_one({"_id": "guarded"})
    settings = AutomationSettings.model_validate({"mongo_uri": database_uri, "secret_keys": OTHER_KEY})
    with pytest.raises(StartupError, match=r"no key decrypts .*: guarded$"):
        await run_reencryption(settings)
    assert await database["automation_rules"].find_one({"_id": "guarded"}) == stored


async def test_the_command_encrypts_with_the_first_key(database: Database, database_uri: str) -> None:
    await MongoRules(database, KEYS).create(GUARDED)
    settings = AutomationSettings.model_validate({"mongo_uri": database_uri, "secret_keys": f"{OTHER_KEY},{KEY}"})
    await run_reencryption(settings)
    stored = await MongoRules(database, keys(OTHER_KEY)).get("guarded")
    assert tuple(opened("guarded", action, keys(OTHER_KEY)) for action in stored.draft.actions) == (CRM, CHAT)


@pytest.mark.parametrize("start", ["server", "worker", "reencryption"])
async def test_nothing_that_needs_a_key_starts_without_one(database_uri: str, start: str) -> None:
    settings = AutomationSettings.model_validate({"mongo_uri": database_uri, "port": free_port(), "secret_keys": ""})
    starting: dict[str, Callable[[], Awaitable[object]]] = {
        "server": lambda: run_server(settings),
        "worker": lambda: open_worker(settings, NO_BROKER).__aenter__(),
        "reencryption": lambda: run_reencryption(settings),
    }
    with pytest.raises(StartupError, match=r"^LEADSCORE_SECRET_KEYS is not set.*openssl rand -base64 32"):
        await starting[start]()


def sealed_with(key: str, stored: Rule) -> FakeRules:
    """Returns rules of which one was encrypted with another key."""
    rules = FakeRules(rule("sound", None, CRM))
    rules.rules[stored.draft.rule_id] = FakeRules(stored, keys=keys(key)).rules[stored.draft.rule_id]
    return rules


async def test_a_delivery_whose_secret_cannot_be_read_waits_with_its_reason_and_others_go_on() -> None:
    receivers, guarded = FakeReceivers(), rule("guarded", None, CRM)
    waiting, sound = executed(change(), guarded), executed(change(), rule("sound", None, CRM))
    dispatching = Dispatching(receivers, waiting, sound, rules=sealed_with(OTHER_KEY, guarded))

    def stored(asked: Execution) -> Execution:
        return dispatching.executions.executions[asked.key]

    async def are_tried() -> bool:
        return all(stored(each).deliveries[0].attempts for each in (waiting, sound))

    async with running(dispatching.dispatcher.run()):
        await eventually(are_tried, what="both are tried")
        assert stored(sound).state is ExecutionState.DELIVERED
        [delivery] = stored(waiting).deliveries
        assert (delivery.state, delivery.attempts[-1].status) == (ExecutionState.PENDING, 0)
        assert delivery.attempts[-1].error == "no key in LEADSCORE_SECRET_KEYS encrypted the stored secret"
        await dispatching.rules.create(replace(guarded, draft=replace(guarded.draft, rule_id="new")))
        dispatching.rules.rules["guarded"] = FakeRules(guarded).rules["guarded"]
        dispatching.clock.now = delivery.due_time

        async def has_arrived() -> bool:
            return stored(waiting).state is ExecutionState.DELIVERED

        await eventually(has_arrived, what="it is delivered once its secret can be read")
    assert len(receivers.sent) == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Webhook("https://crm.example", ()), CRM.receiver),
        (Webhook("", ()), CRM.receiver),
        (Webhook("https://crm.example/", ()), Webhook("https://crm.example/", (SECRET,))),
        (Webhook("https://CRM.example:443/new", ()), Webhook("https://CRM.example:443/new", (SECRET,))),
        (Webhook("https://crm.example", (SECRET, SECRET)), Webhook(CRM_URL, (SECRET, SECRET))),
        (Webhook("https://new.example/x", (SECRET,)), Webhook("https://new.example/x", (SECRET,))),
    ],
)
async def test_an_update_keeps_what_it_does_not_give(given: Webhook, kept: Webhook) -> None:
    rules = FakeRules(GUARDED)
    asked = draft("guarded", None, Action("crm", given), Action("chat", Slack("https://hooks.chat.example", "hi")))
    await book(rules).update(asked, ["actions"], 0)
    assert plain(rules.rules["guarded"]).draft.actions == (Action("crm", kept), CHAT)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/in",
        "https://evil.example",
        "https://crm.example:8443/in",
        "http://crm.example/in",
        "https://crm.example.evil.example/in",
        "https://crm.example@evil.example/in",
        "https://evil.example/https://crm.example",
        "https://crm.example./in",
        "https://[",
    ],
)
@pytest.mark.parametrize("action_id", ["crm", "chat"])
async def test_a_new_origin_requires_a_secret(url: str, action_id: str) -> None:
    """Otherwise it would receive requests with valid signatures."""
    rules = FakeRules(GUARDED)
    moved = draft("guarded", None, Action(action_id, Webhook(url, ())))
    with pytest.raises(InvalidRule) as caught:
        await book(rules).update(moved, ["actions"], 0)
    assert re.fullmatch(r"actions\[0\]\.webhook\.(secrets|url)", caught.value.field)
    assert plain(rules.rules["guarded"]) == GUARDED


async def test_an_update_of_another_field_ignores_the_actions_beside_it() -> None:
    rules = FakeRules(GUARDED)
    asked = replace(GUARDED.draft, display_name="New", actions=(Action("crm", Webhook("https://evil.example/", ())),))
    await book(rules).update(asked, ["display_name"], 0)
    assert plain(rules.rules["guarded"]).draft.actions == (CRM, CHAT)


def texts(values: Sequence[object]) -> str:
    return " ".join(map(repr, values))


def test_no_representation_contains_a_secret() -> None:
    stored = FakeRules(GUARDED).rules["guarded"]
    delivery = executed(change(), GUARDED)
    shown = texts([GUARDED, stored, delivery, KEYS, AutomationSettings.model_validate({"secret_keys": KEY})])
    for secret in (SECRET, TOKEN, KEY):
        assert secret not in shown
