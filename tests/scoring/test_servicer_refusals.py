"""Requests that the service rejects over gRPC, with status, reason and field."""

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.lead_query import ANY_SCORE
from scoring_service.domain.model_validation import MAX_SCORE
from shared.rpc.pagination import write_token
from testkit.serving import refusal
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import (
    LONG,
    MISTAKEN,
    MISTAKES,
    UNKNOWN,
    Refusal,
    Stub,
    adjusting,
    answers,
    at,
    descriptions,
    history_of,
    listing,
    model,
    published,
    publishing,
    refused,
    retracting,
    rule,
    simulating,
    span,
    worth,
)

NO_LEAD: Refusal = ("NOT_FOUND", "LEAD_NOT_FOUND", [])
NO_MODEL: Refusal = ("NOT_FOUND", "MODEL_NOT_FOUND", [])
NO_EVENT: Refusal = ("NOT_FOUND", "EVENT_NOT_FOUND", [])
OUTDATED: Refusal = ("ABORTED", "MODEL_OUTDATED", [])
CONFLICT: Refusal = ("ALREADY_EXISTS", "REQUEST_ID_CONFLICT", ["request_id"])
INCONSISTENT: Refusal = ("DATA_LOSS", "HISTORY_INCONSISTENT", [])


async def test_unknown_ids_and_failed_preconditions_are_rejected(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)), ("e2", "bad", "signup", days_ago(1)))
    await scoring.drain_all()
    await stub.AdjustLeadScore(adjusting(delta=1))
    await scoring.database["score_history"].update_one({"_id": "e2"}, {"$inc": {"delta": 1}})
    await scoring.put(("pending", "ada", "signup", NOW))
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
        ("RetractEvent", retracting("pending"), ("ABORTED", "EVENT_NOT_SCORED", [])),
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
    assert len(await history_of(stub)) == 2, "a rejected request must not append an entry"
    publications = (await stub.ListModelPublications(pb.ListModelPublicationsRequest())).publications
    assert [each.publication for each in publications] == [2, 1], "a rejected request must not publish a model"


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
        ("ListLeadScores", listing(active_since=BEFORE_1970), ["active_since"]),
        ("ListScoreEntries", pb.ListScoreEntriesRequest(page_size=-1), ["page_size"]),
        ("ListScoreEntries", pb.ListScoreEntriesRequest(kinds=[UNKNOWN]), ["kinds"]),
        ("ListScoreEntries", pb.ListScoreEntriesRequest(kinds=[pb.ENTRY_KIND_UNSPECIFIED]), ["kinds"]),
        ("ListScoreEntries", pb.ListScoreEntriesRequest(from_time=BEFORE_1970), ["from_time"]),
        ("ListScoreEntries", pb.ListScoreEntriesRequest(until_time=BEYOND_ALL_TIME), ["until_time"]),
        ("ListEvents", pb.ListEventsRequest(page_size=-1), ["page_size"]),
        ("ListEvents", pb.ListEventsRequest(until_time=BEFORE_1970), ["until_time"]),
        ("ListScoreHistory", pb.ListScoreHistoryRequest(), ["lead_id"]),
        ("ListScoreHistory", pb.ListScoreHistoryRequest(lead_id="a", page_size=-1), ["page_size"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=BEFORE_1970), ["as_of_time"]),
        ("DecayScores", pb.DecayScoresRequest(as_of_time=BEYOND_ALL_TIME), ["as_of_time"]),
        ("ResetDecay", pb.ResetDecayRequest(to_date="yesterday", reason="r", actor="a"), ["to_date"]),
        ("ResetDecay", pb.ResetDecayRequest(to_date="2026-02-30", reason="r", actor="a"), ["to_date"]),
        ("ResetDecay", pb.ResetDecayRequest(to_date="2026-02-28", actor="a"), ["reason"]),
        ("ResetDecay", pb.ResetDecayRequest(to_date="2026-02-28", reason="r"), ["actor"]),
        ("RebuildLeadScore", pb.RebuildLeadScoreRequest(), ["lead_id"]),
        ("AdjustLeadScore", adjusting(), ["delta"]),
        ("AdjustLeadScore", adjusting(delta=MAX_SCORE + 1), ["delta"]),
        ("AdjustLeadScore", adjusting(delta=-(2**63)), ["delta"]),
        ("AdjustLeadScore", adjusting(target=MAX_SCORE + 1), ["target"]),
        ("AdjustLeadScore", adjusting(target=-MAX_SCORE - 1), ["target"]),
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
        ("SimulateScoringModel", simulating(landmarks=[Duration()]), ["landmarks"]),
        ("SimulateScoringModel", simulating(landmarks=[span(days=1)] * 11), ["landmarks"]),
        ("SimulateScoringModel", simulating(horizon=Duration()), ["horizon"]),
        (
            "SimulateScoringModel",
            simulating(conversion_event_types=["won"], lost_event_types=["won"]),
            ["lost_event_types"],
        ),
        ("SimulateScoringModel", simulating(landmarks=[span(seconds=-1)]), ["landmarks"]),
        ("SimulateScoringModel", simulating(landmarks=[span(days=3_650, seconds=1)]), ["landmarks"]),
        ("SimulateScoringModel", simulating(landmarks=[Duration(seconds=2**62)]), ["landmarks"]),
        ("SimulateScoringModel", simulating(landmarks=[Duration(seconds=-(2**62))]), ["landmarks"]),
        ("SimulateScoringModel", simulating(conversion_event_types=["a"] * 101), ["conversion_event_types"]),
        ("SimulateScoringModel", simulating(conversion_event_types=["a", ""]), ["conversion_event_types[1]"]),
    ],
)
async def test_a_bad_argument_is_named(strict: Stub, method: str, request_: Message, fields: list[str]) -> None:
    assert await refused(strict, method, request_) == ("INVALID_ARGUMENT", "ARGUMENT_INVALID", fields)


