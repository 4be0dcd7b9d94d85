"""`python -m chaos`: runs a series of rounds, or a soak.

Environment variables: `ROUNDS` (how many), `FAULTS` (prefixes of fault names, separated by commas), `SEED`, `SOAK` (run
a soak of this many minutes instead), and `SECURE` (TLS and keys for every process and client). Exit status 1 if any
invariant was violated.
"""

import asyncio
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from chaos import report
from chaos.fault import FAULTS
from chaos.rounds import Round
from chaos.series import LOGS, Series, keep_logs, named, plan
from chaos.soak import soak
from chaos.world import running_world

ROUNDS = 300
FIRINGS = 20
"""How often each crash point must fire in a series of all faults of at least `ROUNDS` rounds."""
FILE = Path("chaos.json")
LOG_WIDTH = 140
"""Width of the tables, in characters, if the output is not a terminal."""


async def _run(rounds: int, names: str, seed: int, console: Console) -> bool:
    """Runs the series and prints its results; returns whether it is complete and without violations."""
    done: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="leadscore-chaos-", ignore_cleanup_errors=True) as directory:
        series = Series(Path(directory))
        try:
            async for each in series.run(plan(named(names), rounds, seed)):
                done.append(each)
                console.print(report.line(each, len(done), rounds), highlight=False)
        except asyncio.CancelledError:
            console.print("interrupted; the results so far:")
        finally:
            crashes = series.crashes()
            console.print(report.table(done))
            console.print(report.crash_table(crashes))
            report.write(FILE, done, crashes, seed)
    planned = {FAULTS[each.fault].crash_point for each in done} - {""}
    least = FIRINGS if len(done) >= ROUNDS and not names else 1
    rare = [name for name in sorted(planned) if crashes[name] < least]
    for name in rare:
        console.print(f"crash point {name!r} fired {crashes[name]} times; at least {least} are required")
    return len(done) == rounds and not rare and not any(each.violations for each in done)


async def _soak(minutes: float, seed: int, console: Console) -> bool:
    """Soaks a world and prints what its processes used; returns whether there were no violations.

    Keeps the logs of the processes unless the soak ends without violations.
    """
    logs, is_clean = LOGS / f"soak-{seed}", False
    with tempfile.TemporaryDirectory(prefix="leadscore-soak-", ignore_cleanup_errors=True) as directory:
        try:
            async with running_world(Path(directory), Path(directory) / "crashes", members=1) as world:
                samples, violations = await soak(
                    world, minutes, seed, lambda text: console.print(text, highlight=False)
                )
            is_clean = not violations
        finally:
            if not is_clean:
                keep_logs(Path(directory), logs)
                console.print(f"logs: {logs}")
    console.print(samples.table())
    for each in violations:
        console.print(f"{each.invariant} {each.what}", highlight=False)
    console.print(f"{len(violations)} violations")
    return is_clean


def main() -> None:
    """Runs what the environment asks for; Ctrl-C ends a series and prints the results so far.

    SIGTERM and SIGHUP do the same. Otherwise the servers, which have process groups of their own, would keep running.
    """
    if len(sys.argv) > 1:
        sys.exit(__doc__)  # a series takes long, so it does not start by mistake
    # A shell starts background jobs with SIGINT ignored, and asyncio would keep it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    console = Console()
    if not console.is_terminal:
        console.width = LOG_WIDTH
    if minutes := float(os.environ.get("SOAK") or 0):
        console.print(f"soaking for {minutes:g} minutes, seed {seed}")
        sys.exit(0 if asyncio.run(_soak(minutes, seed, console)) else 1)
    rounds = int(os.environ.get("ROUNDS") or ROUNDS)
    console.print(f"{rounds} rounds, seed {seed}")
    sys.exit(0 if asyncio.run(_run(rounds, os.environ.get("FAULTS") or "", seed, console)) else 1)


if __name__ == "__main__":
    main()
