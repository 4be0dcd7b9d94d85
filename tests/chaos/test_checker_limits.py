"""What the checker tolerates, what it refuses to judge, and that it shares no code with the services."""

import ast
import copy

import pytest

from chaos import rows
from chaos.checker import Unsupported
from chaos.corruptions.automation import a_change_is_parked, an_execution_is_pending
from chaos.corruptions.events import an_unscored_event_is_marked_scored
from chaos.corruptions.snapshot import Snapshot
from shared import mongo
from tests.chaos.checking import checking, invariants
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("pretend_indexes")

CHECKER = (
    *("checker", "conditions", "firing", "history", "journal"),
    *("outside", "payload", "replay", "rows", "stuck", "violation", "waiting"),
)


async def test_rows_parked_on_purpose_are_no_violation(uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    an_unscored_event_is_marked_scored(altered)
    altered.of("events", _id="unscored")["state"] = "parked"
    altered.journal.parked = {"unscored", a_change_is_parked(altered).strip("'")}
    async with checking(uri, correct, altered) as checker:
        assert await checker.quiesced() == []


async def test_only_rows_discarded_on_purpose_are_no_violation(uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    an_unscored_event_is_marked_scored(altered)
    altered.of("events", _id="unscored")["state"] = "discarded"
    change = a_change_is_parked(altered).strip("'")
    altered.of("score_changes", state="parked")["state"] = "discarded"
    altered.journal.discarded = {"unscored", change}
    async with checking(uri, correct, altered) as checker:
        assert await checker.quiesced() == []
    altered.journal.discarded = set()
    async with checking(uri, correct, altered) as checker:
        found = await checker.quiesced()
    assert {"I3", "I13"} <= invariants(found)
    assert {each.what for each in found if each.invariant == "I13"} == {
        "event 'unscored' is discarded, unexpectedly",
        f"change {change!r} is discarded, unexpectedly",
    }


async def test_without_a_live_receiver_executions_may_be_pending(uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    an_execution_is_pending(altered)
    altered.journal.requests.clear()
    async with checking(uri, correct, altered, is_live=False) as checker:
        assert await checker.quiesced() == []


async def test_an_open_transaction_is_found(uri: str, correct: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "OLD_MICROSECONDS", 0)
    async with checking(uri, correct, correct) as checker:
        other = await mongo.connect(uri)
        async with other.client.start_session() as session, await session.start_transaction():
            await other["events"].find_one({}, session=session)
            assert invariants(await checker.quiesced()) == {"I13"}
        await other.client.close()


@pytest.mark.parametrize("part", ["trigger", "conditions", "cool_down_days"])
async def test_the_checker_refuses_rules_that_it_does_not_know(part: str, uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    other = {"trigger": {"kind": "inactive", "days": 3}, "conditions": {"risk": "low"}, "cool_down_days": 7}
    altered.of("automation_rules", _id="entered")[part] = other[part]
    async with checking(uri, correct, altered) as checker:
        with pytest.raises(Unsupported, match="entered"):
            await checker.quiesced()


async def test_the_checker_refuses_models_that_it_does_not_know(uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    altered.of("scoring_models", _id=2)["model"]["rules"][0]["expires"] = "7d"
    async with checking(uri, correct, altered) as checker:
        with pytest.raises(Unsupported, match="a rule with expires"):
            await checker.quiesced()


async def test_at_most_20_violations_of_an_invariant_are_reported(uri: str, correct: Snapshot) -> None:
    altered = copy.deepcopy(correct)
    altered.journal.sent.clear()
    altered.journal.acknowledged.clear()
    async with checking(uri, correct, altered) as checker:
        assert [each.invariant for each in await checker.quiesced()] == ["I2"] * 20


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    for name in CHECKER:
        tree = ast.parse((ROOT / f"chaos/{name}.py").read_text())
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        for module in imported:
            assert not module.startswith(("scoring_service", "automation_service", "ingest_service"))
            assert not module.startswith(("intelligence_service", "cli"))
            assert module.startswith(("leadscore.", "chaos")) or module.split(".")[0] not in ("shared", "tests")
