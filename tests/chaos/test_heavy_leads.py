"""The heaviest events of the rounds are within the limits of ingest, with little left."""

from datetime import UTC, datetime

from chaos.faults.heavy_leads import FAT_PROPERTIES
from ingest_service.domain.event import Event, checked
from ingest_service.domain.properties import MAX_BYTES

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_ingest_accepts_the_largest_attributes_of_the_rounds() -> None:
    event = checked(Event("1", "ada", "identify", NOW, FAT_PROPERTIES, ""), NOW)
    assert event.shortening is None
    text = sum(len(name) + sum(map(len, values)) for name, values in FAT_PROPERTIES.items())
    assert text > 0.95 * MAX_BYTES
