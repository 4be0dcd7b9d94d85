"""What a caller chooses for a run."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True)
class Options:
    """How much to measure."""

    rounds: int = 3
    share: float = 1.0
    """The share of all events and seconds; less than 1 only to try whether the benchmark itself works."""
    funnel: Path | None = None
    """A file of events for the funnel; None makes some up."""
    directory: Path | None = None
    """Where to put the databases; None means the directory for temporary files."""

    def sized(self, count: int) -> int:
        """Returns the share of a number, at least 1."""
        return max(1, round(count * self.share))


@dataclass(slots=True)
class Pairs:
    """The values of ours and of the reference, measured in turn."""

    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)


def in_turn(options: Options, what: str, ours: Callable[[], float], reference: Callable[[], float]) -> Pairs:
    """Measures both in turn, so that they see the same machine, and prints the progress."""
    pairs = Pairs()
    for number in range(1, options.rounds + 1):
        pairs.ours.append(ours())
        pairs.reference.append(reference())
        say(f"{what}, round {number}: {pairs.ours[-1]:,.4g}, reference {pairs.reference[-1]:,.4g}")
    return pairs


def say(text: str) -> None:
    """Prints a line of progress to stderr."""
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)
