"""Calls with good, bad and ugly keys to a real gRPC server, and what the log says of them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.access import callers
from shared.access.authentication import Authentication
from shared.access.callers import Caller
from shared.access.enforcement import Access, Methods
from shared.access.errors import ACCESS
from shared.access.keys import new_key
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.rpc.admission import Admission, Streams
from shared.rpc.handlers import guarded
from shared.rpc.health import Health
from testkit.serving import refusal
from tests.shared.access.rings import EXPIRED, NOW, FakeKeys, made, ring_from, ring_of, stored
from tests.shared.rpc.teapot import POUR, STREAM, STREAMS, WATCH, Teapot

METHODS = Methods(roles={"Pour": Role.READ, "Stream": Role.OPERATE, "Watch": Role.READ})
SENTENCE = "the API key is missing, unknown, expired or revoked"


class Client:
    """Calls a teapot with some key."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        codecs = (StringValue.SerializeToString, StringValue.FromString)
        self._pour = channel.unary_unary(POUR, *codecs)
        self.stream = channel.unary_stream(STREAM, *codecs)
        self.watch = channel.unary_stream(WATCH, *codecs)
        self.health = health_pb2_grpc.HealthStub(channel)

    async def pour(self, *metadata: tuple[str, str | bytes]) -> str:
        """Calls `Pour`, and returns the answer."""
        answer: StringValue = await self._pour(StringValue(value="tea"), metadata=metadata)
        return answer.value

    async def refused(self, *metadata: tuple[str, str | bytes]) -> grpc.aio.AioRpcError:
        """Returns the error of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.pour(*metadata)
        return error.value


@contextlib.asynccontextmanager
async def served(
    ring: KeyRing, pour: Callable[[str], Awaitable[str]] | None = None, tokens: "Tokens | None" = None
) -> AsyncIterator[Client]:
    """Serves a teapot to the holders of keys."""
    server = grpc.aio.server()
    access = Access(METHODS, Authentication(ring, tokens=tokens))
    streams = Streams(STREAMS)
    Teapot(pour or _who).register(guarded(server, ACCESS, Admission(8, 1.0), 10.0, streams, access=access))
    Health([""], _healthy).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Client(channel)
    finally:
        await server.stop(None)


class Tokens:
    """Knows one token."""

    def verify(self, token: str) -> Caller | None:
        """Returns whose token it is."""
        return Caller("ada@example.com", frozenset({Role.READ})) if token == "good" else None  # noqa: S105


async def _who(_: str) -> str:
    caller = callers.current()
    assert caller is not None
    assert callers.actor("somebody else") == caller.name
    return caller.name


async def _healthy() -> bool:
    return True


def bearer(text: str, scheme: str = "Bearer") -> tuple[str, str]:
    return ("authorization", f"{scheme} {text}")


async def test_the_caller_is_known_while_a_call_runs() -> None:
    text, document = made(Role.READ, name="website")
    other, other_document = made(Role.READ, name="app")
    async with served(await ring_of(document, other_document)) as client:
        assert await client.pour(bearer(text)) == "website"
        assert await client.pour(bearer(other, "bearer")) == "app"
        stream = client.watch(StringValue(value="one two"), metadata=(bearer(text),))
        assert [each.value async for each in stream] == ["website", "website"]
    assert callers.current() is None
    assert callers.actor("ada") == "ada", "without authentication, the request says who acts"


async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same() -> None:
    text, document = made(Role.READ)
    expired, expired_document = made(Role.READ, expires_at=EXPIRED)
    revoked, revoked_document = made(Role.READ, revoked_at=NOW)
    bad = [
        (),
        (bearer(""),),
        (bearer(expired),),
        (bearer(revoked),),
        (bearer(new_key().text),),
        (bearer(text[:-1]),),
        (bearer(text, "Basic"),),
        (("authorization", text),),
        (("authorization", ""),),
        (("x-api-key", text),),
        (bearer("x" * 4_000),),
    ]
    seen = set()
    async with served(await ring_of(document, expired_document, revoked_document)) as client:
        for metadata in bad:
            error = await client.refused(*metadata)
            assert refusal(error) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNKNOWN", []), metadata
            seen.add((error.details(), tuple(error.trailing_metadata())))
        assert await client.pour(bearer(text)) == "website"
    assert len(seen) == 1, "expected one answer to all of them, to the byte"
    assert next(iter(seen))[0] == SENTENCE


async def test_the_right_key_with_the_wrong_role_learns_which_one_is_needed() -> None:
    text, document = made(Role.READ)
    async with served(await ring_of(document)) as client:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            async for _ in client.stream(StringValue(value="tea"), metadata=(bearer(text),)):
                pass
        assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", [])
        assert error.value.details() == "Stream needs a caller with the role operate"


async def test_health_needs_no_key() -> None:
    async with served(await ring_of()) as client:
        await client.health.Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]  # the stubs lack it


async def test_a_stream_ends_when_its_key_is_revoked() -> None:
    new = new_key()
    keys = FakeKeys(stored(new, Role.READ))
    ring = await ring_from(keys)

    async def pour(word: str) -> str:
        if word == "two":
            keys.documents = [stored(new, Role.READ, revoked_at=NOW)]
            await ring.refresh()
        return word

    async with served(ring, pour) as client:
        stream = client.watch(StringValue(value="one two three"), metadata=(bearer(new.text),))
        assert await stream.read() == StringValue(value="one")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_other_bearers_are_tokens_if_there_are_any() -> None:
    text, document = made(Role.READ)
    async with served(await ring_of(document), tokens=Tokens()) as client:
        assert await client.pour(bearer("good")) == "ada@example.com"
        assert await client.pour(bearer(text)) == "website"
        assert (await client.refused(bearer("bad"))).details() == SENTENCE
        assert (await client.refused(bearer("lsk_good"))).details() == SENTENCE


async def test_many_bad_keys_share_one_log_line() -> None:
    with structlog.testing.capture_logs() as lines:
        async with served(await ring_of()) as client:
            for _ in range(200):
                await client.refused(bearer(new_key().text))
    assert len(lines) == 1, lines
    assert lines[0]["event"] == "calls without a valid API key refused"
    assert lines[0]["address"] == "127.0.0.1"
    assert "lsk_" not in repr(lines)
