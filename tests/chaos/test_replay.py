"""The reference fold agrees with the service's fold, so a difference in a round is a defect."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from leadscore.scoring.v1 import scoring_pb2

from chaos.replay import NEVER, Step, Timeline
from chaos.rows import Rows
from scoring_service import model_codec
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import Event
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Adjustment, Mode, Publication
from scoring_service.domain.timeline import Timeline as ServiceTimeline
from scoring_service.store import model_documents
from scoring_service.store.schema import built_in
from shared.message_files import yaml_text
from tests.conftest import ROOT

START = datetime(2026, 2, 20, tzinfo=UTC)
"""The day before Vienna's clocks go forward."""
B2B = ROOT / "docs/examples/b2b.yaml"
TYPES = (
    *("page_view", "docs_view", "download", "signup", "demo_request", "careers_view", "webinar_attended"),
    *("trial_started", "unsubscribe", "contract_signed", "identify", "unheard_of"),
)


def made_events(chance: random.Random) -> list[Event]:
    """Returns events with properties that the conditions test, some at midnight and some at equal times."""
    return [
        Event(
            f"e{number}",
            chance.choice(TYPES),
            START + timedelta(hours=chance.choice([0, 1, 23]) + 24 * chance.randrange(60)),
            {
                "url": chance.choice(["/pricing", "/docs", 7.0, None]),
                "minutes": chance.choice([3.0, 20.0, True, "20"]),
                "utm": {"medium": chance.choice(["partner", "mail"])},
                "title": chance.choice(["A White Paper", ["white paper"], "an essay"]),
                "seats": chance.choice([10.0, 50.0]),
                "seconds": chance.choice([10.0, 500.0]),
                **({"phone": "1"} if number % 2 else {}),
            },
        )
        for number in range(chance.randrange(40))
    ]


def read_model(path: Path, version: int) -> scoring_pb2.ScoringModel:
    message = yaml_text.read_yaml(path.read_text(), scoring_pb2.ScoringModel)
    message.version = version
    return message


@pytest.mark.parametrize("mode", [Mode.FORWARD, Mode.RESCORE])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "America/New_York"])
def test_both_folds_agree(zone: str, mode: Mode) -> None:
    models = {1: built_in(), 2: model_codec.read_model(read_model(B2B, 2), 2)}
    publications = [
        Publication(1, 1, 0, Mode.RESCORE, START - timedelta(days=9)),
        Publication(2, 2, 1, mode, START + timedelta(days=20)),
    ]
    reference = Timeline(
        Rows(
            leads={},
            rules={},
            models=[model_documents.write_model(model, START) for model in models.values()],
            publications=[model_documents.write_publication(each) for each in publications],
            partitions={0: {"time_zone": zone}},
            erasures=(),
        )
    )
    service, calendar = ServiceTimeline(publications, models.__getitem__), Calendar(ZoneInfo(zone))
    for seed in range(150):
        chance = random.Random(seed)
        events = made_events(chance)
        made = [Adjustment("adjustment:1", START + timedelta(days=25), 30, "why", "me")] if seed % 3 == 0 else []
        through = chance.choice(["", "2026-03-20", "2026-04-30"])
        facts = service.judge_all([*events, *made])
        state = fold(service, calendar, facts, date.fromisoformat(through) if through else None)
        steps = [Step(each.event_id, each.event_time, each.event_type, each.properties) for each in events]
        steps += [Step(each.event_id, each.event_time, points=each.points) for each in made]
        folded = reference.fold(chance.sample(steps, len(steps)), through)
        assert (folded.score, folded.event_count, folded.last_event_time) == (
            state.score,
            state.event_count,
            state.last_event_time or NEVER,
        ), seed
        assert service.latest.stage_of(state.score) in reference.stages(folded.score)
