"""Lead ids get the same form in every request of every service, and a database keeps the form that it began with."""

import itertools
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadscore.automation.v1 import automation_pb2
from leadscore.ingest.v1 import ingest_pb2
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.scoring.v1 import scoring_pb2

from shared.lead_ids import STEPS, LeadIds
from shared.mongo import Database
from shared.settings import ServerSettings, StartupError, load

ALL = LeadIds(",".join(STEPS))
SUBSETS = [",".join(some) for count in range(4) for some in itertools.combinations(STEPS, count)]
SPELLINGS = [
    "josé@example.com",
    "Jos\u00c9@Example.com",
    " jose\u0301@example.com\u00a0",
    "\ufeffJOSE\u0301@EXAMPLE.COM\u200b\n",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_mailbox_is_one_lead(spelling: str) -> None:
    assert ALL.normal(spelling) == "josé@example.com"


@pytest.mark.parametrize("lead_id", ["Ada", "a b", "Ada@", "@Ada", "A@b@C", "Ada Lovelace@x", "zo\u200be", ""])
def test_ids_that_are_no_addresses_keep_their_case_and_their_middle(lead_id: str) -> None:
    assert ALL.normal(lead_id) == lead_id


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", " Jose\u0301@X.com "),
        ("trim", "Jose\u0301@X.com"),
        ("nfc", " José@X.com "),
        ("email", " Jose\u0301@X.com "),
        ("email,trim", "jose\u0301@x.com"),
    ],
)
def test_each_step_does_one_thing(steps: str, expected: str) -> None:
    assert LeadIds(steps).normal(" Jose\u0301@X.com ") == expected


def test_trim_removes_every_kind_of_blank() -> None:
    blanks = "".join(filter(str.isspace, map(chr, range(sys.maxunicode + 1))))
    assert LeadIds("trim").normal(f"{blanks}a b{blanks}") == "a b"
    assert LeadIds("trim").normal(blanks) == ""


@given(st.sampled_from(SUBSETS), st.text() | st.text("aǰJ\u030cİΣ@ \u0301\u200bKÅ"))
def test_the_form_of_a_form_is_itself(steps: str, lead_id: str) -> None:
    once = LeadIds(steps).normal(lead_id)
    assert LeadIds(steps).normal(once) == once


@given(st.text())
def test_ids_that_look_the_same_get_one_form(lead_id: str) -> None:
    other = f" {unicodedata.normalize('NFD', lead_id)}\u200b"
    assert LeadIds("trim,nfc").normal(other) == LeadIds("trim,nfc").normal(lead_id)


def test_ids_are_found_at_any_depth_of_a_request() -> None:
    batch = ingest_pb2.BatchIngestEventsRequest(
        events=[ingest_pb2.Event(event_id=" E ", lead_id=lead_id, source=" S ") for lead_id in SPELLINGS]
    )
    ALL.apply(batch)
    assert {event.lead_id for event in batch.events} == {"josé@example.com"}
    assert {(event.event_id, event.source) for event in batch.events} == {(" E ", " S ")}
    many = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=SPELLINGS)
    ALL.apply(many)
    assert set(many.lead_ids) == {"josé@example.com"}


@pytest.mark.parametrize(
    "request_type",
    [
        scoring_pb2.GetLeadScoreRequest,
        scoring_pb2.ListScoreHistoryRequest,
        scoring_pb2.AdjustLeadScoreRequest,
        scoring_pb2.RebuildLeadScoreRequest,
        intelligence_pb2.GetLeadIntelligenceRequest,
        automation_pb2.ListAutomationExecutionsRequest,
        automation_pb2.TestAutomationRuleRequest,
    ],
)
def test_every_service_takes_any_spelling(request_type: type) -> None:
    request = request_type(lead_id=SPELLINGS[-1])
    ALL.apply(request)
    assert request.lead_id == "josé@example.com"


def test_a_request_without_ids_stays_as_it_is() -> None:
    for request in (ingest_pb2.IngestEventRequest(), scoring_pb2.ListLeadScoresRequest(page_size=3)):
        before = request.SerializeToString()
        ALL.apply(request)
        assert request.SerializeToString() == before


async def test_a_database_keeps_the_form_that_it_was_created_with(database: Database) -> None:
    with pytest.raises(StartupError, match="run migrate of every service first"):
        await LeadIds("").check(database)
    await LeadIds("email,trim").record(database)
    await LeadIds("trim,email").check(database)
    await LeadIds("trim,email").record(database)
    for other in ("", "trim", "trim,nfc,email"):
        with pytest.raises(StartupError, match=r"set LEADSCORE_LEAD_IDS=trim,email, or move to"):
            await LeadIds(other).check(database)
        with pytest.raises(StartupError):
            await LeadIds(other).record(database)


@pytest.mark.parametrize("steps", ["lower", "trim nfc", "trim,", ",", "TRIM"])
def test_an_unknown_step_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, steps: str) -> None:
    monkeypatch.setenv("LEADSCORE_PORT", "1")
    monkeypatch.setenv("LEADSCORE_LEAD_IDS", steps)
    with pytest.raises(StartupError, match="LEADSCORE_LEAD_IDS"):
        load(ServerSettings)
