"""Decay lowers scores and never raises them: a negative score stays as it is until an event raises it."""

import json
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest

from cli.model import files
from scoring_service import model_codec
from scoring_service.domain.model import Event
from tests.cases.conftest import CASES
from tests.scoring.test_worlds import Live
from tests.scoring.worlds import Scored

CASE = CASES / "09-negative-scores"
EVENTS: list[dict[str, Any]] = [json.loads(line) for line in (CASE / "events.ndjson").read_text().splitlines()]


def scores(model: str, lead_id: str) -> list[int]:
    """Returns the scores of a lead after each of its events and, between those of different days, after decay."""
    live, found = Live({1: model_codec.read_model(files.read_model(CASE / model), 1)}), list[int]()
    own = [_event(row) for row in EVENTS if row["lead_id"] == lead_id]
    for day, events in groupby(own, lambda each: each.event_time.date()):
        if found:
            live.finish(day - timedelta(days=1))
            found.append(live.lead.state.score)
        for event in events:
            live.do(Scored([event]))
            found.append(live.lead.state.score)
    return found


def _event(row: dict[str, Any]) -> Event:
    return Event(row["event_id"], row["event_type"], datetime.fromisoformat(row["timestamp"]), {})


@pytest.mark.parametrize("model", ["negative.yaml", "negfloor.yaml"])
def test_a_negative_score_stays_until_an_event_raises_it(model: str) -> None:
    assert scores(model, "uli.negative") == [-30, -50, -50, 0]


@pytest.mark.parametrize("model", ["negative.yaml", "negfloor.yaml"])
def test_a_positive_score_decays_to_zero_and_not_below(model: str) -> None:
    assert scores(model, "vera.positive") == [5, 0, 50]
