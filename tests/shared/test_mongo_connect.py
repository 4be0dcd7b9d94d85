"""A connection reports a bad URI or an unreachable server in one line, without the password."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from shared import mongo, replica_sets
from shared.mongo import Database
from shared.settings import StartupError


@pytest.mark.parametrize(
    "uri",
    [
        "nonsense",
        "mongodb://",
        "mongodb://127.0.0.1:port/leadscore",
        "mongodb://127.0.0.1:99999/leadscore",
        "mongodb://127.0.0.1/lead score",
        "mongodb://user:hunter2/@127.0.0.1/leadscore",
        "mongodb://user:hunter2@x@127.0.0.1/leadscore",
        "mongodb://127.0.0.1:1,127.0.0.1:2/leadscore?directConnection=true",
        "mongodb+srv://127.0.0.1/leadscore",
    ],
)
async def test_a_malformed_uri_is_reported_in_one_line_without_its_password(uri: str) -> None:
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, uri)):
        with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI: ") as caught:
            await attempt
        assert "\n" not in str(caught.value)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:hunter/two@host/db",
        "mongodb://user:hunter?two@host/db",
        "mongodb://user:hunter?two=2@host/db",
        "mongodb://user:hunter@two@host/db",
        "mongodb://user:hunter:two@host/db",
        "mongodb://user:hunter%two@host/db",
        "mongodb://user:5678/two@host",
        "mongodb://user:5678?appName=two@host",
        "mongodb://user:5678@hunter/two@host",
        "mongodb+srv://user:hunter/two@host/db",
    ],
)
async def test_no_part_of_an_unencoded_password_is_reported(uri: str) -> None:
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, uri)):
        with pytest.raises(StartupError, match="percent-encode the user and the password") as caught:
            await attempt
        assert not {part for part in ("hunter", "two", "5678") if part in str(caught.value)}


@pytest.mark.parametrize(
    "option", ["tls=true&tlsCAFile=/nowhere.pem", "authMechanism=GSSAPI", "minPoolSize=9&maxPoolSize=1"]
)
async def test_an_invalid_client_option_is_reported_in_one_line(option: str) -> None:
    uri = f"mongodb://127.0.0.1:1/leadscore?{option}"
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, uri)):
        with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI: "):
            await attempt


async def test_a_read_preference_is_refused_with_the_setting_that_takes_its_place() -> None:
    uri = "mongodb://127.0.0.1:1/leadscore?replicaSet=rs0&readPreference=secondary"
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, uri)):
        with pytest.raises(StartupError, match=r"remove readPreference: .* LEADSCORE_STALE_READS says where"):
            await attempt


@pytest.mark.usefixtures("impatient")
async def test_an_unreachable_server_is_reported_with_its_address() -> None:
    with pytest.raises(StartupError) as caught:
        await mongo.connect("mongodb://user:hunter2@127.0.0.1:1/leadscore?replicaSet=rs0")
    remedy = "start it or set LEADSCORE_MONGO_URI; run migrate if it is new"
    assert str(caught.value) == f"no MongoDB primary answers at 127.0.0.1:1: {remedy}"


async def test_a_wrong_password_is_reported_in_one_line(mongo_uri: str) -> None:
    uri = re.sub(":[0-9a-f]{64}@", ":hunter2@", mongo_uri)
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, uri)):
        with pytest.raises(StartupError, match=r": Authentication failed\.$"):
            await attempt


@pytest.mark.parametrize(("path", "name"), [("/other?", "other"), ("/?", "leadscore")])
async def test_the_uri_names_the_database(mongo_uri: str, path: str, name: str) -> None:
    database = await mongo.connect(mongo_uri.replace("/leadscore?", path))
    assert database.name == name
    await database.client.close()


async def test_times_are_read_with_their_time_zone(database: Database) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await database.things.insert_one({"_id": 1, "time": now})
    found = await database.things.find_one({"_id": 1})
    assert found == {"_id": 1, "time": now}


async def test_a_long_transaction_lifetime_limit_is_logged_as_a_warning(database: Database, mongo_uri: str) -> None:
    parameter = "transactionLifetimeLimitSeconds"
    for seconds, warnings in ((60, 1), (mongo.ORPHAN_SECONDS, 0)):
        await database.client.admin.command({"setParameter": 1, parameter: seconds})
        with capture_logs() as lines:
            opened = await mongo.connect(mongo_uri)
            await opened.client.close()
        assert len(lines) == warnings
        assert all(parameter in line["advice"] for line in lines)
