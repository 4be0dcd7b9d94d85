"""The SDKs of Segment and RudderStack, CloudEvents and webhooks reach the ingest service through a real Envoy."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cli.http.routes import SERVICES
from shared import wire
from testkit.http_api import running_http_api
from tests.gateway.process import gateway_process, run
from tests.gateway.test_cloudevents import EVENT
from tests.gateway.test_sdks import SDKS, check
from tests.gateway.test_webhooks import BODY, CRM, SECRET, standard
from tests.http_api.services import served
from tests.ingest.fakes import FakeEventStore
from tests.ingest.requests import ingest_port

WEBHOOKS = "webhooks:\n  crm: {signature: standard-webhooks, secret: {file: secret}, mapping: crm.yaml}\n"


@pytest.fixture
def store() -> FakeEventStore:
    return FakeEventStore()


@pytest.fixture
async def url(tmp_path: Path, store: FakeEventStore) -> AsyncIterator[str]:
    """The address of an Envoy in front of a gateway."""
    for name, text in (("secret", SECRET), ("crm.yaml", CRM), ("webhooks.yaml", WEBHOOKS)):
        (tmp_path / name).write_text(text)
    settings = {"LEADSCORE_WEBHOOKS_FILE": str(tmp_path / "webhooks.yaml")}
    async with (
        ingest_port(store, now=wire.now()) as port,
        gateway_process(tmp_path, f"127.0.0.1:{port}", settings) as gateway,
    ):
        target = {"LEADSCORE_GATEWAY_TARGET": gateway.removeprefix("http://")}
        with (
            served() as (_, others),
            running_http_api(tmp_path, dict.fromkeys(SERVICES, others), target) as api,
        ):
            yield api.url


@pytest.mark.parametrize("sdk", ["segment_python", "rudderstack_python"])
async def test_an_sdk_delivers_every_message(url: str, store: FakeEventStore, sdk: str) -> None:
    await run(sys.executable, str(SDKS / f"{sdk}.py"), url, "lsk_key")
    check(list(store.events.values()))


async def test_a_cloud_event_and_a_signed_webhook(url: str, store: FakeEventStore) -> None:
    body = json.dumps(BODY).encode()
    event = {**EVENT, "time": wire.now().isoformat()}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        headers = {"content-type": "application/cloudevents+json"}
        assert (await client.post("/v1/cloudevents", content=json.dumps(event), headers=headers)).status_code == 200
        assert (await client.post("/v1/webhooks/crm", content=body, headers=standard(body))).status_code == 200
        assert (await client.post("/v1/webhooks/crm", content=body)).status_code == 401
    assert sorted(store.events) == ["/shop/a-1", "msg_1"]


async def test_a_refusal_is_passed_on(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answer = await client.post("/v1/track", json={"userId": "ada"})
    assert (answer.status_code, answer.json()["message"]) == (400, "event: is missing")
