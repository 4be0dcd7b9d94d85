"""The resident memory of the system under test over time."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil

from benchmarks.harness.processes import processes

SAMPLE_SECONDS = 1.0
LOOK_SECONDS = 10.0
"""Interval at which new processes are looked for, which takes longer than to read the memory of known ones."""


class MemoryLog:
    """Samples the largest process of each kind, in MB (10⁶ bytes)."""

    def __init__(self) -> None:
        self._samples: list[Mapping[str, float]] = []
        self._is_over = threading.Event()

    def largest(self) -> dict[str, float]:
        """Returns the largest sample of each kind."""
        return _largest(self._samples)

    def largest_in_first_half(self) -> dict[str, float]:
        """Returns the same, without the second half of the time since the start."""
        return _largest(self._samples[: len(self._samples) // 2])

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Samples every second while the block runs."""
        sampler = threading.Thread(target=self._sample, daemon=True)
        sampler.start()
        try:
            yield
        finally:
            self._is_over.set()
            sampler.join()

    def _sample(self) -> None:
        known, looked = dict[str, list[psutil.Process]](), 0.0
        while not self._is_over.wait(SAMPLE_SECONDS):
            if time.monotonic() - looked > LOOK_SECONDS:
                known, looked = processes(), time.monotonic()
            self._samples.append({kind: _megabytes(found) for kind, found in known.items()})


def _megabytes(found: list[psutil.Process]) -> float:
    sizes = [0]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            sizes.append(process.memory_info().rss)
    return max(sizes) / 1e6


def _largest(samples: list[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in samples:
        found |= {kind: max(size, found.get(kind, 0.0)) for kind, size in sample.items()}
    return found
