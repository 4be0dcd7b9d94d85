"""JudgeEvents says which rule each published version gives recorded events."""

import grpc
import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from testkit.serving import refusal
from tests.scoring.conftest import Scoring, days_ago
from tests.scoring.requests import Stub, published, worth


async def test_events_are_grouped_by_their_verdicts(scoring: Scoring, stub: Stub) -> None:
    signups = [(event_id, "ada", "signup", days_ago(1)) for event_id in ("e1", "e2")]
    await scoring.put(*signups, ("e3", "bob", "unheard_of", days_ago(1)))
    await scoring.drain_all()
    await published(stub, worth(25))  # a version with the same verdicts takes no room
    request = pb.JudgeEventsRequest(lead_ids=["ada", "bob"], event_ids=["e1", "e2", "e3", "unknown"])
    found = {tuple(sorted(each.event_ids)): each.verdicts for each in (await stub.JudgeEvents(request)).judged_events}
    assert found == {
        ("e1", "e2"): [pb.Verdict(model_version=1, rule_id="signup")],
        ("e3",): [pb.Verdict(model_version=1)],
    }


@pytest.mark.parametrize(
    ("lead_ids", "event_ids", "field"),
    [([], ["e"], "lead_ids"), (["ada"], [], "event_ids"), (["ada"], ["e"] * 501, "event_ids")],
)
async def test_mistakes_are_refused(strict: Stub, lead_ids: list[str], event_ids: list[str], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await strict.JudgeEvents(pb.JudgeEventsRequest(lead_ids=lead_ids, event_ids=event_ids))
    assert refusal(error.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", [field])
