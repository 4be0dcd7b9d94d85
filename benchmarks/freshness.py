"""Measures how soon an acknowledged event is visible, at two rates of single events."""

from collections.abc import Iterator

from benchmarks.harness import calls, reference
from benchmarks.harness.load import Load, load
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, at_most, percentile
from benchmarks.harness.running import Running

RATES = ((50, at_most(25)), (500, at_most(60)))
PERCENTILE_99 = at_most(250)
SECONDS = 8
PROBES_A_SECOND = 10
LEADS = 400
REFERENCE_RATE, REFERENCE_SECONDS = 40, 3
NOTE = (
    f"{PROBES_A_SECOND} of the events a second are observed, by a process of its own that reads their leads every "
    f"{calls.POLL_SECONDS * 1000:.0f} ms, so a time is too long by up to that and one read. The reference is one "
    "transaction of plain pymongo that scores one event"
)


def visible(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the time from acknowledgement until a read shows the score."""
    reference.prepare(running.mongo_uri)
    _round(running, options, RATES[0][0])
    for rate, goal in RATES:
        medians, plain, waits = list[float](), list[float](), list[float]()
        for number in range(1, options.rounds + 1):
            found = _round(running, options, rate)
            sent = _events(options, REFERENCE_RATE, REFERENCE_SECONDS)
            single = running.clients.run(reference.single_events, 1, running.mongo_uri, sent, REFERENCE_RATE)
            waits += found
            medians.append(percentile(found, 50) * 1000)
            plain.append(percentile(single[0].result.waits, 50) * 1000)
            say(f"visible at {rate} events/s, round {number}: {medians[-1]:.0f} ms, reference {plain[-1]:.0f} ms")
        name = f"acknowledged → visible, {rate} single events/s"
        note = NOTE if rate == RATES[0][0] else ""
        yield Figure(f"{name}, median", "ms", medians, "plain transaction", plain, goal, note)
        yield Figure(f"{name}, 99th percentile", "ms", [percentile(waits, 99) * 1000], goal=PERCENTILE_99)


def _round(running: Running, options: Options, rate: int) -> list[float]:
    running.settle()
    targets = running.targets["ingest"], running.targets["scoring"]
    others = rate - PROBES_A_SECOND
    sending = running.clients.start(calls.send_steadily, 1, running.targets["ingest"], _events(options, others), others)
    waits = running.clients.run(calls.probe, 1, targets, _events(options, PROBES_A_SECOND), PROBES_A_SECOND)
    sent = sending[0].result().result
    if sent < others * 0.9:
        say(f"only {sent:.0f} instead of {others} events/s were sent: the machine is too busy")
    return waits[0].result


def _events(options: Options, rate: int, seconds: int = SECONDS) -> Load:
    return load("visible", rate * options.sized(seconds), LEADS, "visible")
