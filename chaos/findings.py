"""What the harness itself found wrong in a round, and what it expects to go wrong during the fault."""

import asyncio
import time
from collections.abc import Callable, Collection

from chaos.violation import Violation

FAULT_SECONDS = 40.0
"""The time within which a fault must take effect."""


class Findings:
    """The violations that the harness found in a round.

    `unaffected` are the methods whose calls must succeed during the fault. `doomed` are the processes that the fault
    makes end themselves: they may have any status and log why.
    """

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.is_under_fault = False
        self.unaffected: Collection[str] = ()
        self.doomed: set[str] = set()

    def clear(self) -> None:
        """Forgets the violations and the doomed processes of the last round."""
        self.violations.clear()
        self.doomed.clear()

    def add(self, invariant: str, what: str) -> None:
        """Adds a violation."""
        self.violations.append(Violation(invariant, what))

    def report_no_fault(self, why: str) -> None:
        """Reports that a fault did not take effect, so its round proves nothing."""
        self.add("round", f"the fault did not happen: {why}")

    async def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Waits until a condition holds without which the fault has no effect; reports it if it never does."""
        ends = time.monotonic() + FAULT_SECONDS
        while not holds():
            if time.monotonic() > ends:
                self.report_no_fault(otherwise)
                return
            await asyncio.sleep(0.05)
