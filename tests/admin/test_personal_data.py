"""Every field that the services write has a class, so that an erasure knows what to do with it."""

import pytest

from admin_service.domain.personal_data import COLLECTIONS, OTHERS, Class, erased, unclassified
from admin_service.domain.pseudonyms import NewIds, new_pseudonym
from automation_service.domain.execution import Key
from shared.contracts.events import PAYLOAD
from shared.mongo import Database
from shared.partitions import Partitions
from tests.admin.erasing import new_world
from tests.contracts.documents import examples
from tests.contracts.test_events import ROW


async def test_every_field_that_is_written_has_a_class(database: Database) -> None:
    world = await new_world(database)
    await world.live()
    await world.privacy.erasing.erase("bystander-1", "r1", "Charles")
    found = await world.everything()
    assert set(found) <= {*COLLECTIONS, *OTHERS}
    for name, rows in found.items():
        fields = {**COLLECTIONS, **OTHERS}[name]
        without = {path for row in rows for path in unclassified(row, fields)}
        assert not without, f"give these fields of {name} a class in personal_data.py: {without}"


@pytest.mark.parametrize("name", ["events", "score_changes"])
def test_every_field_of_a_contract_has_a_class(name: str) -> None:
    for document in [*examples(name).values(), ROW.to_document()][: 2 if name == "events" else 1]:
        assert not unclassified(document, COLLECTIONS[name])


def test_a_field_without_a_class_is_found_and_removed() -> None:
    fields = {"a.b": Class.KEPT, "c": Class.EMPTIED, "d": Class.LEAD}
    document = {"a": [{"b": 1, "x": 2}], "c": ["text"], "d": "ada", "e": "new"}
    assert unclassified(document, fields) == {"a.x", "e"}
    assert erased(document, fields, lambda *_: "pseudonym") == {"a": [{"b": 1}], "c": [], "d": "pseudonym"}


def test_an_execution_gets_the_id_that_automation_would_give_it() -> None:
    ids = NewIds("erased-1", lambda text: text.encode())
    for event_id in ("", "e1"):
        row = {"lead_id": "ada", "rule_id": "r", "date_bucket": "2026-03-20", "event_id": event_id}
        new = Key("erased-1", "r", "2026-03-20", ids.of_fact(event_id) if event_id else "")
        assert ids.of_execution(row) == new.execution_id


def test_a_pseudonym_is_in_the_partition_of_its_lead() -> None:
    partitions = Partitions(64)
    pseudonyms = {new_pseudonym("ada", 64) for _ in range(5)}
    assert len(pseudonyms) == 5
    assert {partitions.of(each) for each in pseudonyms} == {partitions.of("ada")}


def test_the_payload_of_an_event_is_classified() -> None:
    assert {COLLECTIONS["events"][name] for name in PAYLOAD} >= {Class.LEAD, Class.REMOVED, Class.EMPTIED}
