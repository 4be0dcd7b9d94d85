"""Reads the facts of many leads, in pieces that fit into memory."""

from collections.abc import AsyncGenerator, Iterator, Sequence

from scoring_service.domain.lead import Lead
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Adjustment
from scoring_service.store.facts import FactReader

PIECE_FACTS = 5_000
"""Largest number of facts that are in memory for several leads together."""

Recorded = Sequence[Event | Adjustment]
"""The facts of a lead, in no particular order."""


async def facts_in_pieces(
    fact_reader: FactReader, leads: Sequence[Lead]
) -> AsyncGenerator[Sequence[tuple[Lead, Recorded]], None]:
    """Yields leads with their facts: several that together have at most `PIECE_FACTS`, or one that has more."""
    for some in _together(leads):
        facts = await _facts_of(fact_reader, some)
        yield [(lead, facts.get(lead.lead_id, ())) for lead in some]


def _together(leads: Sequence[Lead]) -> Iterator[Sequence[Lead]]:
    some: list[Lead] = []
    facts = 0
    for lead in leads:
        facts += lead.state.fact_count
        if some and facts > PIECE_FACTS:
            yield some
            some, facts = [], lead.state.fact_count
        some.append(lead)
    if some:
        yield some


async def _facts_of(fact_reader: FactReader, leads: Sequence[Lead]) -> dict[str, list[Event | Adjustment]]:
    if len(leads) > 1:
        return await fact_reader.facts_of([lead.lead_id for lead in leads])
    return {lead.lead_id: [each async for piece in fact_reader.facts(lead.lead_id) for each in piece] for lead in leads}
