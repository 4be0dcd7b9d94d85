"""Lists and counts of leads follow an index: no query that a reader sends reads or sorts a whole collection."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from scoring_service.domain.lead_counts import CountQuery
from scoring_service.domain.lead_query import IdRange, LeadOrder, LeadQuery
from scoring_service.store.facts import FactReader
from scoring_service.store.lead_counts import PAGE_LEADS
from scoring_service.store.models import ModelStore
from scoring_service.store.reads import LeadReader
from scoring_service.usecases.queries import Queries
from tests.scoring.conftest import ENGINE, Scoring, days_ago
from tests.shared.commands import Commands, overheard

OF_THE_CONNECTION = ("lsid", "$clusterTime", "$db", "readConcern", "$readPreference")


@pytest.fixture
async def _leads(scoring: Scoring) -> None:
    await scoring.put(*((f"e{number}", f"lead{number}", "signup", days_ago(number / 10)) for number in range(100)))
    await scoring.drain_all()


async def plans(scoring: Scoring, commands: Commands) -> list[tuple[str, set[str]]]:
    """Returns the collection and the stages of the plan of each query that was sent."""
    found = []
    for name, sent in commands.sent:
        if name in ("find", "aggregate"):
            query = {key: value for key, value in sent.items() if key not in OF_THE_CONNECTION}
            explained = await scoring.database.command("explain", query, verbosity="queryPlanner")
            found.append((sent[name], set(stages(explained))))
    return found


def stages(plan: object) -> Iterator[str]:
    """Yields the stages of a plan, however deep they lie; rejected plans are left out."""
    if isinstance(plan, dict):
        if isinstance(plan.get("stage"), str):
            yield plan["stage"]
        for key, each in plan.items():
            if key != "rejectedPlans":
                yield from stages(each)
    elif isinstance(plan, list):
        for each in plan:
            yield from stages(each)


def queries_of(scoring: Scoring, reader: LeadReader) -> Queries:
    return Queries(reader, scoring.fact_reader, scoring.queries.calendar, scoring.clock)


PAGES: list[LeadQuery] = [
    LeadQuery(LeadOrder.SCORE, 10),
    LeadQuery(LeadOrder.SCORE, 10, after=(20, "lead50")),
    LeadQuery(LeadOrder.SCORE, 10, minimum_score=11, below_score=31, after=(20, "lead50")),
    LeadQuery(LeadOrder.LAST_EVENT_TIME, 10),
    LeadQuery(LeadOrder.LAST_EVENT_TIME, 10, after=(days_ago(5), "lead50")),
    LeadQuery(LeadOrder.LEAD_ID, 10, after=("lead50", "lead50")),
]


@pytest.mark.usefixtures("_leads")
@pytest.mark.parametrize("query", PAGES, ids=str)
async def test_a_page_is_read_from_an_index_in_its_order(scoring: Scoring, database_uri: str, query: LeadQuery) -> None:
    async with overheard(database_uri) as (database, commands):
        reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        assert len(await reader.list_leads(query)) == 10
    [(collection, used)] = await plans(scoring, commands)
    assert collection == "leads"
    assert "IXSCAN" in used
    assert used.isdisjoint({"COLLSCAN", "SORT"}), "expected neither a scan of all leads nor a sort"


@pytest.mark.usefixtures("_leads")
async def test_counts_read_no_rows_of_leads(scoring: Scoring, database_uri: str) -> None:
    query = CountQuery((0, 11, 31, 60), timedelta(days=1), timedelta(days=7), (1, 1, 3, 1))
    async with overheard(database_uri) as (database, commands):
        reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        _, groups = await queries_of(scoring, reader).counts(query)
    assert groups.total() == 100
    pages = [sent["batchSize"] for name, sent in commands.sent if name == "find"]
    assert pages == [PAGE_LEADS] * 3, "expected pages, not the 16 MiB at a time that the driver holds by default"
    for collection, used in await plans(scoring, commands):
        assert used.isdisjoint({"COLLSCAN", "FETCH", "SORT"}), f"expected {collection} to be counted in an index"


@pytest.mark.usefixtures("_leads")
async def test_a_page_of_a_verification_follows_indexes(scoring: Scoring, database_uri: str) -> None:
    async with overheard(database_uri) as (database, commands):
        reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        found = await reader.stored(IdRange("lead50"), 10, 1_000)
        await reader.events.scored([entry.event_id for each in found for entry in each.entries or ()])
        await reader.checkpoints_of([each.lead_id for each in found])
    assert len(found) == 10
    for collection, used in await plans(scoring, commands):
        assert used.isdisjoint({"COLLSCAN", "SORT"}), f"expected an index of {collection} to be used"


@pytest.mark.usefixtures("_leads")
async def test_numbers_are_compared_without_reading_entries(scoring: Scoring, database_uri: str) -> None:
    async with overheard(database_uri) as (database, commands):
        reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        leads = IdRange("lead50", await reader.end_of_range("lead50", 10))
        assert await reader.count_entries(leads) == await reader.sequences(leads)
        events = IdRange("e50", await reader.events.end_of_range("e50", 10))
        assert await reader.events.recorded([*await reader.events.leads_of_scored(events)]) == {
            *("e51", "e52", "e53", "e54", "e55", "e56", "e57", "e58", "e59", "e6")
        }
    for collection, used in await plans(scoring, commands):
        assert used.isdisjoint({"COLLSCAN", "SORT"}), f"expected an index of {collection} to be used"
        assert collection != "score_history" or "FETCH" not in used, "expected keys of an index to be enough"


@pytest.mark.usefixtures("_leads")
async def test_a_range_of_a_simulation_follows_indexes(scoring: Scoring, database_uri: str) -> None:
    async with overheard(database_uri) as (database, commands):
        reader = LeadReader(database, ModelStore(database, ENGINE), scoring.events)
        leads = IdRange("lead50", await reader.end_of_range("lead50", 10))
        found = [lead.lead_id for lead in await reader.leads_in(leads)]
        await FactReader(database, scoring.events.partitions).facts_of(found)
    assert found == [f"lead{number}" for number in (51, 52, 53, 54, 55, 56, 57, 58, 59, 6)], "as text, 6 follows 59"
    for collection, used in await plans(scoring, commands):
        assert used.isdisjoint({"COLLSCAN", "SORT"}), f"expected an index of {collection} to be used"
