"""The scoring and the intelligence service behind our ports."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from leadscore.intelligence.v1 import intelligence_pb2, intelligence_pb2_grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from automation_service.domain.feasibility import Model, NextAction, Stage
from automation_service.domain.lead import Insight, Risk, Threshold
from automation_service.domain.need import BASICS, EVERYTHING, Need
from shared import wire
from shared.deadlines import deadline
from shared.rpc.errors import WorkTooLarge
from shared.tasks import unhurried

MAX_LEADS = 500
"""Leads that the intelligence service answers for in one call."""
MAX_ANSWER_BYTES = 1_048_576
"""Bytes of an answer, about; fewer leads are asked for when much is known of each."""
MAX_OVERRUN = 8
"""How many times as large an answer can be when leads are larger than those before."""
MAX_QUESTIONS = 4
"""Questions that are asked at the same time."""
ASK_SECONDS = 5.0
"""Longest time for the answer to one question."""
PROBE_SECONDS = 2.0
"""Longest time for the answer to the smallest question."""

_ALWAYS = ("lead_id", "score", "stage", "velocity", "risk", "next_action", "thresholds")
_RISKS = {intelligence_pb2.RISK_LOW: Risk.LOW, intelligence_pb2.RISK_HIGH: Risk.HIGH}
_MODEL_RISKS = {scoring_pb2.RISK_LOW: Risk.LOW, scoring_pb2.RISK_HIGH: Risk.HIGH}


class ScoringModels:
    """`Models` by the scoring service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)

    async def in_force(self) -> Model:
        """Returns the model that judges now; see `Models`."""
        return _model((await self._scoring.GetScoringModel(scoring_pb2.GetScoringModelRequest())).scoring_model)


class IntelligenceInsights:
    """`Insights` by the intelligence service.

    It is asked for few leads at a time when much is known of each, by a few questions at the same time, each with a
    deadline of its own.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._intelligence = intelligence_pb2_grpc.IntelligenceServiceStub(channel)
        self._lead_bytes: float = EVERYTHING.max_bytes

    async def of(self, lead_ids: Collection[str], need: Need) -> Mapping[str, Insight]:
        """Returns the insights into leads as of now; see `Insights`."""
        size = self._leads_of_a_question(need)
        left, slots = iter(lead_ids), asyncio.Semaphore(MAX_QUESTIONS)

        async def answer(some: Sequence[str]) -> Mapping[str, Insight]:
            async with slots:
                return await self._ask(some, need)

        questions = [asyncio.create_task(answer(some)) for some in iter(lambda: list(islice(left, size)), [])]
        try:
            return {lead_id: insight for each in await asyncio.gather(*questions) for lead_id, insight in each.items()}
        finally:
            for question in questions:
                question.cancel()

    async def _ask(self, lead_ids: Sequence[str], need: Need) -> Mapping[str, Insight]:
        try:
            with deadline(ASK_SECONDS):
                response = await self._intelligence.BatchGetLeadIntelligence(_request(lead_ids, need))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or not await self._answers(lead_ids[0]):
                raise
            raise WorkTooLarge(_too_large(lead_ids)) from error
        found = response.lead_intelligence
        if found and need != BASICS:
            self._lead_bytes = max(response.ByteSize() / len(found), self._lead_bytes / 2)
        return {each.lead_id: insight for each, insight in zip(found, await unhurried(_insight, found), strict=True)}

    def _leads_of_a_question(self, need: Need) -> int:
        """Returns for how many leads an answer has room if they are no more than twice as large as those before.

        Leads that are all at their limit make it at most `MAX_OVERRUN` times as large as it should be.
        """
        expected = min(need.max_bytes, max(2 * self._lead_bytes, need.max_bytes / MAX_OVERRUN))
        return max(1, min(MAX_LEADS, int(MAX_ANSWER_BYTES / expected)))

    async def _answers(self, lead_id: str) -> bool:
        """Tells whether the smallest question is answered: then a larger one that was not is too large."""
        request = intelligence_pb2.BatchGetLeadIntelligenceRequest(
            lead_ids=[lead_id], read_mask=FieldMask(paths=["score"])
        )
        try:
            with deadline(PROBE_SECONDS):
                await self._intelligence.BatchGetLeadIntelligence(request)
        except grpc.aio.AioRpcError:
            return False
        return True


def _request(lead_ids: Sequence[str], need: Need) -> intelligence_pb2.BatchGetLeadIntelligenceRequest:
    paths = list(_ALWAYS)
    if need.fit:
        paths.append("fit")
    if need.attributes is None or need.attributes:
        paths.append("attributes")
    return intelligence_pb2.BatchGetLeadIntelligenceRequest(
        lead_ids=lead_ids, read_mask=FieldMask(paths=paths), attribute_names=sorted(need.attributes or ())
    )


def _too_large(lead_ids: Sequence[str]) -> str:
    whom = f"lead {lead_ids[0][:40]!r}" if len(lead_ids) == 1 else f"{len(lead_ids)} leads"
    return (
        f"the intelligence service does not answer about {whom} within {ASK_SECONDS:g} s, although it answers smaller "
        "questions: let rules use fewer attributes, or retract events of the lead, then retry"
    )


def _insight(intelligence: intelligence_pb2.LeadIntelligence) -> Insight:
    return Insight(
        velocity=intelligence.velocity,
        risk=_RISKS[intelligence.risk],
        next_action=intelligence.next_action,
        score=intelligence.score,
        stage=intelligence.stage,
        attributes=wire.to_dict(intelligence.attributes),
        fit_grade=intelligence.fit.grade,
        why=tuple(Threshold(each.decided, each.outcome, each.explanation) for each in intelligence.thresholds),
    )


def _model(model: scoring_pb2.ScoringModel) -> Model:
    return Model(
        stages=tuple(Stage(each.stage, each.minimum_score) for each in model.stages),
        score_floor=model.score_floor,
        score_ceiling=model.score_ceiling,
        next_actions=tuple(
            NextAction(row.next_action, tuple(row.stages), row.minimum_velocity, _MODEL_RISKS.get(row.risk))
            for row in model.next_actions
        ),
        grace=model.decay.grace.ToTimedelta(),
        idle=model.risk.idle.ToTimedelta(),
    )
