"""A watch goes on for as long as its caller wants, however quiet it is and however often its stream ends."""

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from leadscore.client import AsyncClient, Client, RetryPolicy, Unavailable, retry
from leadscore.intelligence.v1 import intelligence_pb2 as pb

from tests.clients.test_retry import failed_call

POLICY = RetryPolicy(total_seconds=30, initial_backoff=0.001, max_backoff=0.001)
CHANGE = pb.LeadChange(lead_id="ada")


class Streams:
    """Streams of `WatchLeads`, each of which is quiet for an hour after its responses and then breaks."""

    def __init__(self, *streams: list[pb.WatchLeadsResponse]) -> None:
        self.tokens: list[str] = []
        self.now = 0.0
        self._streams = iter(streams)

    def monotonic(self) -> float:
        """Returns the time."""
        return self.now

    def open(self, request: pb.WatchLeadsRequest, timeout: float) -> "Stream":
        """Opens the next stream."""
        self.tokens.append(request.resume_token)
        return Stream(self, next(self._streams, []))

    def breaks(self, responses: list[pb.WatchLeadsResponse]) -> grpc.RpcError:
        """Returns the error with which a stream ends."""
        self.now += 3600 if responses else 10
        return failed_call(grpc.StatusCode.UNAVAILABLE)


class Stream:
    """A stream for threads or for asyncio."""

    def __init__(self, streams: Streams, responses: list[pb.WatchLeadsResponse]) -> None:
        self._streams, self._responses = streams, responses

    def __iter__(self) -> Iterator[pb.WatchLeadsResponse]:
        yield from self._responses
        raise self._streams.breaks(self._responses)

    async def __aiter__(self) -> AsyncIterator[pb.WatchLeadsResponse]:
        for each in self._responses:
            yield each
        raise self._streams.breaks(self._responses)

    def cancel(self) -> None:
        """Does nothing."""


def response(token: str, change: pb.LeadChange | None = None) -> pb.WatchLeadsResponse:
    return pb.WatchLeadsResponse(resume_token=token, change=change)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    made = Streams([response("1"), response("2", CHANGE)], [response("2"), response("3", CHANGE)])
    monkeypatch.setattr(retry, "time", made)
    return made


def watching(client: Any, streams: Streams) -> Any:
    client._intelligence = SimpleNamespace(WatchLeads=streams.open)
    return client.watch()


def test_a_watch_that_has_been_quiet_for_long_is_resumed(streams: Streams) -> None:
    with Client(retry=POLICY) as client:
        watch = watching(client, streams)
        assert [next(watch).resume_token for _ in range(3)] == ["1", "2", "3"]
        with pytest.raises(Unavailable):
            next(watch)
    assert streams.tokens[:3] == ["", "2", "3"]
    assert streams.now == 2 * 3600 + 30, "expected the attempts to end 30 seconds after the first that failed"


async def test_so_is_one_for_asyncio(streams: Streams) -> None:
    async with AsyncClient(retry=POLICY) as client:
        watch = watching(client, streams)
        assert [(await anext(watch)).resume_token for _ in range(3)] == ["1", "2", "3"]
        with pytest.raises(Unavailable):
            await anext(watch)
    assert streams.tokens[:3] == ["", "2", "3"]
