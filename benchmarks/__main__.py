"""`make bench`: measures the system, prints a table, and writes `bench.json`. See docs/benchmarks.md.

`python -m benchmarks NAME …` measures only the named parts; without names, all that fit into ten minutes.
"""

import argparse
import json
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from benchmarks import cost, freshness, throughput
from benchmarks.harness import machine
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, table, to_json
from benchmarks.harness.running import Running, running


class Part(NamedTuple):
    """Figures that are measured together on a running system; parts with the same `system` share one."""

    system: str
    measure: Callable[[Running, Options], Iterator[Figure]]
    by_default: bool = True


PARTS: Mapping[str, Part] = {
    "idle": Part("traffic", cost.idle),
    "end-to-end": Part("traffic", throughput.end_to_end),
    "end-to-end-wide": Part("traffic", throughput.end_to_end_wide),
    "durable": Part("traffic", throughput.durable_batches),
    "single": Part("traffic", throughput.single_calls),
    "visible": Part("traffic", freshness.visible),
    "cpu": Part("traffic", cost.cpu),
    "memory": Part("traffic", cost.memory),
}


def main() -> int:
    """Measures what the arguments name; returns the exit status, 1 if a part failed."""
    arguments = _arguments()
    options = Options(arguments.rounds, arguments.share, arguments.funnel, arguments.directory)
    names = arguments.parts or [name for name, part in PARTS.items() if part.by_default]
    others = machine.busy_cores()
    facts = machine.describe(others) | {"parts": names, "rounds": options.rounds, "share": options.share}
    if not facts["quiet"]:
        say(f"others use {others:.1f} cores of this machine: only ratios mean something, and they vary")
    figures, failed = list[Figure](), list[str]()
    for _, group in groupby(names, lambda name: PARTS[name].system):
        _measure(list(group), options, figures, failed)
    facts |= {"other_load_cores_at_end": round(machine.busy_cores(), 2), "failed": failed}
    arguments.json.write_text(json.dumps(to_json(figures, facts), indent=2, ensure_ascii=False) + "\n")
    print(table(figures))
    print(f"all rounds: {arguments.json}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return bool(failed)


def _measure(names: Sequence[str], options: Options, figures: list[Figure], failed: list[str]) -> None:
    """Measures some parts on one new system; a part that fails does not end the run."""
    with (
        tempfile.TemporaryDirectory(
            prefix="leadscore-bench-", dir=options.directory, ignore_cleanup_errors=True
        ) as directory,
        running(Path(directory)) as system,
    ):
        for name in names:
            say(f"{name}: {(PARTS[name].measure.__doc__ or '').splitlines()[0]}")
            try:
                figures.extend(PARTS[name].measure(system, options))
            except Exception:  # noqa: BLE001 (the parts are independent)
                failed.append(name)
                traceback.print_exc()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"one of: {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where to write all rounds")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each figure; the table has the median")
    parser.add_argument("--share", type=float, default=1.0, help="less than 1 for a quick try that measures nothing")
    parser.add_argument("--funnel", type=Path, help="events for the funnel, as JSON Lines (.gz); default: made up")
    parser.add_argument("--directory", type=Path, help="where to put the databases; default: with temporary files")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    return arguments


if __name__ == "__main__":
    raise SystemExit(main())