def history(lead_id: str, *, newest_first: bool = False) -> pb.ListScoreHistoryRequest:
    return pb.ListScoreHistoryRequest(lead_id=lead_id, newest_first=newest_first, page_size=1)


EVENTS = [pb.ENTRY_KIND_EVENT]
LISTS: list[tuple[str, Any]] = [
    ("ListLeadScores", listing(page_size=1)),
    ("ListLeadScores", listing(page_size=1, order=pb.LEAD_ORDER_LAST_EVENT_TIME)),
    ("ListLeadScores", listing(page_size=1, order=pb.LEAD_ORDER_LEAD_ID)),
    ("ListLeadScores", listing(page_size=1, stage="warm")),
    ("ListLeadScores", listing(page_size=1, minimum_score=0)),
    ("ListLeadScores", listing(page_size=1, minimum_score=1)),
    ("ListLeadScores", listing(page_size=1, active_since=at(days_ago(2)))),
    ("ListScoreEntries", pb.ListScoreEntriesRequest(page_size=1, kinds=[pb.ENTRY_KIND_EVENT])),
    ("ListScoreEntries", pb.ListScoreEntriesRequest(page_size=1, kinds=[pb.ENTRY_KIND_ADJUSTMENT])),
    ("ListScoreEntries", pb.ListScoreEntriesRequest(page_size=1, kinds=EVENTS, from_time=at(days_ago(2)))),
    ("ListScoreEntries", pb.ListScoreEntriesRequest(page_size=1, kinds=EVENTS, until_time=at(NOW))),
    ("ListEvents", pb.ListEventsRequest(page_size=1)),
    ("ListEvents", pb.ListEventsRequest(page_size=1, until_time=at(NOW))),
    ("ListScoreHistory", history("ada")),
    ("ListScoreHistory", history("ada", newest_first=True)),
    ("ListScoreHistory", history("bob")),
    ("ListScoringModels", pb.ListScoringModelsRequest(page_size=1)),
    ("ListModelPublications", pb.ListModelPublicationsRequest(page_size=1)),
]
"""Queries that each need page tokens of their own."""
TOKEN_INVALID: Refusal = ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", ["page_token"])


def with_token(query: Any, token: str) -> Any:
    """Returns a query that continues from a token."""
    copy = type(query)()
    copy.CopyFrom(query)
    copy.page_token = token
    return copy


async def test_a_token_is_valid_only_for_its_own_query(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", lead, "signup", days_ago(1)) for n, lead in enumerate(("ada", "bob"))))
    await scoring.drain_all()
    for lead_id in ("ada", "bob"):
        await stub.AdjustLeadScore(adjusting(lead_id=lead_id, request_id=lead_id, delta=1))
    await published(stub, model())
    tokens = [(await answers(stub, method, query))[0].next_page_token for method, query in LISTS]
    assert len(set(tokens)) == len(tokens), "each query must have its own page tokens"
    for (method, query), own in zip(LISTS, tokens, strict=True):
        [second] = await answers(stub, method, with_token(query, own))
        assert not second.next_page_token, f"{method} {query} must have exactly two pages"
        for token in {*tokens, "?", f"x{own}", own[:-4]} - {own}:
            found = await refused(stub, method, with_token(query, token))
            assert found == TOKEN_INVALID, f"{method} {query} with {token}"


async def test_a_token_with_an_invalid_cursor_is_rejected(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", lead, "signup", days_ago(1)) for n, lead in enumerate(("ada", "bob"))))
    await scoring.drain_all()
    query = ("ListLeadScores", "score", "", ANY_SCORE, "None")
    own = (await stub.ListLeadScores(listing(page_size=1))).next_page_token
    assert own == write_token(query, 20, "ada"), "this test must build tokens as the service does"
    for cursor in (("20", "ada"), (2**63, "ada"), (20, 20), (NOW, "ada"), (20,), (20, "ada", "ada"), ()):
        found = await refused(stub, "ListLeadScores", listing(page_size=1, page_token=write_token(query, *cursor)))
        assert found == TOKEN_INVALID, f"cursor {cursor}"


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
    assert (fields[0][:8], fields[-1]) == ("rules[0]", ""), "expected field paths; the last problem has none"
    assert descriptions(caught.value)[-1] == f"and {mistakes - len(fields) + 1} more"
