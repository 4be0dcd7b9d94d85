"""Checks that nothing is left of erased leads but their numbers (I18), and that their erasures are done (I13)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from chaos.journal import Journal, Request
from chaos.rows import Document, Rows
from chaos.violation import Violation


def numbers(rows: Rows, erased: Mapping[str, int]) -> Iterator[Violation]:
    """Yields erasures that are not done, and entries that are lost; `erased` has the number of entries by lead."""
    for each in rows.erasures:
        if each["state"] != "done":
            yield Violation("I13", f"erasure {bytes(each['_id']).hex()!r} is not done")
    kept = sum(len(rows.leads[each].entries) for each in rows.pseudonyms if each in rows.leads)
    if kept < sum(erased.values()):
        yield Violation("I18", f"erased leads had {sum(erased.values())} entries, but {kept} are left of them")


def traces(documents: Iterable[tuple[str, Document]], journal: Journal) -> Iterator[Violation]:
    """Yields documents in which an erased lead or one of its events is named; `documents` have their collections."""
    events = {event_id for event_id, event in journal.sent.items() if event.lead_id in journal.erased}
    for collection, document in documents:
        found = list(_texts(document))
        together = "\n".join(found)
        named = [each for each in journal.erased if each in together] or sorted(events.intersection(found))
        if named:
            yield Violation("I18", f"{collection} {document['_id']!r} names {named[0]!r}, which was erased")


def about_others(requests: Sequence[Request], erased: Collection[str]) -> list[Request]:
    """Returns the requests that were not about an erased lead."""
    return [each for each in requests if not any(lead_id.encode() in each.body for lead_id in erased)]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode(errors="replace")
        case dict():
            for key, each in value.items():
                yield key
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
