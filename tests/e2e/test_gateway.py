"""What Segment's SDK sends to the gateway of a running system is scored."""

import sys
from pathlib import Path

from leadscore.scoring.v1 import scoring_pb2

from testkit.system import System
from testkit.traffic import all_scored
from tests.gateway.process import gateway_process, run
from tests.gateway.test_sdks import SDKS


async def test_messages_of_segment_are_scored(system: System, tmp_path: Path) -> None:
    async with gateway_process(tmp_path, system.target("ingest")) as url:
        await run(sys.executable, str(SDKS / "segment_python.py"), url, "any key")
    await all_scored(system)
    lead = await system.scoring().GetLeadScore(scoring_pb2.GetLeadScoreRequest(lead_id="ada"))
    assert lead.lead_score.score == 55, "a demo request is worth 50 points, and a page view 5"
    assert lead.lead_score.attributes["email"] == "ada@kiosk.example"
