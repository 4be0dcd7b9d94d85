"""The contracts of the ports to other services, run against the fakes and against real servers."""

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import replace

import grpc
import pytest
from leadscore.intelligence.v1 import intelligence_pb2_grpc

from automation_service.clients import IntelligenceInsights, ScoringModels
from automation_service.domain.need import BASICS, EVERYTHING, Need
from automation_service.ports import Insights, Models
from cli.local.embedded import free_port
from intelligence_service.domain.insight import LeadFacts
from intelligence_service.servicer import ERRORS, IntelligenceServicer
from intelligence_service.watchers import Watchers
from shared.mongo import Database
from shared.rpc.channels import connect
from shared.rpc.errors import is_transient
from shared.settings import CallerSettings, load
from testkit.serving import served
from tests.automation.fakes import INSIGHT, MODEL, AbsentInsights, FakeInsights, FakeModels
from tests.intelligence.fakes import FakeLeadChanges, FakeScores, facts
from tests.intelligence.watching import intelligence
from tests.scoring.conftest import new_scoring, served_scoring


@contextlib.asynccontextmanager
async def served_intelligence(*leads: LeadFacts) -> AsyncIterator[grpc.aio.Channel]:
    """Serves the intelligence of some leads."""
    known = intelligence(FakeScores(*leads))
    servicer = IntelligenceServicer(known, Watchers(FakeLeadChanges(), known))
    async with served(
        ERRORS,
        lambda server: intelligence_pb2_grpc.add_IntelligenceServiceServicer_to_server(servicer, server),
    ) as channel:
        yield channel


@pytest.fixture(params=["fake", "service"])
async def insights(request: pytest.FixtureRequest) -> AsyncIterator[Insights]:
    """The insights of `ada` and `bob`, who have the attributes `company` and `seats`."""
    leads = facts("ada", recent=3), facts("bob", recent=3)
    if request.param == "fake":
        yield FakeInsights(replace(INSIGHT, attributes=leads[0].attributes), unknown=["nobody"])
        return
    async with served_intelligence(*leads) as channel:
        yield IntelligenceInsights(channel)


async def test_insights_leave_out_leads_without_a_score(insights: Insights) -> None:
    found = await insights.of(["ada", "nobody", "bob"], BASICS)
    assert {lead_id: replace(insight, why=()) for lead_id, insight in found.items()} == {"ada": INSIGHT, "bob": INSIGHT}
    assert await insights.of([], BASICS) == {}


@pytest.mark.parametrize(
    ("need", "attributes"),
    [
        (BASICS, set()),
        (Need(attributes=frozenset({"seats"})), {"seats"}),
        (Need(attributes=frozenset({"unknown"})), set()),
        (EVERYTHING, {"company", "seats"}),
    ],
)
async def test_insights_hold_the_attributes_that_are_needed(
    insights: Insights, need: Need, attributes: Collection[str]
) -> None:
    found = (await insights.of(["ada"], need))["ada"].attributes
    assert found == {name: value for name, value in facts().attributes.items() if name in attributes}


@pytest.fixture(params=["fake", "service"])
async def absent_insights(request: pytest.FixtureRequest) -> AsyncIterator[Insights]:
    if request.param == "fake":
        yield AbsentInsights()
        return
    async with connect(f"127.0.0.1:{free_port()}", load(CallerSettings)) as channel:
        yield IntelligenceInsights(channel)


async def test_a_service_that_is_absent_is_a_transient_error(absent_insights: Insights) -> None:
    with pytest.raises((TimeoutError, grpc.aio.AioRpcError)) as caught:
        await absent_insights.of(["ada"], BASICS)
    assert is_transient(caught.value)


@pytest.fixture(params=["fake", "service"])
async def models(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Models]:
    if request.param == "fake":
        yield FakeModels()
        return
    async with served_scoring(await new_scoring(database)) as channel:
        yield ScoringModels(channel)


async def test_the_built_in_model_is_in_force_at_first(models: Models) -> None:
    assert await models.in_force() == MODEL
