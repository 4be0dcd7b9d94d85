"""`make bench SCALE=1`: fills a million leads and ten million events, and repeats what matters there. Takes hours."""

from collections.abc import Iterator

from benchmarks import cost, freshness, funnel, reads, throughput
from benchmarks.harness.load import load
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, share_of_reference
from benchmarks.harness.running import Running

LEADS = 1_000_000
EVENTS, FEW_EVENTS = 10_000_000, 100_000
POPULATION = "scale"
CHUNK = 200_000
"""Events that are sent before the benchmark waits until they are scored; less than what ingest refuses."""


def scale(running: Running, options: Options) -> Iterator[Figure]:
    """Measures throughput with few events stored and with ten million, and then everything else that matters."""
    _fill(running, options, FEW_EVENTS, throughput.MANY_LEADS)
    before = _pipeline(running, options)
    _fill(running, options, EVENTS, LEADS)
    after = _pipeline(running, options)
    plain = f"plain pymongo beside it: {before.reference_value:,.0f}, then {after.reference_value:,.0f} events/s"
    few, many = options.sized(FEW_EVENTS), options.sized(EVENTS)
    name, earlier = f"{after.name}, {many:,} events stored", f"with {few:,} stored"
    yield Figure(name, after.unit, after.values, earlier, before.values, share_of_reference(0.8), plain)
    yield after
    for part in (freshness.visible, reads.intelligence, reads.summary, cost.idle, cost.cpu, cost.memory, funnel.size):
        yield from part(running, options)


def _pipeline(running: Running, options: Options) -> Figure:
    return throughput.pipeline(running, options, throughput.MANY_LEADS, POPULATION, share_of_reference(0.65))


def _fill(running: Running, options: Options, events: int, leads: int) -> None:
    """Sends new events, evenly spread over the leads, until so many are stored."""
    goal = options.sized(events)
    while (stored := funnel.stored_events(running)) < goal:
        chunk = load("fill", min(CHUNK, goal - stored), options.sized(leads), POPULATION)
        seconds = throughput.until_scored(running, chunk)
        say(f"{stored + chunk.events:,} of {goal:,} events are stored, {chunk.events / seconds:,.0f} events/s")
