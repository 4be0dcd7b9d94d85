"""`python -m chaos`: a series of rounds; `ROUNDS`, `FAULTS` and `SEED` of the environment say which.

With `SOAK` it is a soak of so many minutes instead.
`FAULTS` are the beginnings of names, separated by commas. Exit status 1 when anything was violated.
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
from chaos.series import Series, named, plan
from chaos.soak import soak
from chaos.world import running_world

ROUNDS = 300
FIRINGS = 20
"""So often must each crash point fire in a series of all faults that is as long as the usual one."""
FILE = Path("chaos.json")


async def _run(rounds: int, names: str, seed: int, console: Console) -> bool:
    """Runs the series, tells what it found, and returns whether that is nothing."""
    done: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="leadscore-chaos-", ignore_cleanup_errors=True) as directory:
        series = Series(Path(directory))
        try:
            async for each in series.run(plan(named(names), rounds, seed)):
                done.append(each)
                console.print(report.line(each, len(done), rounds), highlight=False)
        except asyncio.CancelledError:
            console.print("stopped before its end; so far:")
        finally:
            crashes = series.crashes()
            console.print(report.table(done))
            console.print(report.crash_table(crashes))
            report.write(FILE, done, crashes, seed)
    planned = {FAULTS[each.fault].crash_point for each in done} - {""}
    least = FIRINGS if len(done) >= ROUNDS and not names else 1
    rare = [name for name in sorted(planned) if crashes[name] < least]
    for name in rare:
        console.print(f"the crash point {name!r} has fired {crashes[name]} times, at least {least} are needed")
    return len(done) == rounds and not rare and not any(each.violations for each in done)


async def _soak(minutes: float, seed: int, console: Console) -> bool:
    """Soaks a world, tells what its processes took, and returns whether nothing was violated."""
    with tempfile.TemporaryDirectory(prefix="leadscore-soak-", ignore_cleanup_errors=True) as directory:
        async with running_world(Path(directory), Path(directory) / "crashes", members=1) as world:
            watched, violations = await soak(world, minutes, seed, lambda text: console.print(text, highlight=False))
    console.print(watched.table())
    for each in violations:
        console.print(f"{each.invariant} {each.what}")
    console.print(f"{len(violations)} violations")
    return not violations


def main() -> None:
    """Reads the environment and runs what it says; Ctrl-C ends a series and tells what it found so far.

    SIGTERM and SIGHUP do the same, lest servers be left behind: they are in process groups of their own.
    """
    # A script that starts it in the background lets it ignore SIGINT, and asyncio would go along with that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup lets SIGHUP be
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    console = Console()
    if minutes := float(os.environ.get("SOAK") or 0):
        console.print(f"soaking for {minutes:g} minutes, seed {seed}")
        sys.exit(0 if asyncio.run(_soak(minutes, seed, console)) else 1)
    rounds = int(os.environ.get("ROUNDS") or ROUNDS)
    console.print(f"{rounds} rounds, seed {seed}")
    sys.exit(0 if asyncio.run(_run(rounds, os.environ.get("FAULTS") or "", seed, console)) else 1)


if __name__ == "__main__":
    main()
