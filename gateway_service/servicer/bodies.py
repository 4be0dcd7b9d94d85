"""Reads the bodies of requests: bounded in size and in time, unpacked, and parsed as JSON.

Guarantee: no body takes more than `MAX_BYTES` of memory, packed or unpacked, and those of all requests together not
more than `Bodies` is given.
"""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator

import grpc
from starlette.requests import Request

from gateway_service.servicer.refusals import Refused
from shared.mapping.exact_json import STRICT_DECODER, json_flaw

MAX_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 64 * MAX_BYTES
JSON_TYPES = {"", "application/json", "text/plain"}
"""The content types of JSON, besides those that end with `+json`. Browsers send text/plain, and some clients none."""

_GZIP = 16 + zlib.MAX_WBITS


class Bodies:
    """Reads bodies, each within `seconds`, and no more than `max_total_bytes` of them at a time."""

    def __init__(self, seconds: float, max_total_bytes: int) -> None:
        self._seconds = seconds
        self._max_total_bytes = max_total_bytes
        self._reserved = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request, *, packed: bool = True) -> AsyncIterator[bytes]:
        """Reads the body of a request, and holds its memory while the block runs. `packed` allows gzip.

        Raises:
            Refused: It is too large, too slow, or packed in another way.
            starlette.requests.ClientDisconnect: The sender has left.
        """
        size = _declared_size(request)
        if self._reserved + size > self._max_total_bytes:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "server overloaded; retry later")
        self._reserved += size
        try:
            yield _unpacked(await self._received(request), _encoding(request, packed=packed))
        finally:
            self._reserved -= size

    async def _received(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise _too_large()
        except TimeoutError:
            sentence = f"the body did not arrive within {self._seconds:g} s"
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, sentence, status=408) from None
        return bytes(body)


def content_type(request: Request) -> str:
    """Returns the content type of a request, without its parameters and in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """Checks that a request says that its body is JSON.

    Raises:
        Refused: It has another content type.
    """
    found = content_type(request)
    if found not in JSON_TYPES and not (found.startswith("application/") and found.endswith("+json")):
        sentence = f"the content type is {found[:100]!r}, must be application/json"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, sentence, status=415)


def parse_json(body: bytes) -> object:
    """Returns the value of a body, with exact numbers.

    Raises:
        Refused: It is not JSON in UTF-8, or has an object with a key twice.
    """
    try:
        return STRICT_DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        flaw = "is not UTF-8"
    except (ValueError, RecursionError) as error:
        flaw = json_flaw(error)
    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"the body {flaw}")


def _declared_size(request: Request) -> int:
    """Returns how many bytes a body will take at most. The HTTP server has checked the header."""
    length = request.headers.get("content-length", "")
    if length and "transfer-encoding" in request.headers:
        # A proxy in front may see another end of the request than we do, and pass on what follows as a part of it.
        sentence, closing = "the request has two lengths", {"connection": "close"}
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, sentence, headers=closing)
    size = int(length) if length.isdecimal() else MAX_BYTES
    if size > MAX_BYTES:
        raise _too_large()
    return MAX_BYTES if request.headers.get("content-encoding") else size


def _encoding(request: Request, *, packed: bool) -> str:
    found = request.headers.get("content-encoding", "identity").strip().lower()
    if found == "identity" or (found == "gzip" and packed):
        return found
    allowed = "gzip or none" if packed else "none, because the signature is that of the body as it is"
    sentence = f"the content encoding is {found[:100]!r}, must be {allowed}"
    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, sentence, status=415)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return body
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the body is not gzip") from None
    if len(unpacked) > MAX_BYTES:
        raise _too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the body is not one complete gzip stream")
    return unpacked


def _too_large() -> Refused:
    sentence = "the body has more than 1 MiB, packed or unpacked: send smaller batches"
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, sentence, status=413)
