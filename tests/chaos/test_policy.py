"""The clients of the rounds use the service config that docs/events.md recommends."""

import json

from chaos.policy import RETRIES
from tests.conftest import ROOT


def test_the_rounds_use_the_recommended_retry_policy() -> None:
    [recommended] = json.loads((ROOT / "docs/examples/service_config.json").read_text())["methodConfig"]
    [ours] = RETRIES["methodConfig"]
    assert recommended["retryPolicy"] == ours["retryPolicy"]
    assert recommended["waitForReady"] == ours["waitForReady"]
