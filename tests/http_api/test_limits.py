"""What is too large, too slow, or ambiguous is refused, and nothing of it reaches a service."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from cli.http.listener import BODY_SECONDS, HEADER_SECONDS, MAX_BODY_BYTES
from tests.http_api.conftest import Door

HEAD = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
SMUGGLED = "GET /v1/leads/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


def exchange(door: Door, *parts: bytes, seconds: float = 10) -> bytes:
    """Sends bytes as they are, and returns all that comes back until the server closes or says no more."""
    with socket.create_connection(("127.0.0.1", door.api.port), seconds) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:  # it has refused what it has seen
            pass
        received = b""
        try:
            while more := connection.recv(65_536):
                received += more
        except OSError:
            pass
    return received


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def test_a_body_may_have_a_mebibyte(door: Door) -> None:
    filled = '{"properties": {"a": "%s"}}'
    largest = filled % ("x" * (MAX_BODY_BYTES - len(filled) + 2))
    assert len(largest) == MAX_BODY_BYTES
    assert door.post("/v1/events", largest).status_code == 200
    answer = door.post("/v1/events", largest + " " * 4_096)
    assert (answer.status_code, answer.json()["code"]) == (413, 8)
    assert len(door.services.calls) == 1


def test_an_endless_body_is_cut_off(door: Door) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = exchange(door, HEAD.encode() + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 40)
    assert status(answer) == 413
    assert not door.services.calls


@pytest.mark.parametrize(
    "headers",
    [
        "".join(f"x-{number}: y\r\n" for number in range(100_000)),
        "x: y\r\n" * 100_000,
        "".join(f"x-{number}: y\r\n" for number in range(200)),
        f"x: {'y' * 100_000}\r\n",
        f"cookie: {'y; ' * 50_000}\r\n",
    ],
    ids=["100,000 headers", "one header 100,000 times", "200 headers", "a long header", "a long cookie"],
)
def test_too_many_headers_are_refused(door: Door, headers: str) -> None:
    answer = exchange(door, (HEAD + headers + "content-length: 2\r\n\r\n{}").encode())
    assert status(answer) in (0, 431), answer[:100]
    assert not door.services.calls
    assert door.client.get("/health").status_code == 200


def test_a_long_path_is_refused(door: Door) -> None:
    assert door.client.get(f"/v1/leads/{'a' * 40_000}").status_code in (414, 431)
    assert not door.services.calls


def test_a_slow_request_is_ended(door: Door) -> None:
    beginnings = [
        HEAD[:40].encode(),
        HEAD.encode() + b'content-length: 100\r\n\r\n{"lead',
        HEAD.encode() + b"transfer-encoding: chunked\r\n\r\n5\r\n{    \r\n",
    ]
    patience = 4.0 * max(HEADER_SECONDS, BODY_SECONDS)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda beginning: exchange(door, beginning, seconds=patience), beginnings))
    assert {status(answer) for answer in answers} == {408}
    assert not door.services.calls


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("content-length: 6\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: chunked\r\ncontent-length: 6\r\n", "0\r\n\r\n" + SMUGGLED),
        ("content-length: 2\r\ncontent-length: 60\r\n", "{}" + SMUGGLED),
        ("content-length: 2, 60\r\n", "{}" + SMUGGLED),
        ("content-length: +2\r\n", "{}" + SMUGGLED),
        ("content-length: -2\r\n", "{}" + SMUGGLED),
        ("content-length: 0x2\r\n", "{}" + SMUGGLED),
        ("content-length: 2\r\ncontent-length : 60\r\n", "{}" + SMUGGLED),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding:\vchunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding\t: chunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("x: y\0z\r\ncontent-length: 2\r\n", "{}" + SMUGGLED),
        ("transfer-encoding: chunked\r\n", "2;\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ("transfer-encoding: chunked\r\n", "2\r\n{}X0\r\n\r\n" + SMUGGLED),
    ],
)
def test_a_request_with_two_ends_is_refused(door: Door, headers: str, body: str) -> None:
    answer = exchange(door, (HEAD + headers + "\r\n" + body).encode("latin-1"), seconds=3)
    assert status(answer) in (0, 400, 501), answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not [request for _, request, _ in door.services.calls if "smuggled" in str(request)]


@pytest.mark.parametrize("fold", ["\r\n ", "\r"])
def test_a_folded_header_is_one_header(door: Door, fold: str) -> None:
    headers = f"x: y{fold}transfer-encoding: chunked\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
    assert status(exchange(door, (HEAD + headers + "{}").encode())) == 200
    _, _, metadata = door.services.last()
    assert metadata["x"].replace(" ", "") == "ytransfer-encoding:chunked"
    assert "transfer-encoding" not in metadata


@pytest.mark.parametrize(
    "line",
    ["GET /v1/leads/ada HTTP/0.9", "GET /v1/leads/a b HTTP/1.1", "G\0T / HTTP/1.1"],
)
def test_a_malformed_request_line_is_refused(door: Door, line: str) -> None:
    answer = exchange(door, f"{line}\r\nhost: x\r\n\r\n".encode(), seconds=3)
    assert status(answer) in (0, 400, 426), answer[:200]
    assert not door.services.calls


def test_a_caller_cannot_steer_envoy(door: Door) -> None:
    steering = {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "9", "x-envoy-upstream-rq-timeout-ms": "1"}
    lying = {"x-envoy-external-address": "6.6.6.6", "x-forwarded-for": "6.6.6.6"}
    assert door.client.get("/v1/leads/ada", headers=steering | lying).status_code == 200
    _, _, metadata = door.services.last()
    assert not metadata.keys() & steering.keys()
    assert metadata["x-envoy-external-address"] == "127.0.0.1"


def test_a_name_with_an_underscore_is_refused(door: Door) -> None:
    """Some proxies take `content_length` for `content-length`."""
    assert door.client.get("/v1/leads/ada", headers={"x_forwarded_for": "1.2.3.4"}).status_code == 400
    assert not door.services.calls
