"""`make bench`: measures the system, prints a table, and writes `bench.json`. See docs/benchmarks.md.

`python -m benchmarks NAME …` measures only the named parts; without names, all that fit into ten minutes.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from benchmarks.harness import machine
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, table, to_json
from benchmarks.harness.running import running
from benchmarks.parts import ON_REQUEST, PLANNED_SECONDS, SEPARATE, SYSTEM_OF, SYSTEMS


@dataclass
class Run:
    """What has been measured so far."""

    options: Options
    figures: list[Figure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def measure(self, names: Iterable[str]) -> None:
        """Measures the named parts; parts of one system that follow each other share it."""
        for system, group in groupby(names, SYSTEM_OF.__getitem__):
            if not system:
                for name in group:
                    self._measure(name, SEPARATE[name](self.options))
                continue
            with tempfile.TemporaryDirectory(
                prefix="leadscore-bench-", dir=self.options.directory, ignore_cleanup_errors=True
            ) as directory:
                say(f"starting a system for {system}")
                with running(Path(directory)) as under_test:
                    for name in group:
                        self._measure(name, SYSTEMS[system][name](under_test, self.options))

    def _measure(self, name: str, figures: Iterator[Figure]) -> None:
        """Adds the figures of a part; one that fails does not end the run."""
        say(name)
        began = time.monotonic()
        try:
            for figure in figures:
                self.figures.append(figure)
        except Exception:  # noqa: BLE001 (the parts are independent)
            self.failed.append(name)
            traceback.print_exc()
        self.seconds[name] = round(time.monotonic() - began, 1)
        say(f"{name} took {self.seconds[name]:,.0f} s, {PLANNED_SECONDS[name]:,} s were planned")


def main() -> int:
    """Measures what the arguments name; returns the exit status, 1 if a part failed."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):  # or the processes that this one starts would be left running
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    names = [name for name in SYSTEM_OF if name in arguments.parts or not (arguments.parts or name in ON_REQUEST)]
    run = Run(Options(arguments.rounds, arguments.share, arguments.funnel, arguments.directory))
    facts = machine.describe(machine.busy_cores()) | {"rounds": arguments.rounds, "share": arguments.share}
    if not facts["quiet"]:
        say(f"others use {facts['other_load_cores']} cores of this machine: compare ratios only, and run it again")
    run.measure(names)
    facts |= {
        "other_load_cores_at_end": round(machine.busy_cores(), 2),
        "planned_seconds": {name: PLANNED_SECONDS[name] for name in names},
        "seconds": run.seconds,
        "failed": run.failed,
    }
    arguments.json.write_text(json.dumps(to_json(run.figures, facts), indent=2, ensure_ascii=False) + "\n")
    print(table(run.figures))
    print(f"every round: {arguments.json}" + (f"; failed: {', '.join(run.failed)}" if run.failed else ""))
    return bool(run.failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures leadscore beside a reference.")
    on_request = ", ".join(name for name in SYSTEM_OF if name in ON_REQUEST)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="NAME",
        help=f"{', '.join(SYSTEM_OF)}; by default all but {on_request}",
    )
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where to write all rounds")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each figure; the table has the median")
    parser.add_argument("--share", type=float, default=1.0, help="less than 1 for a quick try that measures nothing")
    parser.add_argument("--funnel", type=Path, help="events for the funnel, as JSON Lines (.gz); default: made up")
    parser.add_argument("--directory", type=Path, help="where to put the databases; default: with temporary files")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in SYSTEM_OF]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(SYSTEM_OF)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
