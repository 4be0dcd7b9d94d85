"""The service over gRPC, with the real use cases over a real database: what goes over the wire, in both directions."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from scoring_service.domain.timeline import Mode, Publication
from scoring_service.domain.validation import MOST_SCORE
from scoring_service.ports import ANY_SCORE
from scoring_service.servicer import ERRORS, ScoringServicer
from scoring_service.store.models import MongoModels
from shared import arguments, wire
from shared.pages import write_token
from shared.pb.scoring.v1 import scoring_pb2 as pb
from shared.pb.scoring.v1 import scoring_pb2_grpc
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import (
    FIT,
    LONG,
    MISTAKEN,
    MISTAKES,
    UNKNOWN,
    WHOLE,
    Refusal,
    Stub,
    Unreached,
    adjusting,
    answers,
    at,
    content,
    created,
    descriptions,
    history_of,
    listing,
    model,
    pages,
    published,
    publishing,
    refused,
    retracting,
    rule,
    score_of,
    simulating,
    span,
    worth,
)
from tests.serving import refusal, served

DAY = timedelta(days=1)


@pytest.fixture
async def stub(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    monkeypatch.setattr(wire, "now", scoring.clock)
    servicer = ScoringServicer(
        scoring.ask,
        scoring.decay,
        scoring.check,
        scoring.corrections,
        scoring.publishing,
        scoring.simulate,
        scoring.parking,
    )
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    ) as channel:
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


@pytest.fixture
async def strict() -> AsyncIterator[Stub]:
    nothing: Any = Unreached()
    servicer = ScoringServicer(nothing, nothing, nothing, nothing, nothing, nothing, nothing)
    async with served(
        ERRORS, lambda server: scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    ) as channel:
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


# Scores.


async def seed_ada(scoring: Scoring) -> None:
    """A lead with all that a score can show: 20 points, of seven events and two adjustments."""
    properties = {"country": "NL", "size": 12.5, "big": True, "gone": None, "plan": {"name": "pro"}, "tags": ["a", 1.0]}
    await scoring.put(("e1", "ada", "identify", days_ago(4)), **properties)
    await scoring.put(
        ("e2", "ada", "signup", days_ago(3)),
        ("e3", "ada", "download", days_ago(2)),
        ("e4", "ada", "unsubscribe", days_ago(1.5)),
        ("e5", "ada", "webinar", days_ago(1.25)),
        ("e6", "ada", "page_view", days_ago(0.5)),
        ("e7", "ada", "page_view", days_ago(0.25)),
    )
    await scoring.drain_all()


async def test_a_score_is_told_whole(scoring: Scoring, stub: Stub) -> None:
    await published(stub, model(fit=FIT))
    await scoring.rollout.step()
    await seed_ada(scoring)
    for request_id, delta in (("r1", 5), ("r2", -5)):
        await stub.AdjustLeadScore(adjusting(delta=delta, request_id=request_id))
    score = await score_of(stub)
    attributes = wire.to_struct(
        {"country": "NL", "size": 12.5, "big": True, "gone": None, "plan": {"name": "pro"}, "tags": ["a", 1.0]}
    )
    assert score == pb.LeadScore(
        lead_id="ada",
        score=20,
        stage="warm",
        event_count=7,
        first_event_time=at(days_ago(4)),
        last_event_time=at(days_ago(0.25)),
        recent_event_count=2,
        contributions=[
            pb.RuleContribution(rule_id="signup", points=20),
            pb.RuleContribution(rule_id="download", points=10),
            pb.RuleContribution(rule_id="page_view", points=10),
            pb.RuleContribution(rule_id="unsubscribe", points=-20),
        ],
        attributes=attributes,
        sequence=9,
        model_version=2,
        as_of_time=at(NOW),
        fit_points=30,
        fit_grade="A",
        rating="A2",
    )


async def test_a_score_as_of_a_time_is_the_one_of_then(scoring: Scoring, stub: Stub) -> None:
    await seed_ada(scoring)
    await published(stub, model(fit=FIT))
    await scoring.rollout.step()
    score = await score_of(stub, as_of_time=at(days_ago(2)))
    assert (score.score, score.stage, score.event_count, score.recent_event_count) == (30, "warm", 3, 1)
    assert (wire.to_time(score.as_of_time), wire.to_time(score.last_event_time)) == (days_ago(2), days_ago(2))
    assert [each.rule_id for each in score.contributions] == ["signup", "download"]
    assert (score.model_version, score.fit_grade, score.rating) == (1, "", ""), "the model in force then knew no fit"
    assert score.sequence == 7, "the sequence is that of the live state"
    assert (await score_of(stub, as_of_time=at(NOW))) == (await score_of(stub)), "now is live"


async def test_a_lead_that_lost_its_events_has_no_times(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await stub.RetractEvent(retracting())
    score = await score_of(stub)
    assert (score.score, score.event_count, list(score.contributions)) == (0, 0, [])
    assert not score.HasField("first_event_time"), "expected no time of a first event"
    assert not score.HasField("last_event_time"), "expected no time of a last event"


async def test_a_batch_answers_in_the_order_asked_and_names_the_missing(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e-{lead}", lead, "signup", days_ago(day)) for lead, day in (("a", 1), ("b", 2), ("c", 3))))
    await scoring.drain_all()
    asked = ["c", "nobody", "a", "c", "b", "nobody", "who"]
    response = await stub.BatchGetLeadScores(pb.BatchGetLeadScoresRequest(lead_ids=asked))
    assert [each.lead_id for each in response.lead_scores] == ["c", "a", "b"]
    assert list(response.missing_lead_ids) == ["nobody", "who"]
    assert response.lead_scores[0] == await score_of(stub, "c")
    then = pb.BatchGetLeadScoresRequest(lead_ids=asked, as_of_time=at(days_ago(2)))
    response = await stub.BatchGetLeadScores(then)
    assert [each.lead_id for each in response.lead_scores] == ["c", "b"], "nothing had reached `a` by then"
    assert list(response.missing_lead_ids) == ["nobody", "a", "who"]
    assert {wire.to_time(each.as_of_time) for each in response.lead_scores} == {days_ago(2)}


async def seed_leads(scoring: Scoring) -> None:
    """Leads with scores and times that others have, too; `x`, `y` and `z` have lost all their events."""
    await scoring.put(
        ("e1", "a", "signup", days_ago(3)),
        ("e2", "b", "demo_request", days_ago(2)),
        ("e3", "c", "signup", days_ago(3)),
        ("e4", "d", "contract_signed", days_ago(1)),
        ("e5", "e", "signup", days_ago(3)),
        ("e6", "f", "page_view", days_ago(2)),
        *((f"gone-{lead}", lead, "page_view", days_ago(1)) for lead in "zyx"),
    )
    await scoring.drain_all()
    for lead in "xyz":
        await scoring.corrections.retract(f"gone-{lead}", "a bot", "eve")


@pytest.mark.parametrize(
    ("order", "lead_ids"),
    [
        (pb.LEAD_ORDER_UNSPECIFIED, "dbacefxyz"),
        (pb.LEAD_ORDER_SCORE, "dbacefxyz"),
        (pb.LEAD_ORDER_LAST_EVENT_TIME, "dbfacexyz"),
        (pb.LEAD_ORDER_LEAD_ID, "abcdefxyz"),
    ],
)
async def test_leads_come_in_order_page_by_page(
    scoring: Scoring, stub: Stub, order: pb.LeadOrder, lead_ids: str
) -> None:
    await seed_leads(scoring)
    for size in (1, 2, 4, 9, 0):
        found = await pages(stub.ListLeadScores, listing(order=order, page_size=size))
        listed = "".join(each.lead_id for page in found for each in page.lead_scores)
        assert listed == lead_ids, f"pages of {size}: expected each lead once, in order"
        assert len(found) == -(-9 // (size or 9)), f"pages of {size}: expected no empty page at the end"


FILTERED = [
    (listing(stage="cold", page_size=2), "fxyz"),
    (listing(stage="warm", page_size=2), "ace"),
    (listing(stage="hot", page_size=1), "b"),
    (listing(stage="qualified"), "d"),
    (listing(minimum_score=20, page_size=2), "dbace"),
    (listing(minimum_score=21), "db"),
    (listing(minimum_score=0), "dbacefxyz"),
    (listing(minimum_score=-(2**63)), "dbacefxyz"),
    (listing(minimum_score=2**63 - 1), ""),
    (listing(stage="warm", minimum_score=5), "ace"),
    (listing(stage="warm", minimum_score=21), ""),
    (listing(stage="cold", minimum_score=1, order=pb.LEAD_ORDER_LEAD_ID), "f"),
]


async def test_leads_are_filtered(scoring: Scoring, stub: Stub) -> None:
    await seed_leads(scoring)
    for query, lead_ids in FILTERED:
        found = await pages(stub.ListLeadScores, query)
        listed = [each for page in found for each in page.lead_scores]
        assert "".join(each.lead_id for each in listed) == lead_ids, f"of {query}"
        for each in listed:
            assert each == await score_of(stub, each.lead_id), "expected a list to show what GetLeadScore shows"


async def test_scores_below_zero_are_listed_unless_a_minimum_is_given(scoring: Scoring, stub: Stub) -> None:
    stages = [pb.Stage(stage="cold", minimum_score=-50), *model().stages[1:]]
    await published(stub, model(score_floor=-50, stages=stages))
    await scoring.put(("e1", "ada", "unsubscribe", days_ago(1)), ("e2", "bob", "webinar", days_ago(1)))
    await scoring.drain_all()
    for query, scores in (
        (listing(), [0, -20]),
        (listing(minimum_score=-20), [0, -20]),
        (listing(minimum_score=0), [0]),
    ):
        listed = (await stub.ListLeadScores(query)).lead_scores
        assert [each.score for each in listed] == scores, f"of {query}"


async def test_a_stage_lists_the_leads_that_are_shown_in_it(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    stages = [pb.Stage(stage="cold", minimum_score=30), pb.Stage(stage="hot", minimum_score=60)]
    raised = model(score_floor=30, stages=stages, churn_stages=["hot"], next_actions=[pb.NextAction(next_action="go")])
    await published(stub, raised, pb.PUBLICATION_MODE_FORWARD)
    await scoring.rollout.step()
    shown = await score_of(stub)
    assert (shown.score, shown.stage, shown.model_version) == (20, "cold", 2), "the past stays, below the new floor"
    listed = (await stub.ListLeadScores(listing(stage="cold"))).lead_scores
    assert [each.lead_id for each in listed] == ["ada"], "expected the lead in the stage that it is shown in"


# Histories.


async def test_every_kind_of_entry_is_told_whole(scoring: Scoring, stub: Stub) -> None:
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
            event_id="decay:2026-03-20:ada",
            model_version=1,
            delta=-1,
            stage_before="warm",
            stage_after="warm",
            event_time=at(days_ago(0.5)),
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
            event_id="model:2:ada",
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
    assert (adjusted, retracted) == (entries[2], entries[4]), "a correction answers with the entry that is listed"


async def test_a_history_comes_in_both_directions_page_by_page(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1 - n / 10)) for n in range(5)))
    await scoring.put(("other", "bob", "page_view", days_ago(1)))
    await scoring.drain_all()
    for newest_first, sequences in ((False, [1, 2, 3, 4, 5]), (True, [5, 4, 3, 2, 1])):
        for size in (1, 2, 5, 0):
            request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=size, newest_first=newest_first)
            found = await pages(stub.ListScoreHistory, request)
            assert [each.sequence for page in found for each in page.entries] == sequences, f"pages of {size}"
            assert len(found) == -(-5 // (size or 5)), f"pages of {size}: expected no empty page at the end"


async def test_a_history_that_grows_goes_on_where_the_page_ended(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=2)
    first = await stub.ListScoreHistory(request)
    await stub.AdjustLeadScore(adjusting(delta=1))
    request.page_token = first.next_page_token
    second = await stub.ListScoreHistory(request)
    assert [each.sequence for each in (*first.entries, *second.entries)] == [1, 2, 3, 4]


async def test_pages_have_the_sizes_that_the_proto_promises(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"l{n}", f"lead{n}", "page_view", days_ago(1)) for n in range(1_001)))
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(1_001)))
    for _ in range(2):
        await scoring.drain_all(1_000)
    for size, leads, entries in ((0, 50, 100), (9_999, 1_000, 1_000)):
        listed = await stub.ListLeadScores(listing(page_size=size))
        assert len(listed.lead_scores) == leads, f"of leads, {size} asked"
        history = await stub.ListScoreHistory(pb.ListScoreHistoryRequest(lead_id="ada", page_size=size))
        assert len(history.entries) == entries, f"of entries, {size} asked"


async def test_pages_of_models_have_the_sizes_that_the_proto_promises(scoring: Scoring, stub: Stub) -> None:
    for _ in range(100):
        await scoring.publishing.create(BUILT_IN)
    for size, count in ((0, 20), (999, 100)):
        models = await stub.ListScoringModels(pb.ListScoringModelsRequest(page_size=size))
        assert len(models.scoring_models) == count, f"of models, {size} asked"
    for number in range(2, 102):
        await scoring.models.publish(Publication(number, 1, 1, Mode.FORWARD, NOW + number * DAY))
    for size, count in ((0, 20), (999, 100)):
        made = await stub.ListModelPublications(pb.ListModelPublicationsRequest(page_size=size))
        assert len(made.publications) == count, f"of publications, {size} asked"


# Decay, rebuilding and verification.


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets streams report after every two leads."""
    for module in ("check", "decay", "simulate"):
        monkeypatch.setattr(f"scoring_service.usecases.{module}.PAGE_LEADS", 2)


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
    assert {each.dry_run for each in dry} == {True}, "expected every message of a dry run to say so"
    dry[-1].dry_run = False
    assert dry[-1] == summary, "a dry run foretells"
    assert (await score_of(stub, "lead0")).score == 100, "a dry run writes nothing"

    progress = await answers(stub, "DecayScores", pb.DecayScoresRequest())
    assert len(progress) > 2, "expected progress before the summary"
    assert [each.done for each in progress] == [False] * (len(progress) - 1) + [True]
    checked = [each.leads_checked for each in progress]
    assert checked == sorted(checked), "counts are totals so far"
    assert progress[-1] == summary, "without a time decay runs up to now"
    assert (await score_of(stub, "lead0")).score == 95

    [again] = await answers(stub, "DecayScores", pb.DecayScoresRequest(as_of_time=at(NOW)))
    assert again == pb.DecayScoresResponse(through_date="2026-03-20", done=True), "a second run does nothing"


