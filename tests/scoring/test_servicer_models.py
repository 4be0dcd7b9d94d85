"""Models over gRPC: stored, published and simulated, over a real database."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.timeline import Publication
from scoring_service.store.models import ModelStore
from shared import wire
from tests.scoring.conftest import DAY, NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import (
    FIT,
    WHOLE,
    Stub,
    answers,
    at,
    content,
    created,
    model,
    pages,
    published,
    publishing,
    span,
    worth,
)


async def test_a_model_comes_back_as_it_was_sent(scoring: Scoring, stub: Stub) -> None:
    sent = pb.ScoringModel(version=99, state=pb.MODEL_STATE_IN_FORCE, create_time=at(days_ago(9)))
    sent.MergeFrom(WHOLE)
    stored = await created(stub, sent)
    assert (stored.version, stored.state) == (2, pb.MODEL_STATE_DRAFT), "the service must assign version and state"
    assert wire.to_time(stored.create_time) == NOW
    assert content(stored) == WHOLE
    assert (await stub.GetScoringModel(pb.GetScoringModelRequest(version=2))).scoring_model == stored


async def test_validating_a_model_stores_nothing(scoring: Scoring, stub: Stub) -> None:
    request = pb.CreateScoringModelRequest(scoring_model=WHOLE, validate_only=True)
    answer = (await stub.CreateScoringModel(request)).scoring_model
    assert (answer.version, content(answer)) == (0, WHOLE)
    assert not answer.HasField("create_time"), "nothing is stored, so there is no create time"
    assert len((await stub.ListScoringModels(pb.ListScoringModelsRequest())).scoring_models) == 1
    assert (await created(stub, WHOLE)).version == 2, "a validation must not use up a version"


async def test_models_are_listed_newest_first_with_their_states(scoring: Scoring, stub: Stub) -> None:
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
        assert len(found) == -(-4 // (size or 4)), f"pages of {size}: the last page must not be empty"
    for each in listed:
        got = await stub.GetScoringModel(pb.GetScoringModelRequest(version=each.version))
        assert got.scoring_model == each, "a list shows what GetScoringModel shows"
    assert (await stub.GetScoringModel(pb.GetScoringModelRequest())).scoring_model == listed[1], (
        "version 0 means the one in force"
    )
    assert content(listed[3]) == model(), "version 1 is the built-in model"

    await stub.PublishScoringModel(publishing(version=2, base_version=3))
    again = (await stub.ListScoringModels(pb.ListScoringModelsRequest())).scoring_models
    assert [each.state for each in again[1:3]] == [pb.MODEL_STATE_RETIRED, pb.MODEL_STATE_IN_FORCE]


async def test_a_page_of_models_reads_the_publications_once(
    scoring: Scoring, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for points in (25, 30, 35):
        await created(stub, worth(points))
    publications, reads = ModelStore.publications, 0

    async def counted(self: ModelStore) -> list[Publication]:
        nonlocal reads
        reads += 1
        return await publications(self)

    monkeypatch.setattr(ModelStore, "publications", counted)
    await stub.ListScoringModels(pb.ListScoringModelsRequest())
    assert reads == 1, "the page must take one read, not one per model"


async def test_publications_are_listed_newest_first_with_the_leads_left(scoring: Scoring, stub: Stub) -> None:
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
        assert len(found) == -(-2 // (size or 2)), f"pages of {size}: the last page must not be empty"
    scoring.now = NOW + DAY
    forward = await published(stub, worth(30), pb.PUBLICATION_MODE_FORWARD)
    assert (forward.mode, forward.leads_left) == (pb.PUBLICATION_MODE_FORWARD, 3)
    assert await scoring.rollout.step() == 0, "a FORWARD publication must not refold recorded events"


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


async def test_scores_at_the_landmark_are_judged(scoring: Scoring, stub: Stub) -> None:
    await seed_conversions(scoring)

    async def judged(event_type: str, *landmarks: Duration) -> list[pb.Judgement]:
        request = pb.SimulateScoringModelRequest(
            draft=worth(40), conversion_event_types=[event_type], landmarks=landmarks
        )
        return list((await answers(stub, "SimulateScoringModel", request))[-1].summary.judgements)

    [week] = await judged("contract_signed")
    assert week.landmark == span(days=7), "the default is 7 days"
    assert (week.decided_before_count, week.censored_count, week.HasField("comparison")) == (0, 0, False)
    for ranking, stage in ((week.before, "warm"), (week.after, "hot")):
        assert (ranking.lead_count, ranking.converted_count) == (3, 1)
        assert ranking.auc == 0.75, "bob ranks above cyd and level with ada"
        assert not ranking.HasField("auc_low"), "one converted lead has no interval"
        assert ranking.average_precision == 0.5
        assert [each.name for each in ranking.stages] == ["cold", "warm", "hot", "qualified"]
        rates = [each for each in ranking.stages if each.lead_count]
        assert rates == [
            pb.ConversionRate(name="cold", lead_count=1),
            pb.ConversionRate(name=stage, lead_count=2, converted_count=1, rate=0.5, lift=1.5),
        ]
        assert [each.name for each in ranking.deciles] == [str(decile) for decile in range(1, 11)]
        assert sum(each.lead_count for each in ranking.deciles) == pytest.approx(3)
        assert ranking.deciles[0].rate == 0.5
    same, late = await judged("contract_signed", span(days=7), span(days=9.5))
    assert same == week
    assert (late.decided_before_count, late.after.lead_count, late.censored_count) == (1, 0, 2), (
        "nothing is known of what happened after the last event"
    )
    assert not late.after.HasField("auc")
    [never] = await judged("never")
    assert (never.after.lead_count, never.after.converted_count, never.after.HasField("auc")) == (3, 0, False)


async def test_outcomes_are_limited_by_losses_a_horizon_and_a_split(scoring: Scoring, stub: Stub) -> None:
    await seed_conversions(scoring)

    async def counted(**options: Any) -> tuple[int, int, int, int]:
        request = pb.SimulateScoringModelRequest(version=1, conversion_event_types=["contract_signed"], **options)
        summary = (await answers(stub, "SimulateScoringModel", request))[-1].summary
        [judgement] = summary.judgements
        ranking = judgement.after
        return ranking.lead_count, ranking.converted_count, judgement.censored_count, summary.began_before_count

    assert await counted(lost_event_types=["unsubscribe"]) == (1, 1, 2, 0)
    assert await counted(horizon=span(days=1)) == (3, 0, 0, 0)
    assert await counted(horizon=span(days=3)) == (1, 1, 2, 0)
    assert await counted(train_before=wire.to_timestamp(NOW)) == (0, 0, 0, 3)
