"""Measures what the system costs: CPU at rest and at 50 single events a second, and resident memory after the load."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from benchmarks.harness import calls, processes, reference
from benchmarks.harness.clients import Ran
from benchmarks.harness.load import Load, load
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, at_most, number
from benchmarks.harness.running import Running

IDLE_SECONDS = 10
RATE = 50
SECONDS = 10
REFERENCE_SECONDS = 5
LEADS = 400
MAX_IDLE_PERCENT = at_most(3)
MAX_CORES = at_most(0.30)
MAX_MEGABYTES = at_most(110)
AFTERGLOW_SECONDS = 1.0
"""Time for the last events to be scored and evaluated."""
DATABASES = processes.DATABASES

T = TypeVar("T")


def idle(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the CPU of a system that has nothing to do, in percent of one core."""
    used = _cores_at_rest(running, options)
    percent = {kind: cores * 100 for kind, cores in used.items()}
    databases = sum(percent.get(kind, 0.0) for kind in DATABASES)
    yield Figure(
        "CPU of all processes, idle",
        "% of a core",
        [sum(percent.values())],
        "MongoDB and Redis",
        [databases],
        MAX_IDLE_PERCENT,
        _by_kind(percent),
    )


def cpu(running: Running, options: Options) -> Iterator[Figure]:
    """Measures the CPU of all processes, without the client, at a steady rate of single events."""
    reference.prepare(running.mongo_uri)
    ours, plain, kinds = list[float](), list[float](), dict[str, list[float]]()
    at_rest = _cores_at_rest(running, options)
    for each in range(1, options.rounds + 1):
        used = _ours(running, options, at_rest)
        ours.append(sum(used.values()))
        plain.append(_plain(running, options, at_rest))
        for kind, cores in used.items():
            kinds.setdefault(kind, []).append(cores)
        say(f"CPU at {RATE} events/s, round {each}: {ours[-1]:.3f} cores, reference {plain[-1]:.3f}")
    millis = {kind: sum(values) / len(values) / RATE * 1000 for kind, values in kinds.items()}
    name = f"CPU of all processes, {RATE} single events/s"
    note = f"in ms of CPU an event: {_by_kind(millis)}"
    yield Figure(name, "cores", ours, reference.NAME, plain, MAX_CORES, note)


def memory(running: Running, _: Options) -> Iterator[Figure]:
    """Measures the resident memory of the services and workers while the parts before it ran on this system.

    It is sampled every second. If it is flat, its peak is hardly higher than the peak of the first half of that time.
    """
    peaks, early = running.memory.largest(), running.memory.largest_in_first_half()
    others = {kind: peaks.pop(kind) for kind in (*DATABASES, "supervisor") if kind in peaks}
    for kind in sorted(peaks):
        references = [early[kind]] if kind in early else []
        name = f"resident memory, {kind}, largest sample"
        yield Figure(name, "MB", [peaks[kind]], "in the first half", references, MAX_MEGABYTES)
    say(f"resident memory in MB: {_by_kind(others)}")


def _cores_at_rest(running: Running, options: Options) -> Mapping[str, float]:
    running.settle()
    began = processes.cpu_time()
    time.sleep(options.sized(IDLE_SECONDS))
    return processes.cpu_time().cores_since(began)


def _ours(running: Running, options: Options, at_rest: Mapping[str, float]) -> Mapping[str, float]:
    """Returns the cores that each kind of process uses while events are sent."""
    sent, target = _events(options.sized(SECONDS)), running.targets["ingest"]
    cores, _ = _cores_while(running, at_rest, lambda: running.clients.run(calls.send_steadily, 1, target, sent, RATE))
    return {kind: used + at_rest.get(kind, 0.0) for kind, used in cores.items()}


def _plain(running: Running, options: Options, at_rest: Mapping[str, float]) -> float:
    """Returns the cores that plain pymongo and mongod use, without what mongod does for the system at rest."""
    sent = _events(options.sized(REFERENCE_SECONDS))
    cores, ran = _cores_while(
        running, at_rest, lambda: running.clients.run(reference.single_events, 1, running.mongo_uri, sent, RATE)
    )
    return cores["mongod"] + ran.result.cpu_seconds / (ran.ended - ran.began)


def _cores_while(
    running: Running, at_rest: Mapping[str, float], run: Callable[[], Sequence[Ran[T]]]
) -> tuple[Mapping[str, float], Ran[T]]:
    """Returns the cores that each kind of process uses above its rest while one client runs, and the client's result.

    The client starts and stops within the time that is observed, so the CPU at rest is subtracted for all of it.
    """
    running.settle()
    before = processes.cpu_time()
    ran = run()[0]
    time.sleep(AFTERGLOW_SECONDS)
    cores = processes.cpu_time().cores_since(before)
    stretched = (time.monotonic() - before.clock) / (ran.ended - ran.began)
    return {kind: (used - at_rest.get(kind, 0.0)) * stretched for kind, used in cores.items()}, ran


def _events(seconds: int) -> Load:
    return load("cpu", RATE * seconds, LEADS, "cpu")


def _by_kind(values: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {number(values[kind])}" for kind in sorted(values, key=lambda kind: -values[kind]))
