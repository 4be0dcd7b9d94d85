"""A deployment that normalises lead ids: one person is one lead in every service, under any spelling."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from shared import wire
from testkit.system import SERVERS, System, running_system
from testkit.traffic import all_scored
from testkit.waiting import eventually

ID = "ada@example.com"
SPELLINGS = [ID, " Ada@Example.com", "ADA@EXAMPLE.COM\u00a0"]
SETTINGS = {"LEADSCORE_LEAD_IDS": "trim,nfc,email"}


@pytest.fixture
async def normalising(tmp_path: Path) -> AsyncIterator[System]:
    with running_system(tmp_path, settings=SETTINGS) as system:
        yield system
        await system.close_channels()


async def test_one_person_is_one_lead_everywhere(normalising: System) -> None:
    events = [
        ingest_pb2.Event(
            event_id=f"e{number}", lead_id=spelling, event_type="signup", event_time=wire.to_timestamp(wire.now())
        )
        for number, spelling in enumerate(SPELLINGS)
    ]
    await normalising.ingest().BatchIngestEvents(ingest_pb2.BatchIngestEventsRequest(events=events), timeout=30)
    await all_scored(normalising)
    adjustment = scoring_pb2.AdjustLeadScoreRequest(
        request_id="r1", lead_id=SPELLINGS[1], delta=5, reason="met", actor="eve"
    )
    await normalising.scoring().AdjustLeadScore(adjustment, timeout=30)
    for spelling in SPELLINGS:
        single = scoring_pb2.GetLeadScoreRequest(lead_id=spelling)
        score = (await normalising.scoring().GetLeadScore(single, timeout=30)).lead_score
        assert (score.lead_id, score.score, score.event_count) == (ID, 65, 3)
        ask = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=spelling)
        insight = (await normalising.intelligence().GetLeadIntelligence(ask, timeout=30)).lead_intelligence
        assert (insight.lead_id, insight.score) == (ID, 65)
    every = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=SPELLINGS)
    assert [
        each.lead_id for each in (await normalising.scoring().BatchGetLeadScores(every, timeout=30)).lead_scores
    ] == [ID]
    mine = automation_pb2.ListAutomationExecutionsRequest(lead_id=SPELLINGS[2])
    assert not (await normalising.automation().ListAutomationExecutions(mine, timeout=30)).executions


async def test_a_server_with_another_setting_does_not_start(normalising: System) -> None:
    for server in SERVERS:
        normalising.kill(server)
        normalising.start(server, settings={"LEADSCORE_LEAD_IDS": "trim"})

    async def ended() -> bool:
        return all(map(normalising.has_ended, SERVERS))

    await eventually(ended, what="every server ends")
    for server in SERVERS:
        assert "set LEADSCORE_LEAD_IDS=trim,nfc,email" in normalising.log(server)