@pytest.mark.parametrize(("ahead", "code"), [(timedelta(minutes=1), ""), (timedelta(minutes=2), "INVALID_ARGUMENT")])
async def test_decay_forgives_a_clock_a_minute_of_haste(stub: Stub, ahead: timedelta, code: str) -> None:
    request = pb.DecayScoresRequest(as_of_time=at(NOW + ahead))
    if not code:
        assert (await answers(stub, "DecayScores", request))[-1].done, "expected a summary"
        return
    assert await refused(stub, "DecayScores", request) == (code, "ARGUMENT_INVALID", ["as_of_time"])


async def seed_damaged(scoring: Scoring) -> None:
    """Leads of which two have a stored score that their history does not give."""
    await scoring.put(*((f"e{n}", f"lead{n}", "signup", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    await scoring.database["leads"].update_many({"_id": {"$in": ["lead1", "lead2"]}}, {"$set": {"score": 7}})


async def test_a_rebuild_tells_what_it_changed(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    first, second = [await stub.RebuildLeadScore(pb.RebuildLeadScoreRequest(lead_id="lead1")) for _ in range(2)]
    assert (first.changed, first.score_before, first.lead_score.score) == (True, 7, 20)
    assert (second.changed, second.score_before, second.lead_score) == (False, 20, first.lead_score)
    assert first.lead_score == await score_of(stub, "lead1")


@pytest.mark.usefixtures("small_pages")
async def test_a_rebuild_of_all_streams_what_it_changed(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    damaged = [
        pb.RebuildLeadScoresResponse(leads_checked=2, leads_total=3, leads_changed=1, changed_lead_ids=["lead1"]),
        pb.RebuildLeadScoresResponse(leads_checked=3, leads_total=3, leads_changed=2, changed_lead_ids=["lead2"]),
        pb.RebuildLeadScoresResponse(leads_checked=3, leads_total=3, leads_changed=2, done=True),
    ]
    assert await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest(check_only=True)) == damaged
    assert (await score_of(stub, "lead1")).score == 7, "a check writes nothing"
    assert await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest()) == damaged
    assert (await score_of(stub, "lead1")).score == 20
    [*_, again] = await answers(stub, "RebuildLeadScores", pb.RebuildLeadScoresRequest())
    assert (again.leads_changed, again.done) == (0, True), "a second rebuild changes nothing"


@pytest.mark.usefixtures("small_pages")
async def test_a_verification_streams_what_is_wrong(scoring: Scoring, stub: Stub) -> None:
    await seed_damaged(scoring)
    await scoring.put(("waits", "lead0", "signup", NOW))
    progress = await answers(stub, "VerifyScores", pb.VerifyScoresRequest())
    assert [(each.leads_checked, each.leads_total, each.done) for each in progress] == [
        (2, 3, False),
        (3, 3, False),
        (3, 3, True),
    ]
    assert [{violation.lead_id for violation in each.violations} for each in progress] == [{"lead1"}, {"lead2"}, set()]
    assert [each.violations_total for each in progress] == [3, 6, 6], "violations_total counts all so far"
    assert (progress[-1].entries_checked, progress[-1].events_checked, progress[-1].events_pending) == (3, 3, 1)
    violation = progress[0].violations[0]
    assert (violation.invariant, violation.message) == ("I5", "the deltas add up to 20, the score is 7")


async def test_the_backlog_is_what_waits(scoring: Scoring, stub: Stub) -> None:
    assert await stub.GetScoringBacklog(pb.GetScoringBacklogRequest()) == pb.GetScoringBacklogResponse()
    await scoring.put(("e1", "ada", "signup", days_ago(9)))
    scoring.now = NOW + timedelta(minutes=5)
    await scoring.put(("e2", "bob", "signup", days_ago(9)))
    waiting = await stub.GetScoringBacklog(pb.GetScoringBacklogRequest())
    assert waiting == pb.GetScoringBacklogResponse(pending_events=2, oldest_put_time=at(NOW))
    await scoring.drain_all()
    assert await stub.GetScoringBacklog(pb.GetScoringBacklogRequest()) == pb.GetScoringBacklogResponse()


# Corrections.


async def test_adjustments_add_or_set_and_are_made_once(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    requests = [
        adjusting(request_id="add", delta=15),
        adjusting(request_id="take", delta=-5),
        adjusting(request_id="set", target=77),
        adjusting(request_id="nothing", delta=0),
        adjusting(request_id="zero", target=0),
        adjusting(request_id="most", delta=MOST_SCORE),
        adjusting(request_id="least", target=-MOST_SCORE),
        adjusting(request_id="é" * 256, delta=1, reason="x" * 1_024, actor="x" * 256),
    ]
    first: list[pb.ScoreEntry] = []
    for request in requests:
        scoring.now += timedelta(seconds=1)
        first.append((await stub.AdjustLeadScore(request)).entry)
    assert [each.delta for each in first] == [15, -5, 47, 0, -77, 10_000, -10_000, 1]
    second = [(await stub.AdjustLeadScore(request)).entry for request in requests]
    assert second == first, "the same requests again answer with the same entries"
    assert (await history_of(stub))[1:] == first
    assert (await score_of(stub)).score == 1


# Models.


async def test_a_model_comes_back_as_it_was_sent(scoring: Scoring, stub: Stub) -> None:
    sent = pb.ScoringModel(version=99, state=pb.MODEL_STATE_IN_FORCE, create_time=at(days_ago(9)))
    sent.MergeFrom(WHOLE)
    stored = await created(stub, sent)
    assert (stored.version, stored.state) == (2, pb.MODEL_STATE_DRAFT), "version and state are the service's to give"
    assert wire.to_time(stored.create_time) == NOW
    assert content(stored) == WHOLE
    assert (await stub.GetScoringModel(pb.GetScoringModelRequest(version=2))).scoring_model == stored


async def test_a_sound_model_is_validated_without_a_trace(scoring: Scoring, stub: Stub) -> None:
    request = pb.CreateScoringModelRequest(scoring_model=WHOLE, validate_only=True)
    answer = (await stub.CreateScoringModel(request)).scoring_model
    assert (answer.version, content(answer)) == (0, WHOLE)
    assert not answer.HasField("create_time"), "expected no time: nothing was stored"
    assert len((await stub.ListScoringModels(pb.ListScoringModelsRequest())).scoring_models) == 1
    assert (await created(stub, WHOLE)).version == 2, "a validation takes no version"


async def test_models_are_listed_newest_first_with_where_they_stand(scoring: Scoring, stub: Stub) -> None:
    scoring.now = NOW - DAY
    await published(stub, worth(25))
    scoring.now = NOW
    await published(stub, worth(30), pb.PUBLICATION_MODE_FORWARD)
    await created(stub, worth(35))
    expected = [
        (4, pb.MODEL_STATE_DRAFT, NOW),
        (3, pb.MODEL_STATE_IN_FORCE, NOW),
        (2, pb.MODEL_STATE_RETIRED, NOW - DAY),
        (1, pb.MODEL_STATE_RETIRED, days_ago(100)),
    ]
    for size in (1, 2, 3, 4, 0):
        found = await pages(stub.ListScoringModels, pb.ListScoringModelsRequest(page_size=size))
        listed = [each for page in found for each in page.scoring_models]
        assert [(each.version, each.state, wire.to_time(each.create_time)) for each in listed] == expected
        assert len(found) == -(-4 // (size or 4)), f"pages of {size}: expected no empty page at the end"
    for each in listed:
        got = await stub.GetScoringModel(pb.GetScoringModelRequest(version=each.version))
        assert got.scoring_model == each, "a list shows what GetScoringModel shows"
    assert (await stub.GetScoringModel(pb.GetScoringModelRequest())).scoring_model == listed[1], "0 is in force"
    assert content(listed[3]) == model(), "version 1 is the built-in model"

    await stub.PublishScoringModel(publishing(version=2, base_version=3))
    again = (await stub.ListScoringModels(pb.ListScoringModelsRequest())).scoring_models
    assert [each.state for each in again[1:3]] == [pb.MODEL_STATE_RETIRED, pb.MODEL_STATE_IN_FORCE]


async def test_a_page_of_models_reads_the_publications_once(
    scoring: Scoring, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for points in (25, 30, 35):
        await created(stub, worth(points))
    publications, reads = MongoModels.publications, 0

    async def counted(self: MongoModels) -> list[Publication]:
        nonlocal reads
        reads += 1
        return await publications(self)

    monkeypatch.setattr(MongoModels, "publications", counted)
    await stub.ListScoringModels(pb.ListScoringModelsRequest())
    assert reads == 1, "expected one read for the page, not one for each of its models"


async def test_publications_are_listed_newest_first_with_what_is_left(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", f"lead{n}", "signup", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    made = await published(stub, worth(25))
    assert made == pb.ModelPublication(
        publication=2,
        version=2,
        base_version=1,
        mode=pb.PUBLICATION_MODE_RESCORE,
        publish_time=at(NOW),
        actor="eve",
        note="spring",
        leads_left=3,
    )
    first = pb.ModelPublication(
        publication=1,
        version=1,
        mode=pb.PUBLICATION_MODE_RESCORE,
        publish_time=at(days_ago(100)),
        actor="leadscore",
        note="built in",
    )
    listed = await stub.ListModelPublications(pb.ListModelPublicationsRequest())
    assert list(listed.publications) == [made, first]
    assert await scoring.rollout.step() == 3
    made.leads_left = 0
    for size in (1, 2, 0):
        found = await pages(stub.ListModelPublications, pb.ListModelPublicationsRequest(page_size=size))
        assert [each for page in found for each in page.publications] == [made, first], f"pages of {size}"
        assert len(found) == -(-2 // (size or 2)), f"pages of {size}: expected no empty page at the end"
    scoring.now = NOW + DAY
    forward = await published(stub, worth(30), pb.PUBLICATION_MODE_FORWARD)
    assert (forward.mode, forward.leads_left) == (pb.PUBLICATION_MODE_FORWARD, 0), "the past is left alone"


# Simulation.


async def seed_conversions(scoring: Scoring) -> None:
    """Three leads; `bob` signs a contract nine days after his first event."""
    await scoring.put(("i1", "bob", "identify", days_ago(10)), country="NL")
    await scoring.put(
        ("s1", "ada", "signup", days_ago(10)),
        ("s2", "bob", "signup", days_ago(10)),
        ("c2", "bob", "contract_signed", days_ago(1)),
        ("v3", "cyd", "page_view", days_ago(10)),
        ("w1", "cyd", "webinar", days_ago(9)),
        ("w2", "cyd", "webinar", days_ago(9)),
    )
    await scoring.drain_all()


def difference(lead_id: str, scores: tuple[int, int], stages: tuple[str, str], grade: str) -> pb.LeadDifference:
    return pb.LeadDifference(
        lead_id=lead_id,
        score_before=scores[0],
        score_after=scores[1],
        stage_before=stages[0],
        stage_after=stages[1],
        fit_grade_after=grade,
    )


@pytest.mark.usefixtures("small_pages")
async def test_a_draft_is_simulated(scoring: Scoring, stub: Stub) -> None:
    await seed_conversions(scoring)
    draft = worth(40, fit=FIT)
    progress = await answers(stub, "SimulateScoringModel", pb.SimulateScoringModelRequest(draft=draft))
    counts = [(each.leads_checked, each.leads_total, each.HasField("summary"), each.done) for each in progress]
    assert counts == [(2, 3, False, False), (3, 3, False, False), (3, 3, True, True)]
    ada = difference("ada", (20, 40), ("warm", "hot"), "D")
    bob = difference("bob", (120, 140), ("qualified", "qualified"), "A")
    cyd = difference("cyd", (5, 5), ("cold", "cold"), "D")
    assert [list(each.differences) for each in progress] == [[ada, bob], [cyd], []]
    fired = {"page_view": (1, 5), "signup": (2, 80), "contract_signed": (1, 100)}
    assert progress[-1].summary == pb.SimulationSummary(
        leads_changed=3,
        points_before=145,
        points_after=185,
        stages=[
            pb.Migration(before="cold", after="cold", lead_count=1),
            pb.Migration(before="qualified", after="qualified", lead_count=1),
            pb.Migration(before="warm", after="hot", lead_count=1),
        ],
        fit_grades=[pb.Migration(after="A", lead_count=1), pb.Migration(after="D", lead_count=2)],
        rules=[
            pb.RuleShare(rule_id=rule_id, event_count=count, points=points, share=points / 185)
            for rule_id, (count, points) in ((rule.rule_id, fired.get(rule.rule_id, (0, 0))) for rule in BUILT_IN.rules)
        ],
        unknown_event_types=[
            pb.UnknownEventType(event_type="webinar", event_count=2),
            pb.UnknownEventType(event_type="identify", event_count=1),
        ],
    ), "without conversions no ranking is set"
    models = await stub.ListScoringModels(pb.ListScoringModelsRequest())
    assert len(models.scoring_models) == 1, "a simulated draft is not stored"


async def test_a_stored_version_is_simulated(scoring: Scoring, stub: Stub) -> None:
    await seed_conversions(scoring)
    await created(stub, worth(40))
    for version, changed in ((1, []), (2, ["ada", "bob"])):
        request = pb.SimulateScoringModelRequest(version=version)
        progress = await answers(stub, "SimulateScoringModel", request)
        assert [each.lead_id for message in progress for each in message.differences] == changed
        assert progress[-1].summary.leads_changed == len(changed)


async def test_rankings_are_of_scores_at_the_landmark(scoring: Scoring, stub: Stub) -> None:
    await seed_conversions(scoring)

    async def rankings(event_type: str, landmark: Duration | None) -> list[pb.Ranking]:
        request = pb.SimulateScoringModelRequest(
            draft=worth(40), conversion_event_types=[event_type], landmark=landmark
        )
        summary = (await answers(stub, "SimulateScoringModel", request))[-1].summary
        return [summary.ranking_before, summary.ranking_after]

    weeks = await rankings("contract_signed", None)
    assert weeks == await rankings("contract_signed", span(days=7)), "7 days when not given"
    for ranking, stage in zip(weeks, ("warm", "hot"), strict=True):
        assert (ranking.lead_count, ranking.converted_count, ranking.converted_before_count) == (3, 1, 0)
        assert ranking.auc == 0.75, "bob ranks above cyd and beside ada"
        assert [each.name for each in ranking.stages] == ["cold", "warm", "hot", "qualified"]
        rates = [each for each in ranking.stages if each.lead_count]
        assert rates == [
            pb.ConversionRate(name="cold", lead_count=1),
            pb.ConversionRate(name=stage, lead_count=2, converted_count=1, rate=0.5, lift=1.5),
        ]
        assert [each.name for each in ranking.deciles] == [str(decile) for decile in range(1, 11)]
        assert sum(each.lead_count for each in ranking.deciles) == pytest.approx(3)
        assert ranking.deciles[0].rate == 0.5
    for ranking in await rankings("contract_signed", span(days=10)):
        assert (ranking.lead_count, ranking.converted_count, ranking.converted_before_count) == (2, 0, 1)
        assert not ranking.HasField("auc"), "expected no AUC when nobody converts"
    for ranking in await rankings("never", None):
        assert (ranking.lead_count, ranking.converted_count, ranking.HasField("auc")) == (3, 0, False)


# Refusals.

NO_LEAD: Refusal = ("NOT_FOUND", "LEAD_NOT_FOUND", [])
NO_MODEL: Refusal = ("NOT_FOUND", "MODEL_NOT_FOUND", [])
NO_EVENT: Refusal = ("NOT_FOUND", "EVENT_NOT_FOUND", [])
OUTDATED: Refusal = ("ABORTED", "MODEL_OUTDATED", [])
CONFLICT: Refusal = ("ALREADY_EXISTS", "REQUEST_ID_CONFLICT", ["request_id"])
INCONSISTENT: Refusal = ("DATA_LOSS", "HISTORY_INCONSISTENT", [])


async def test_what_is_not_there_or_not_as_believed_is_refused(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)), ("e2", "bad", "signup", days_ago(1)))
    await scoring.drain_all()
    await stub.AdjustLeadScore(adjusting(delta=1))
    await scoring.database["score_history"].update_one({"_id": "e2"}, {"$inc": {"delta": 1}})
    await scoring.put(("waits", "ada", "signup", NOW))
    await published(stub, worth(25))
    expected: list[tuple[str, Message, Refusal]] = [
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id="nobody"), NO_LEAD),
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id="ada", as_of_time=at(days_ago(2))), NO_LEAD),
        ("ListScoreHistory", pb.ListScoreHistoryRequest(lead_id="nobody"), NO_LEAD),
        ("RebuildLeadScore", pb.RebuildLeadScoreRequest(lead_id="nobody"), NO_LEAD),
        ("AdjustLeadScore", adjusting(delta=1, request_id="r2", lead_id="nobody"), NO_LEAD),
        ("ListLeadScores", listing(stage="tepid"), ("INVALID_ARGUMENT", "ARGUMENT_INVALID", ["stage"])),
        ("AdjustLeadScore", adjusting(delta=2), CONFLICT),
        ("AdjustLeadScore", adjusting(target=21), CONFLICT),
        ("AdjustLeadScore", adjusting(delta=1, actor="bob"), CONFLICT),
        ("AdjustLeadScore", adjusting(delta=1, lead_id="nobody"), CONFLICT),
        ("RetractEvent", retracting("nothing"), NO_EVENT),
        ("RetractEvent", retracting("adjustment:r1"), NO_EVENT),
        ("RetractEvent", retracting("waits"), ("ABORTED", "EVENT_NOT_SCORED", [])),
        ("GetScoringModel", pb.GetScoringModelRequest(version=7), NO_MODEL),
        ("GetScoringModel", pb.GetScoringModelRequest(version=2**63 - 1), NO_MODEL),
        ("SimulateScoringModel", simulating(version=7), NO_MODEL),
        ("PublishScoringModel", publishing(version=7, base_version=2), NO_MODEL),
        ("PublishScoringModel", publishing(version=2, base_version=1), OUTDATED),
        ("PublishScoringModel", publishing(version=1, base_version=3), OUTDATED),
        ("RebuildLeadScore", pb.RebuildLeadScoreRequest(lead_id="bad"), INCONSISTENT),
        ("RebuildLeadScores", pb.RebuildLeadScoresRequest(), INCONSISTENT),
        ("RebuildLeadScores", pb.RebuildLeadScoresRequest(check_only=True), INCONSISTENT),
    ]
    found = [(method, request, await refused(stub, method, request)) for method, request, _ in expected]
    for was, should_be in zip(found, expected, strict=True):
        assert was == should_be
    assert len(await history_of(stub)) == 2, "expected no entry from what was refused"
    publications = (await stub.ListModelPublications(pb.ListModelPublicationsRequest())).publications
    assert [each.publication for each in publications] == [2, 1], "expected no publication from what was refused"


BEFORE_1970, BEYOND_ALL_TIME = Timestamp(seconds=-1), Timestamp(seconds=2**62)
LONGER = "x" * 1_025


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("GetLeadScore", pb.GetLeadScoreRequest(), ["lead_id"]),
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id="a\0"), ["lead_id"]),
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id=LONG), ["lead_id"]),
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id="a", as_of_time=BEFORE_1970), ["as_of_time"]),
        ("GetLeadScore", pb.GetLeadScoreRequest(lead_id="a", as_of_time=BEYOND_ALL_TIME), ["as_of_time"]),
        ("BatchGetLeadScores", pb.BatchGetLeadScoresRequest(), ["lead_ids"]),
        ("BatchGetLeadScores", pb.BatchGetLeadScoresRequest(lead_ids=["a"] * 501), ["lead_ids"]),
        ("BatchGetLeadScores", pb.BatchGetLeadScoresRequest(lead_ids=["a", ""]), ["lead_ids[1]"]),
        ("BatchGetLeadScores", pb.BatchGetLeadScoresRequest(lead_ids=["a", "b", LONG]), ["lead_ids[2]"]),
        ("BatchGetLeadScores", pb.BatchGetLeadScoresRequest(lead_ids=["a"], as_of_time=BEFORE_1970), ["as_of_time"]),
        ("ListLeadScores", listing(page_size=-1), ["page_size"]),
        ("ListLeadScores", listing(order=UNKNOWN), ["order"]),
        ("ListLeadScores", listing(stage="a\0"), ["stage"]),
        ("ListLeadScores", listing(stage=LONG), ["stage"]),
        ("ListScoreHistory", pb.ListScoreHistoryRequest(), ["lead_id"]),
        ("ListScoreHistory", pb.ListScoreHistoryRequest(lead_id="a", page_size=-1), ["page_size"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=BEFORE_1970), ["as_of_time"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=BEYOND_ALL_TIME), ["as_of_time"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=at(arguments.LATEST)), ["as_of_time"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=at(arguments.LATEST), dry_run=True), ["as_of_time"]),
        ("RebuildLeadScore", pb.RebuildLeadScoreRequest(), ["lead_id"]),
        ("AdjustLeadScore", adjusting(), ["delta"]),
        ("AdjustLeadScore", adjusting(delta=MOST_SCORE + 1), ["delta"]),
        ("AdjustLeadScore", adjusting(delta=-(2**63)), ["delta"]),
        ("AdjustLeadScore", adjusting(target=MOST_SCORE + 1), ["target"]),
        ("AdjustLeadScore", adjusting(target=-MOST_SCORE - 1), ["target"]),
        ("AdjustLeadScore", adjusting(delta=1, lead_id=""), ["lead_id"]),
        ("AdjustLeadScore", adjusting(delta=1, reason=""), ["reason"]),
        ("AdjustLeadScore", adjusting(delta=1, reason=LONGER), ["reason"]),
        ("AdjustLeadScore", adjusting(delta=1, reason="a\0"), ["reason"]),
        ("AdjustLeadScore", adjusting(delta=1, actor=""), ["actor"]),
        ("AdjustLeadScore", adjusting(delta=1, actor=LONG), ["actor"]),
        ("AdjustLeadScore", adjusting(delta=1, request_id=""), ["request_id"]),
        ("AdjustLeadScore", adjusting(delta=1, request_id=LONG), ["request_id"]),
        ("RetractEvent", retracting(event_id=""), ["event_id"]),
        ("RetractEvent", retracting(event_id=LONG), ["event_id"]),
        ("RetractEvent", retracting(reason=""), ["reason"]),
        ("RetractEvent", retracting(reason=LONGER), ["reason"]),
        ("RetractEvent", retracting(actor=""), ["actor"]),
        ("RetractEvent", retracting(actor="a\0"), ["actor"]),
        ("GetScoringModel", pb.GetScoringModelRequest(version=-1), ["version"]),
        ("ListScoringModels", pb.ListScoringModelsRequest(page_size=-1), ["page_size"]),
        ("PublishScoringModel", publishing(version=0), ["version"]),
        ("PublishScoringModel", publishing(version=-1), ["version"]),
        ("PublishScoringModel", publishing(base_version=0), ["base_version"]),
        ("PublishScoringModel", publishing(mode=pb.PUBLICATION_MODE_UNSPECIFIED), ["mode"]),
        ("PublishScoringModel", publishing(mode=UNKNOWN), ["mode"]),
        ("PublishScoringModel", publishing(actor=""), ["actor"]),
        ("PublishScoringModel", publishing(actor=LONG), ["actor"]),
        ("PublishScoringModel", publishing(note=LONGER), ["note"]),
        ("PublishScoringModel", publishing(note="a\0"), ["note"]),
        ("ListModelPublications", pb.ListModelPublicationsRequest(page_size=-1), ["page_size"]),
        ("SimulateScoringModel", pb.SimulateScoringModelRequest(), ["version"]),
        ("SimulateScoringModel", simulating(version=0), ["version"]),
        ("SimulateScoringModel", simulating(version=-1), ["version"]),
        ("SimulateScoringModel", simulating(landmark=Duration()), ["landmark"]),
        ("SimulateScoringModel", simulating(landmark=span(seconds=-1)), ["landmark"]),
        ("SimulateScoringModel", simulating(landmark=span(days=3_650, seconds=1)), ["landmark"]),
        ("SimulateScoringModel", simulating(landmark=Duration(seconds=2**62)), ["landmark"]),
        ("SimulateScoringModel", simulating(landmark=Duration(seconds=-(2**62))), ["landmark"]),
        ("SimulateScoringModel", simulating(conversion_event_types=["a"] * 101), ["conversion_event_types"]),
        ("SimulateScoringModel", simulating(conversion_event_types=["a", ""]), ["conversion_event_types[1]"]),
    ],
)
async def test_a_bad_argument_is_named(strict: Stub, method: str, request_: Message, fields: list[str]) -> None:
    assert await refused(strict, method, request_) == ("INVALID_ARGUMENT", "ARGUMENT_INVALID", fields)


