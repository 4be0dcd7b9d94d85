"""Decay, rebuilds, verification and corrections over gRPC and a real database."""

from datetime import timedelta
from typing import Any

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.model_validation import MAX_SCORE
from shared import wire
from tests.scoring.conftest import DAY, NOW, Scoring, days_ago
from tests.scoring.requests import (
    Stub,
    adjusting,
    answers,
    at,
    history_of,
    refused,
    score_of,
)


@pytest.mark.usefixtures("small_pages")
async def test_decay_streams_its_progress(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", f"lead{n}", "contract_signed", days_ago(8)) for n in range(5)))
    await scoring.put(("fresh", "eve", "signup", days_ago(1)))
    await scoring.drain_all()
    summary = pb.DecayScoresResponse(
        through_date="2026-03-20",
        leads_checked=5,
        leads_total=5,
        leads_changed=5,
        entries_appended=5,
        points_removed=25,
        done=True,
    )
    dry = await answers(stub, "DecayScores", pb.DecayScoresRequest(as_of_time=at(NOW), dry_run=True))
    assert {each.dry_run for each in dry} == {True}, "every message of a dry run must say dry_run"
    dry[-1].dry_run = False
    assert dry[-1] == summary, "a dry run must predict the summary of the run"
    assert (await score_of(stub, "lead0")).score == 100, "a dry run must write nothing"

    progress = await answers(stub, "DecayScores", pb.DecayScoresRequest())
    assert len(progress) > 2, "expected progress before the summary"
    assert [each.done for each in progress] == [False] * (len(progress) - 1) + [True]
    checked = [each.leads_checked for each in progress]
    assert checked == sorted(checked), "counts must be running totals"
    assert progress[-1] == summary, "without as_of_time, decay runs up to now"
    assert (await score_of(stub, "lead0")).score == 95

    [again] = await answers(stub, "DecayScores", pb.DecayScoresRequest(as_of_time=at(NOW)))
    assert again == pb.DecayScoresResponse(through_date="2026-03-20", done=True), "a second run must change nothing"


@pytest.mark.parametrize("dry_run", [False, True])
async def test_decay_past_the_date_of_the_database_is_rejected_regardless_of_our_clock(
    scoring: Scoring, stub: Stub, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    database_time = await scoring.lead_writer.database_time()
    ahead = pb.DecayScoresRequest(as_of_time=at(database_time + 2 * DAY), dry_run=dry_run)
    assert await refused(stub, "DecayScores", ahead) == ("FAILED_PRECONDITION", "DECAY_DATE_AHEAD", ["as_of_time"])
    monkeypatch.setattr(wire, "now", lambda: database_time + 365 * DAY)
    now = pb.DecayScoresRequest(dry_run=dry_run)
    assert await refused(stub, "DecayScores", now) == ("FAILED_PRECONDITION", "DECAY_DATE_AHEAD", ["as_of_time"])
    reached = pb.DecayScoresRequest(as_of_time=at(database_time), dry_run=dry_run)
    assert (await answers(stub, "DecayScores", reached))[-1].done, "expected a summary"


@pytest.mark.usefixtures("small_pages")
async def test_a_decay_reset_takes_ticks_back(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", f"lead{n}", "contract_signed", days_ago(20)) for n in range(5)))
    await scoring.put(("fresh", "eve", "signup", days_ago(1)))
    await scoring.drain_all()
    to = days_ago(10)
    await scoring.run_decay(to)
    before = [await score_of(stub, f"lead{n}") for n in range(5)]
    await scoring.run_decay(NOW)
    request = pb.ResetDecayRequest(to_date=to.date().isoformat(), reason="a clock was ahead", actor="eve")
    [*_, last] = await answers(stub, "ResetDecay", request)
    assert (last.done, last.to_date, last.leads_changed, last.points_restored > 0) == (True, "2026-03-10", 5, True)
    assert [(await score_of(stub, f"lead{n}")).score for n in range(5)] == [each.score for each in before]
    assert await scoring.verify() == []
    [*_, entry] = await history_of(stub, "lead0")
    assert (entry.kind, entry.reason, entry.actor) == (pb.ENTRY_KIND_DECAY_RESET, "a clock was ahead", "eve")
    [*_, again] = await answers(stub, "ResetDecay", request)
    assert again.leads_changed == 0, "a second reset must change nothing"
    await scoring.put(("late", "lead0", "page_view", days_ago(2)))
    await scoring.drain_all()
    await scoring.run_decay(NOW)
    assert await scoring.verify() == []


async def seed_damaged(scoring: Scoring) -> None:
    """Leads, two of which have a stored score that differs from their history."""
    await scoring.put(*((f"e{n}", f"lead{n}", "signup", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    await scoring.database["leads"].update_many({"_id": {"$in": ["lead1", "lead2"]}}, {"$set": {"score": 7}})


async def test_a_rebuild_returns_what_it_changed(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    first, second = [await stub.RebuildLeadScore(pb.RebuildLeadScoreRequest(lead_id="lead1")) for _ in range(2)]
    assert (first.changed, first.score_before, first.lead_score.score) == (True, 7, 20)
    assert (second.changed, second.score_before, second.lead_score) == (False, 20, first.lead_score)
    assert first.lead_score == await score_of(stub, "lead1")


@pytest.mark.usefixtures("small_pages")
async def test_a_rebuild_of_all_leads_streams_the_changed_leads(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    damaged = [
        pb.RebuildLeadScoresResponse(leads_checked=2, leads_total=3, leads_changed=1, changed_lead_ids=["lead1"]),
        pb.RebuildLeadScoresResponse(leads_checked=3, leads_total=3, leads_changed=2, changed_lead_ids=["lead2"]),
        pb.RebuildLeadScoresResponse(leads_checked=3, leads_total=3, leads_changed=2, done=True),
    ]
    assert await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest(check_only=True)) == damaged
    assert (await score_of(stub, "lead1")).score == 7, "check_only must write nothing"
    assert await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest()) == damaged
    assert (await score_of(stub, "lead1")).score == 20
    [*_, again] = await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest())
    assert (again.leads_changed, again.done) == (0, True), "a second rebuild must change nothing"


@pytest.mark.usefixtures("small_pages")
async def test_a_verification_streams_violations(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    await scoring.put(("pending", "lead0", "signup", NOW))
    progress = await answers(stub, "VerifyScores", pb.VerifyScoresRequest())
    assert [(each.leads_checked, each.leads_total, each.done) for each in progress] == [
        (2, 3, False),
        *[(3, 3, False)] * 4,
        (3, 3, True),
    ]
    found = [{violation.lead_id for violation in each.violations} for each in progress]
    assert found == [{"lead1"}, {"lead2"}, *[set()] * 4]
    assert [each.violations_total for each in progress] == [2, *[4] * 5], "violations_total must be a running total"
    assert (progress[-1].entries_checked, progress[-1].events_checked, progress[-1].events_pending) == (3, 3, 1)
    assert (progress[-1].events_total, progress[-1].resume_token) == (4, "")
    violation = progress[0].violations[0]
    assert (violation.invariant, violation.message) == ("I5", "the deltas add up to 20, the score is 7")


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("counts_only", [False, True])
async def test_an_interrupted_verification_is_resumed_with_a_token(
    scoring: Scoring, stub: Stub, counts_only: bool
) -> None:
    await seed_damaged(scoring)
    await scoring.database["score_history"].delete_many({"_id": {"$in": ["e0", "e2"]}})
    begin = pb.VerifyScoresRequest(counts_only=counts_only)
    whole = await answers(stub, "VerifyScores", begin)
    assert len(whole) == 5, "expected two ranges of leads, two of events, and the summary"
    assert all(each.violations for each in whole[:-1]), "expected violations in each range"
    for count in (1, 2, 3):
        interrupted = stub.VerifyScores(begin)
        first: list[Any] = [await interrupted.read() for _ in range(count)]
        interrupted.cancel()
        resume = pb.VerifyScoresRequest(resume_token=first[-1].resume_token, counts_only=counts_only)
        assert [*first, *await answers(stub, "VerifyScores", resume)] == whole, "expected what one call says"
        for token, other in ((resume.resume_token, not counts_only), ("nonsense", counts_only)):
            mistaken = pb.VerifyScoresRequest(resume_token=token, counts_only=other)
            expected = ("INVALID_ARGUMENT", "ARGUMENT_INVALID", ["resume_token"])
            assert await refused(stub, "VerifyScores", mistaken) == expected


async def test_adjustments_add_or_set_and_are_made_once(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    requests = [
        adjusting(request_id="add", delta=15),
        adjusting(request_id="take", delta=-5),
        adjusting(request_id="set", target=77),
        adjusting(request_id="nothing", delta=0),
        adjusting(request_id="zero", target=0),
        adjusting(request_id="most", delta=MAX_SCORE),
        adjusting(request_id="least", target=-MAX_SCORE),
        adjusting(request_id="é" * 256, delta=1, reason="x" * 1_024, actor="x" * 256),
    ]
    first: list[pb.ScoreEntry] = []
    for request in requests:
        scoring.now += timedelta(seconds=1)
        first.append((await stub.AdjustLeadScore(request)).entry)
    assert [each.delta for each in first] == [15, -5, 47, 0, -77, 10_000, -10_000, 1]
    second = [(await stub.AdjustLeadScore(request)).entry for request in requests]
    assert second == first, "repeated requests must return the same entries"
    assert (await history_of(stub))[1:] == first
    assert (await score_of(stub)).score == 1
