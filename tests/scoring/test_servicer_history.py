"""ListScoreHistory over the real use cases and a real database."""

from datetime import timedelta

from leadscore.scoring.v1 import scoring_pb2 as pb

from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import (
    Stub,
    adjusting,
    answers,
    at,
    history_of,
    pages,
    published,
    retracting,
    worth,
)


async def test_every_kind_of_entry_has_all_fields(scoring: Scoring, stub: Stub) -> None:
    hours = [NOW + timedelta(hours=hour) for hour in range(5)]
    await scoring.put(("e1", "ada", "signup", days_ago(8)))
    await scoring.drain_all()
    scoring.now = hours[1]
    await answers(stub, "DecayScores", pb.DecayScoresRequest())
    scoring.now = hours[2]
    adjusted = (await stub.AdjustLeadScore(adjusting(target=34))).entry
    scoring.now = hours[3]
    await published(stub, worth(40))
    await scoring.rollout.step()
    scoring.now = hours[4]
    retracted = (await stub.RetractEvent(retracting())).entry
    entries = [
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_EVENT,
            event_id="e1",
            event_type="signup",
            rule_id="signup",
            model_version=1,
            points=20,
            delta=20,
            stage_before="cold",
            stage_after="warm",
            event_time=at(days_ago(8)),
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_DECAY,
            event_id="decay:2:ada",
            model_version=1,
            delta=-1,
            stage_before="warm",
            stage_after="warm",
            event_time=at(days_ago(0.5)),
            first_tick_date="2026-03-20",
            last_tick_date="2026-03-20",
            tick_count=1,
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_ADJUSTMENT,
            event_id="adjustment:r1",
            model_version=1,
            points=15,
            delta=15,
            stage_before="warm",
            stage_after="hot",
            event_time=at(hours[2]),
            reason="met at the fair",
            actor="eve",
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_MODEL,
            event_id="model:4:ada",
            model_version=2,
            delta=19,
            stage_before="hot",
            stage_after="hot",
            event_time=at(hours[3]),
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_RETRACTION,
            event_id="retraction:e1",
            event_type="signup",
            rule_id="signup",
            model_version=2,
            delta=-38,
            stage_before="hot",
            stage_after="warm",
            event_time=at(days_ago(8)),
            reason="a bot",
            actor="eve",
        ),
    ]
    for number, entry in enumerate(entries):
        entry.lead_id, entry.sequence = "ada", number + 1
        entry.record_time.CopyFrom(at(hours[number]))
        entry.score_before = entries[number - 1].score_after if number else 0
        entry.score_after = entry.score_before + entry.delta
    assert await history_of(stub) == entries
    assert (adjusted, retracted) == (entries[2], entries[4]), (
        "a correction must return the entry that the history lists"
    )


async def test_pages_of_a_history_go_both_ways(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1 - n / 10)) for n in range(5)))
    await scoring.put(("other", "bob", "page_view", days_ago(1)))
    await scoring.drain_all()
    for newest_first, sequences in ((False, [1, 2, 3, 4, 5]), (True, [5, 4, 3, 2, 1])):
        for size in (1, 2, 5, 0):
            request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=size, newest_first=newest_first)
            found = await pages(stub.ListScoreHistory, request)
            assert [each.sequence for page in found for each in page.entries] == sequences, f"pages of {size}"
            assert len(found) == -(-5 // (size or 5)), f"pages of {size}: the last page must not be empty"


async def test_a_growing_history_continues_after_the_last_page(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=2)
    first = await stub.ListScoreHistory(request)
    await stub.AdjustLeadScore(adjusting(delta=1))
    request.page_token = first.next_page_token
    second = await stub.ListScoreHistory(request)
    assert [each.sequence for each in (*first.entries, *second.entries)] == [1, 2, 3, 4]
