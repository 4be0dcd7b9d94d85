"""The files and requests of docs/gateway.md are valid."""

import json
import re

import httpx
import pytest

from gateway_service.webhooks.configuration import WebhooksFile
from shared.mapping.parsing import parse
from shared.mapping.schema import MappingFile
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "gateway.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_file_of_the_webhooks() -> None:
    assert set(parse(BLOCKS[0].encode(), WebhooksFile).webhooks) == {"crm", "hubspot"}


@pytest.mark.parametrize("text", BLOCKS[1:])
def test_a_mapping_file(text: str) -> None:
    assert parse(text.encode(), MappingFile).title


async def test_the_cloud_event(client: httpx.AsyncClient) -> None:
    (event,) = re.findall(r"-d '(.*?)'", TEXT, re.DOTALL)
    body = {**json.loads(event), "time": "2026-03-01T11:59:00Z"}
    headers = {"content-type": "application/cloudevents+json"}
    answer = await client.post("/v1/cloudevents", content=json.dumps(body), headers=headers)
    assert answer.json()["accepted"] == 1


def test_every_field_of_a_webhook_is_described() -> None:
    fields = next(iter(parse(BLOCKS[0].encode(), WebhooksFile).webhooks.values())).model_fields_set | {"key", "url"}
    assert {field for field in fields if f"| `{field}` |" not in TEXT} == set()
