"""Measures the throughput of the peer with one process and with several."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure
from benchmarks.peer.postgres import postgres

EVENTS, LEADS = 3_000, 1_000
"""Per round, shared by the processes."""
PROCESSES = (1, 4)
SCORER = Path(__file__).with_name("scorer.py")
NOTE = "one transaction an event, no batches; it looks for no duplicates and no late events, and has no decay"


def measure(options: Options) -> Iterator[Figure]:
    """Yields events/s with one process and with four."""
    events, leads = options.sized(EVENTS), options.sized(LEADS)
    with postgres(options) as server:
        _round(server, 1, options.sized(100), leads)  # installs the library and creates its tables
        server = {**server, "CREATE_TABLE": "no"}  # processes that look for the tables together fail
        for count in PROCESSES:
            rates = []
            for number in range(1, options.rounds + 1):
                rates.append(_round(server, count, events, leads))
                say(f"peer with {count} processes, round {number}: {rates[-1]:,.0f} events/s")
            name = f"peer: `eventsourcing` on PostgreSQL, {count} process{'es' if count > 1 else ''}"
            yield Figure(name, "events/s", rates, note=NOTE)


def _round(server: Mapping[str, str], count: int, events: int, leads: int) -> float:
    """Returns events/s of processes that start together and have leads of their own."""
    share, run = max(1, events // count), uuid.uuid4().hex[:8]
    scorers = [_start(server, f"{run}-{number}", share, max(1, leads // count)) for number in range(count)]
    for each in scorers:
        _line(each)
    for each in scorers:
        assert each.stdin  # noqa: S101 (it is a pipe)
        each.stdin.write("go\n")
        each.stdin.flush()
    seconds = [float(_line(each)) for each in scorers]
    for each in scorers:
        each.communicate()
    return share * count / max(seconds)


def _start(server: Mapping[str, str], name: str, events: int, leads: int) -> "subprocess.Popen[str]":
    uv = str(Path(sys.executable).with_name("uv"))
    scorer = [str(SCORER), name, str(events), str(leads)]
    command, pipe = [uv, "run", "--quiet", "--no-project", "--script", *scorer], subprocess.PIPE
    return subprocess.Popen(command, env=os.environ | server, stdin=pipe, stdout=pipe, text=True)


def _line(scorer: "subprocess.Popen[str]") -> str:
    assert scorer.stdout  # noqa: S101 (it is a pipe)
    line = scorer.stdout.readline()
    if not line:
        raise RuntimeError("the program of the peer ended; its error is above")
    return line
