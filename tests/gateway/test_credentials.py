"""Credentials are those of the caller, and nobody else's."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import structlog
from leadscore.ingest.v1 import ingest_pb2 as pb

from gateway_service.servicer.routes import Callers
from tests.gateway.serving import answering
from tests.gateway.test_cloudevents import EVENT
from tests.gateway.test_segment import MESSAGE
from tests.gateway.test_webhooks import BODY, CRM, SECRET, standard

NOBODY = "nobody called"


class Accepting:
    """An ingest service that accepts everything."""

    async def send(self, events: Sequence[pb.Event]) -> list[pb.EventOutcome]:
        """Returns an outcome per event."""
        return [pb.EventOutcome(event_id=event.event_id, outcome=pb.OUTCOME_ACCEPTED) for event in events]


class Called:
    """Notes the credentials of the last caller."""

    def __init__(self) -> None:
        self.credentials: str | None = NOBODY

    def caller(self, credentials: str | None) -> Accepting:
        """Returns the ingest service as it is called with these credentials."""
        self.credentials = credentials
        return Accepting()


@pytest.fixture
def called() -> Called:
    return Called()


@pytest.fixture
async def client(called: Called) -> AsyncIterator[httpx.AsyncClient]:
    async with answering(Callers(called.caller, Accepting())) as opened:
        yield opened


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "forwarded"),
    [
        (basic("lsk_a_b"), "Bearer lsk_a_b"),
        (basic("", "lsk_a_b"), "Bearer lsk_a_b"),
        ("Bearer lsk_a_b", "Bearer lsk_a_b"),
        ("bearer lsk_a_b", "Bearer lsk_a_b"),
        (None, None),
    ],
)
async def test_the_credentials_are_forwarded(
    client: httpx.AsyncClient, called: Called, header: str | None, forwarded: str | None
) -> None:
    headers = {} if header is None else {"authorization": header}
    assert (await client.post("/v1/track", json=MESSAGE, headers=headers)).status_code == 200
    assert called.credentials == forwarded
    headers["content-type"] = "application/cloudevents+json"
    assert (await client.request("POST", "/v1/cloudevents", json=EVENT, headers=headers)).status_code == 200
    assert called.credentials == forwarded


async def test_the_write_key_of_a_body_counts_if_there_is_no_header(client: httpx.AsyncClient, called: Called) -> None:
    body = {**MESSAGE, "writeKey": "lsk_body_x"}
    await client.post("/v1/track", json=body)
    assert called.credentials == "Bearer lsk_body_x"
    await client.post("/v1/track", json=body, headers={"authorization": basic("lsk_header_x")})
    assert called.credentials == "Bearer lsk_header_x"


@pytest.mark.parametrize(
    "header",
    ["Digest x", "Basic %", "Basic", "Bearer ", "Bearer a\x7fb", basic("né"), f"Bearer {'x' * 5000}", basic("")],
)
async def test_what_cannot_be_a_key(client: httpx.AsyncClient, called: Called, header: str) -> None:
    answer = await client.post("/v1/track", json=MESSAGE, headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["message"] == "the API key is missing, unknown, expired or revoked"
    assert answer.json()["code"] == 16
    assert called.credentials == NOBODY


async def test_strangers_do_not_fill_the_log(client: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(50):
            await client.post("/v1/track", json=MESSAGE, headers={"authorization": "Basic"})
    assert [(line["event"], line["count"], line["path"]) for line in lines] == [
        ("requests without a valid key or signature refused", 1, "/v1/track")
    ]


@pytest.mark.parametrize("has_own_key", [True, False])
async def test_a_webhook_sends_with_its_key_or_with_that_of_the_gateway(
    called: Called, tmp_path: Path, has_own_key: bool
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "key").write_text("lsk_hook_x\n")
    (tmp_path / "crm.yaml").write_text(CRM)
    key = "\n    key: {file: key}" if has_own_key else ""
    (tmp_path / "webhooks.yaml").write_text(
        "webhooks:\n  crm:\n    signature: standard-webhooks\n    secret: {file: secret}\n    mapping: crm.yaml" + key
    )
    body = json.dumps(BODY).encode()
    webhooks = str(tmp_path / "webhooks.yaml")
    async with answering(Callers(called.caller, Accepting()), webhooks_file=webhooks) as client:
        headers = standard(body) | {"authorization": "Bearer lsk_of_the_sender"}
        assert (await client.post("/v1/webhooks/crm", content=body, headers=headers)).status_code == 200
    assert called.credentials == ("Bearer lsk_hook_x" if has_own_key else NOBODY)
