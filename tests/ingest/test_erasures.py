"""Events of erased leads are refused, or their leads begin anew without the events that were erased."""

from datetime import timedelta

import pytest
from bson import Binary

from ingest_service.domain.erasure import EventErased, LeadBeingErased, LeadErased
from ingest_service.ports import PutResult
from ingest_service.store import ErasureReader, MongoEventStore
from ingest_service.usecases.erasures import ErasedLeads
from shared.contracts.erasures import ERASED_EVENTS, ERASURES, KEY_ROW, Digests, ErasureState
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.ingest.fakes import NOW, event

KEY = b"k" * 32
DIGESTS = Digests(KEY)


async def record(database: Database, state: ErasureState, seconds: int = 0) -> None:
    """Stores what the admin service stores of the erasure of ada."""
    await database["deployment"].update_one(KEY_ROW, {"$set": {"key": Binary(KEY)}}, upsert=True)
    row = {
        "lead": Binary(DIGESTS.of_lead("ada")),
        "state": state.value,
        "change_time": NOW + timedelta(seconds=seconds),
    }
    await database[ERASURES].update_one({"_id": Binary(DIGESTS.of_request("r1"))}, {"$set": row}, upsert=True)
    erased = {"_id": Binary(DIGESTS.of_event("old"))}
    await database[ERASED_EVENTS].update_one(erased, {"$set": erased}, upsert=True)


async def reading(database: Database, *, begins_anew: bool = False) -> ErasedLeads:
    erased = ErasedLeads(ErasureReader(database), begins_anew=begins_anew)
    await erased.refresh()
    return erased


async def test_a_database_without_erasures_refuses_nobody(database: Database) -> None:
    erased = await reading(database)
    assert erased.refusal("ada") is None
    assert await erased.resent([event("old")]) == set()


@pytest.mark.parametrize("state", list(ErasureState))
async def test_events_of_an_erased_lead_are_refused(database: Database, state: ErasureState) -> None:
    await record(database, state)
    erased = await reading(database)
    assert isinstance(erased.refusal("ada"), LeadErased)
    assert erased.refusal("bob") is None


async def test_a_lead_begins_anew_when_its_erasure_is_done(database: Database) -> None:
    erased = await reading(database, begins_anew=True)
    await record(database, ErasureState.ERASING)
    await erased.refresh()
    refusal = erased.refusal("ada")
    assert isinstance(refusal, LeadBeingErased)
    assert refusal.retry_seconds > 0
    await record(database, ErasureState.DONE, seconds=40)
    await erased.refresh()
    assert erased.refusal("ada") is None


async def test_an_event_that_was_erased_is_never_stored_again(database: Database) -> None:
    inbox = Inbox(database, CONTRACT, partitions=PARTITIONS)
    await inbox.migrate()
    await record(database, ErasureState.DONE)
    erased = await reading(database, begins_anew=True)
    store = MongoEventStore(inbox, lambda: NOW, resent=erased.resent)
    results = await store.put([event("new"), event("old"), event("other", lead_id="bob")])
    assert [type(result) for result in results] == [PutResult, EventErased, PutResult]
    assert {row["_id"] async for row in inbox.rows.find()} == {"new", "other"}


def test_no_message_names_anybody() -> None:
    assert not [error for error in (LeadErased(), EventErased(), LeadBeingErased()) if "ada" in str(error)]
