"""The API key of a client, and channels that show it in every call."""

import functools
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

_Channel = TypeVar("_Channel")


def key_from_environment() -> str:
    """Returns the key in `LEADSCORE_API_KEY`, or else in the file that `LEADSCORE_API_KEY_FILE` names; empty if none.

    Raises:
        OSError: The file cannot be read.
    """
    path = os.environ.get("LEADSCORE_API_KEY_FILE")
    return os.environ.get("LEADSCORE_API_KEY") or (Path(path).read_text().strip() if path else "")


def with_key(channel: _Channel, key: str) -> _Channel:
    """Returns a channel whose calls show the key; the channel itself if the key is empty."""
    return _Keyed(channel, key) if key else channel  # type: ignore[return-value]  # it has what stubs and clients call


class _Keyed:
    """A channel for threads or for asyncio. An interceptor would cost several times as much for each call."""

    def __init__(self, channel: Any, key: str) -> None:  # noqa: ANN401 (both kinds of channels)
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {key}"),)

    def unary_unary(self, *description: Any, **options: Any) -> Any:  # noqa: ANN401 (as stubs call it)
        """Returns a method that answers once."""
        return functools.partial(self._channel.unary_unary(*description, **options), metadata=self._metadata)

    def unary_stream(self, *description: Any, **options: Any) -> Any:  # noqa: ANN401 (as stubs call it)
        """Returns a method that answers with a stream."""
        return functools.partial(self._channel.unary_stream(*description, **options), metadata=self._metadata)

    def close(self) -> Any:  # noqa: ANN401 (asyncio returns an awaitable)
        """Closes the channel."""
        return self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
