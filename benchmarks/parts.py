"""The parts of the benchmark: on which system each is measured, and the seconds that are planned for it."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks import (
    automations,
    cost,
    files,
    flood,
    freshness,
    funnel,
    heavy,
    http,
    ingest,
    model,
    overload,
    reads,
    scale,
    stored_bytes,
    throughput,
)
from benchmarks.harness.options import Options
from benchmarks.harness.report import Figure
from benchmarks.harness.running import Running
from benchmarks.peer import measure as peer

SYSTEMS: Mapping[str, Mapping[str, Callable[[Running, Options], Iterator[Figure]]]] = {
    "traffic": {
        "idle": cost.idle,
        "end-to-end": throughput.end_to_end,
        "end-to-end-wide": throughput.end_to_end_wide,
        "durable": ingest.durable_batches,
        "single": ingest.single_calls,
        "http": http.single_requests,
        "flood": flood.right_keys,
        "visible": freshness.visible,
        "cpu": cost.cpu,
        "reads": reads.intelligence,
        "summary": reads.summary,
        "memory": cost.memory,
        "import": files.imports,
        "export": files.exports,
    },
    "funnel": {
        "funnel": funnel.shuffled,
        "size": funnel.size,
        "bytes": stored_bytes.collections,
        "judge": model.judge,
        "simulate": model.simulate,
        "rescore": model.rescore,
    },
    "scale": {"scale": scale.scale},
}
"""The parts that share a system, one after the other."""
SEPARATE: Mapping[str, Callable[[Options], Iterator[Figure]]] = {
    "heavy": heavy.quick,
    "heavy-long": heavy.long,
    "overload": overload.measure,
    "automations": automations.measure,
    "peer": peer.measure,
}
"""The parts that start systems of their own."""
SYSTEM_OF = {name: system for system, parts in SYSTEMS.items() for name in parts} | dict.fromkeys(SEPARATE, "")
ON_REQUEST = {"http", "flood", "import", "export", "heavy-long", "overload", "automations", "peer", "scale"}
"""The parts that do not fit into ten minutes with the others."""

LIMIT_SECONDS = 600
"""The default parts end within this time on two quiet cores."""
START_SECONDS = 12
"""To look at the load of the machine, or to start a system that parts share."""
PLANNED_SECONDS: Mapping[str, int] = {
    "idle": 11,
    "end-to-end": 28,
    "end-to-end-wide": 50,
    "durable": 15,
    "single": 45,
    "http": 30,
    "flood": 75,
    "visible": 78,
    "cpu": 70,
    "reads": 25,
    "summary": 4,
    "memory": 1,
    "import": 60,
    "export": 15,
    "funnel": 85,
    "size": 3,
    "bytes": 3,
    "judge": 1,
    "simulate": 28,
    "rescore": 30,
    "heavy": 25,
    "heavy-long": 130,
    "overload": 100,
    "automations": 120,
    "peer": 50,
    "scale": 2_000,
}
"""How long each part takes on two quiet cores with three rounds, without the start of its system."""


def planned_seconds() -> int:
    """Returns how long the default parts take on two quiet cores, with their systems."""
    names = [name for name in SYSTEM_OF if name not in ON_REQUEST]
    systems = {SYSTEM_OF[name] for name in names} - {""}
    return sum(map(PLANNED_SECONDS.__getitem__, names)) + START_SECONDS * (1 + len(systems))
