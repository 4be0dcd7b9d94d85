"""Reports the results of a series: tables for people, and `chaos.json` for programs."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from chaos.crash_points import POINTS
from chaos.rounds import Round
from chaos.series import LOGS


def line(done: Round, number: int, of: int) -> str:
    """Returns the line that reports a finished round; after violations, with the command that repeats the round."""
    verdict = f"[red]{len(done.violations)} violations[/]" if done.violations else "[green]ok[/]"
    text = (
        f"{number:3}/{of} {verdict}  {done.fault}  {done.seconds:.1f} s, drained in {done.drain_seconds:.1f} s, "
        f"gaps {done.ingest_gap:.1f} and {done.scoring_gap:.1f} s, {done.snapshots} snapshots"
    )
    if done.violations:
        text += (
            f"\n    repeat: make chaos ROUNDS=1 SEED={done.seed} FAULTS={shlex.quote(done.fault)}; "
            f"logs: {LOGS / str(done.seed)}"
        )
        text += "".join(f"\n    {each.invariant} {each.what}" for each in done.violations)
    return text


def table(rounds: Sequence[Round]) -> Table:
    """Returns the results as a table with one row per fault."""
    columns = ("fault", "rounds", "violations", "snapshots", "slowest drain, s", "longest gap, s", "scoring gap, s")
    found = Table(*columns, title="Rounds per fault")
    for name, of_fault in sorted(_by_fault(rounds).items()):
        found.add_row(
            name,
            str(len(of_fault)),
            str(sum(len(each.violations) for each in of_fault)),
            str(sum(each.snapshots for each in of_fault)),
            f"{max(each.drain_seconds for each in of_fault):.1f}",
            f"{max(each.ingest_gap for each in of_fault):.1f}",
            f"{max(each.scoring_gap for each in of_fault):.1f}",
        )
    found.add_section()
    violations = sum(len(each.violations) for each in rounds)
    snapshots = sum(each.snapshots for each in rounds)
    found.add_row("all", str(len(rounds)), str(violations), str(snapshots))
    return found


def crash_table(crashes: Counter[str]) -> Table:
    """Returns a table of how often each crash point has fired."""
    found = Table("crash point", "fired", title="Crash points")
    for name in POINTS:
        found.add_row(name, str(crashes[name]))
    return found


def write(path: Path, rounds: Sequence[Round], crashes: Counter[str], seed: int) -> None:
    """Writes the results as JSON (`chaos.json`)."""
    per_fault: Mapping[str, int] = {name: len(each) for name, each in sorted(_by_fault(rounds).items())}
    bad = [
        {"fault": each.fault, "seed": each.seed, "violations": [f"{v.invariant} {v.what}" for v in each.violations]}
        for each in rounds
        if each.violations
    ]
    values = {
        "seed": seed,
        "rounds": len(rounds),
        "violations": sum(len(each.violations) for each in rounds),
        "snapshots": sum(each.snapshots for each in rounds),
        "seconds": round(sum(each.seconds for each in rounds), 1),
        "rounds_per_fault": per_fault,
        "longest_gap_seconds": round(max((each.ingest_gap for each in rounds), default=0.0), 2),
        "crash_points": {name: crashes[name] for name in POINTS},
        "rounds_with_violations": bad,
    }
    path.write_text(json.dumps(values, indent=2) + "\n")


def _by_fault(rounds: Sequence[Round]) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = defaultdict(list)
    for each in rounds:
        found[each.fault].append(each)
    return found