def history(lead_id: str, *, newest_first: bool = False) -> pb.ListScoreHistoryRequest:
    return pb.ListScoreHistoryRequest(lead_id=lead_id, newest_first=newest_first, page_size=1)


LISTS: list[tuple[str, Any]] = [
    ("ListLeadScores", listing(page_size=1)),
    ("ListLeadScores", listing(page_size=1, order=pb.LEAD_ORDER_LAST_EVENT_TIME)),
    ("ListLeadScores", listing(page_size=1, order=pb.LEAD_ORDER_LEAD_ID)),
    ("ListLeadScores", listing(page_size=1, stage="warm")),
    ("ListLeadScores", listing(page_size=1, minimum_score=0)),
    ("ListLeadScores", listing(page_size=1, minimum_score=1)),
    ("ListScoreHistory", history("ada")),
    ("ListScoreHistory", history("ada", newest_first=True)),
    ("ListScoreHistory", history("bob")),
    ("ListScoringModels", pb.ListScoringModelsRequest(page_size=1)),
    ("ListModelPublications", pb.ListModelPublicationsRequest(page_size=1)),
]
"""Queries of which each differs from all others in what a token is bound to."""
TOKEN_INVALID: Refusal = ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", ["page_token"])


def with_token(query: Any, token: str) -> Any:
    """Returns a query that goes on from a token."""
    copy = type(query)()
    copy.CopyFrom(query)
    copy.page_token = token
    return copy


