"""`initiate` turns a new server into a replica set, once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme
from pymongo import MongoClient

from cli.local.embedded import EmbeddedMongo
from shared import mongo, replica_sets
from shared.mongo import Document
from shared.settings import StartupError
from testkit.waiting import eventually
from tests.bare_mongo import BareMongo


class Standalone(BareMongo):
    """A mongod without options, and so without a replica set."""

    def _arguments(self) -> list[str]:
        arguments = super()._arguments()
        at = arguments.index("--replSet")
        return arguments[:at] + arguments[at + 2 :]


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with Standalone(tmp_path_factory.mktemp("standalone")) as server:
        yield server


@pytest.fixture
def new(tmp_path: Path) -> Iterator[BareMongo]:
    """A mongod with `--replSet` that has not been initiated."""
    with BareMongo(tmp_path) as server:
        yield server


async def test_a_server_without_a_replica_set_is_reported_with_the_remedy(standalone: Standalone) -> None:
    uri = f"mongodb://127.0.0.1:{standalone.port}/leadscore"
    remedy = "start mongod with --replSet rs0, then run migrate"
    for attempt in (mongo.connect(uri), asyncio.to_thread(replica_sets.initiate, standalone.uri)):
        with pytest.raises(StartupError) as caught:
            await attempt
        assert str(caught.value) == f"MongoDB at 127.0.0.1:{standalone.port} is not a replica set: {remedy}"


@pytest.mark.usefixtures("impatient")
async def test_initiating_twice_makes_one_replica_set(new: BareMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartupError, match="run migrate if it is new"):
        await mongo.connect(new.uri)
    with pytest.raises(StartupError, match=r"^LEADSCORE_MONGO_URI must end with \?replicaSet="):
        await asyncio.to_thread(replica_sets.initiate, f"mongodb://127.0.0.1:{new.port}/leadscore")
    monkeypatch.setattr(mongo, "SELECT_SECONDS", 30.0)
    for _ in range(2):
        await asyncio.to_thread(replica_sets.initiate, new.uri)
        database = await mongo.connect(new.uri)
        assert await mongo.is_primary(database)
        await database.client.close()


def test_one_reachable_member_shows_that_the_replica_set_exists(
    mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_sets, "LOOK_SECONDS", 30.0)
    replica_sets.initiate(mongo_uri.replace("@", "@127.0.0.1:1,"))


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    """The path of the certificate authority's file."""
    return tmp_path / "authority.pem"


@pytest.fixture
def guarded(tmp_path: Path, trusted: Path) -> Iterator[BareMongo]:
    """A mongod that requires TLS and has not been initiated."""
    authority, certificate = trustme.CA(), tmp_path / "certificate.pem"
    authority.cert_pem.write_to_path(trusted)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)

    class Guarded(BareMongo):
        def _arguments(self) -> list[str]:
            files = ["--tlsCertificateKeyFile", str(certificate), "--tlsCAFile", str(trusted)]
            return [
                *super()._arguments(),
                "--tlsMode",
                "requireTLS",
                "--tlsAllowConnectionsWithoutCertificates",
                *files,
            ]

    with Guarded(tmp_path / "mongo") as server:
        yield server


async def test_a_certificate_that_is_not_valid_is_named_as_the_reason(
    guarded: BareMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((mongo, "SELECT_SECONDS"), (replica_sets, "LOOK_SECONDS"), (replica_sets, "MEMBER_SECONDS")):
        monkeypatch.setattr(module, name, 0.5)
    of_others = "self-signed certificate in certificate chain"
    reason = f"the certificate of the server is not valid: {of_others}"
    uri = f"{guarded.uri}&tls=true"

    async def is_named(attempt: Callable[[str], Awaitable[object]]) -> bool:
        with pytest.raises(StartupError, match=r"^no MongoDB primary answers") as caught:
            await attempt(uri)
        return str(caught.value) == f"no MongoDB primary answers at 127.0.0.1:{guarded.port}: {reason}"

    async def initiate(uri: str) -> None:
        await asyncio.to_thread(replica_sets.initiate, uri)

    for attempt in (mongo.connect, initiate):
        # A busy machine may have had no time for a handshake before an attempt is given up.
        await eventually(partial(is_named, attempt), what="the reason")


@pytest.mark.parametrize("trust", ["tlsCAFile={0}", "tlsInsecure=true"])
async def test_a_server_that_requires_tls_can_be_initiated(guarded: BareMongo, trusted: Path, trust: str) -> None:
    uri = f"{guarded.uri}&tls=true&{trust.format(trusted)}"
    for _ in range(2):
        await asyncio.to_thread(replica_sets.initiate, uri)
    database = await mongo.connect(uri)
    assert await mongo.is_primary(database)
    await database.client.close()


async def test_a_server_that_requires_a_login_can_be_initiated(tmp_path: Path) -> None:
    with Standalone(tmp_path) as first, MongoClient[Document](f"mongodb://127.0.0.1:{first.port}") as client:
        client.admin.command("createUser", "owner", pwd="hunter2", roles=["root"])  # noqa: S106 (of this test)

    class Guarded(EmbeddedMongo):
        def _set_up(self) -> None:
            pass

    with Guarded(tmp_path) as guarded:
        address = f"127.0.0.1:{guarded.port}/leadscore?replicaSet=rs0&authSource=admin"
        with pytest.raises(StartupError, match=r"refuses: .*requires authentication"):
            await asyncio.to_thread(replica_sets.initiate, f"mongodb://{address}")
        for _ in range(2):
            await asyncio.to_thread(replica_sets.initiate, f"mongodb://owner:hunter2@{address}")
        database = await mongo.connect(f"mongodb://owner:hunter2@{address}")
        assert await mongo.is_primary(database)
        await database.client.close()


async def test_two_concurrent_initiations_both_succeed(new: BareMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    is_initiated = replica_sets._is_initiated
    meeting = threading.Barrier(2, timeout=30)

    def look_together(seed: MongoClient[Document]) -> bool:
        found = is_initiated(seed)
        meeting.wait()
        return found

    monkeypatch.setattr(replica_sets, "_is_initiated", look_together)
    results = await asyncio.gather(
        *(asyncio.to_thread(replica_sets.initiate, new.uri) for _ in range(2)), return_exceptions=True
    )
    assert results == [None, None]