async def test_a_token_is_for_the_query_that_it_came_from(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", lead, "signup", days_ago(1)) for n, lead in enumerate(("ada", "bob"))))
    await scoring.drain_all()
    for lead_id in ("ada", "bob"):
        await stub.AdjustLeadScore(adjusting(lead_id=lead_id, request_id=lead_id, delta=1))
    await published(stub, model())
    tokens = [(await answers(stub, method, query))[0].next_page_token for method, query in LISTS]
    assert len(set(tokens)) == len(tokens), "expected every query to have tokens of its own"
    for (method, query), own in zip(LISTS, tokens, strict=True):
        [second] = await answers(stub, method, with_token(query, own))
        assert not second.next_page_token, f"expected two pages of {method} {query}"
        for token in {*tokens, "?", f"x{own}", own[:-4]} - {own}:
            found = await refused(stub, method, with_token(query, token))
            assert found == TOKEN_INVALID, f"of {method} {query} with {token}"


async def test_a_token_with_a_made_up_place_is_refused(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", lead, "signup", days_ago(1)) for n, lead in enumerate(("ada", "bob"))))
    await scoring.drain_all()
    query = ("ListLeadScores", "score", "", ANY_SCORE)
    own = (await stub.ListLeadScores(listing(page_size=1))).next_page_token
    assert own == write_token(query, 20, "ada"), "expected this test to know how a token is made"
    for place in (("20", "ada"), (2**63, "ada"), (20, 20), (NOW, "ada"), (20,), (20, "ada", "ada"), ()):
        found = await refused(stub, "ListLeadScores", listing(page_size=1, page_token=write_token(query, *place)))
        assert found == TOKEN_INVALID, f"of {place}"


NOTHING_GIVEN = ["risk", "score_ceiling", "stages", "velocity.window", "next_actions"]


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("CreateScoringModel", pb.CreateScoringModelRequest(), NOTHING_GIVEN),
        ("CreateScoringModel", pb.CreateScoringModelRequest(validate_only=True), NOTHING_GIVEN),
        ("SimulateScoringModel", pb.SimulateScoringModelRequest(draft=pb.ScoringModel()), NOTHING_GIVEN),
        ("CreateScoringModel", pb.CreateScoringModelRequest(scoring_model=MISTAKES), MISTAKEN),
        ("CreateScoringModel", pb.CreateScoringModelRequest(scoring_model=MISTAKES, validate_only=True), MISTAKEN),
        ("SimulateScoringModel", pb.SimulateScoringModelRequest(draft=MISTAKES), MISTAKEN),
    ],
)
async def test_every_mistake_of_a_model_is_named(
    strict: Stub, method: str, request_: Message, fields: list[str]
) -> None:
    code, reason, found = await refused(strict, method, request_)
    assert (code, reason, sorted(found)) == ("INVALID_ARGUMENT", "MODEL_INVALID", sorted(fields))


@pytest.mark.parametrize(
    ("rules", "mistakes"),
    [
        ([rule(f"r{number}", points=0) for number in range(1_000)], 1_000),
        ([rule(f"r{number}", group_id="😀" * 300) for number in range(500)], 500),
        ([rule("☃" * 100, points=0) for _ in range(500)], 1_000),
    ],
    ids=["many", "long", "both"],
)
async def test_mistakes_that_do_not_fit_into_a_status_are_counted(
    strict: Stub, rules: list[pb.ScoringRule], mistakes: int
) -> None:
    request = pb.CreateScoringModelRequest(scoring_model=model(rules=rules))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await strict.CreateScoringModel(request)
    code, reason, fields = refusal(caught.value)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MODEL_INVALID")
    assert f"the model has {mistakes} mistakes" in (caught.value.details() or "")
    assert (fields[0][:8], fields[-1]) == ("rules[0]", ""), "expected paths, and none for the rest"
    assert descriptions(caught.value)[-1] == f"and {mistakes - len(fields) + 1} more"
